// What a client missed: recovery, positions, and whom publications are not for.
#include "tests/handlers/client/client_fixture.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ClientTest, MissedPublicationsAreRecovered) {
  const auto first = world.publish("chat:a", "1");
  Peer& peer = world.connect("anna");
  world.subscribe(peer, "chat:a");
  EXPECT_THAT(peer.take()[1], HasSubstr(R"("recoverable":true,"epoch":")"));
  world.end(peer);
  world.publish("chat:a", "2");
  world.publish("chat:a", "3");
  Peer& again = world.connect("anna");
  again.take();
  const std::string epoch(first.position.epoch.text());
  world.subscribe(again, "chat:a", R"(,"recover":true,"offset":1,"epoch":")" + epoch + "\"");
  const std::string reply = again.take()[0];
  EXPECT_THAT(reply, HasSubstr(R"("publications":[{"data":2,"offset":2},{"data":3,"offset":3}])"));
  EXPECT_THAT(reply, HasSubstr(R"("recovered":true,"offset":1)"));
  EXPECT_THAT(reply, HasSubstr(R"("was_recovering":true)"));
  world.publish("chat:a", "4");
  world.settle();
  EXPECT_THAT(again.take(), ElementsAre(HasSubstr("\"offset\":4")));
}

TEST_F(ClientTest, WhatIsGoneIsNotRecoveredAndSaidSo) {
  std::string epoch;
  for (int i = 1; i <= 9; ++i)
    epoch = world.publish("chat:a", std::to_string(i)).position.epoch.text();
  Peer& peer = world.connect("anna");
  const auto ask = [&](std::string_view more) {
    peer.take();
    world.subscribe(peer, "chat:a", R"(,"recover":true)" + std::string(more));
    const std::string reply = peer.take()[0];
    world.say(peer, R"({"id":7,"unsubscribe":{"channel":"chat:a"}})");
    return reply;
  };
  // Five are kept: 5 to 9.
  EXPECT_THAT(ask(R"(,"offset":4,"epoch":")" + epoch + "\""), HasSubstr("\"recovered\":true"));
  EXPECT_THAT(ask(R"(,"offset":3,"epoch":")" + epoch + "\""),
              testing::AllOf(HasSubstr("\"offset\":9"), HasSubstr("\"was_recovering\":true"),
                             Not(HasSubstr("\"recovered\"")), Not(HasSubstr("publications"))));
  EXPECT_THAT(ask(R"(,"epoch":"_")"), Not(HasSubstr("\"recovered\"")));
  EXPECT_THAT(ask(R"(,"offset":9,"epoch":"abcdefgh")"), Not(HasSubstr("\"recovered\"")));
  EXPECT_THAT(ask(R"(,"offset":9)"), HasSubstr("\"recovered\":true"));
  EXPECT_THAT(ask(R"(,"offset":3,"flag":2)"), HasSubstr("\"code\":112"));
}

TEST_F(ClientTest, CacheModeBringsTheNewest) {
  Peer& peer = world.connect("anna");
  peer.take();
  world.subscribe(peer, "last:a");
  EXPECT_THAT(peer.take()[0], Not(HasSubstr("\"recovered\":true")));
  world.publish("last:a", "1");
  world.publish("last:a", "2");
  Peer& other = world.connect("bert");
  other.take();
  world.subscribe(other, "last:a");
  EXPECT_THAT(other.take()[0], HasSubstr(R"("publications":[{"data":2,"offset":2}])"));
}

TEST_F(ClientTest, AMissingOffsetEndsTheSubscriptionWith2500) {
  const auto position = world.publish("chat:a", "1").position;
  Peer& peer = world.subscribe(world.connect("anna"), "chat:a");
  peer.take();
  hub::Publication publication;
  publication.data = "3";
  world.hub.on_publication("chat:a", publication, {3, position.epoch}, {}, {});
  world.settle();
  EXPECT_THAT(
      peer.take(),
      ElementsAre(HasSubstr(R"("unsubscribe":{"code":2500,"reason":"insufficient state"})")));
  EXPECT_FALSE(peer.over());
}

TEST_F(ClientTest, PositionsAreComparedWithTheBrokers) {
  hub::Hub::Options often;
  often.position_check_ns = 1'000'000'000;
  HubWorld checked(kChannels, anonymous(), often);
  Peer& peer = checked.subscribe(checked.connect("anna"), "chat:a");
  peer.take();
  checked.hub.tick();
  EXPECT_THAT(peer.take(), IsEmpty());
  // A publication that never came out here.
  hub::PublishRequest lost;
  lost.channel = "chat:a";
  lost.publication.data = "1";
  lost.history = checked.rules.options_of("chat:a")->history;
  struct Deaf final : hub::BrokerSink {
    void on_publication(std::string_view, const hub::Publication&, hub::StreamPosition,
                        std::span<const std::string_view>,
                        std::span<const std::string_view>) override {}
    void on_join(std::string_view, const hub::ClientInfo&) override {}
    void on_leave(std::string_view, const hub::ClientInfo&) override {}
    void on_user_status(std::string_view, std::string_view, bool) override {}
  } deaf;
  hub::LogBroker other(checked.memory, deaf, {});
  ASSERT_TRUE(other.open().ok());
  other.publish(lost, [](const hub::PublishResult&) {});
  checked.hub.set_broker(other);
  checked.hub.tick();
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr("2500")));
  checked.hub.set_broker(*checked.broker);
}

// Half of a thousand subscribers are among ten thousand excluded: by name, or by connection.
TEST_F(ClientTest, LongListsOfTheExcludedAreLookedUp) {
  std::vector<std::string> users;
  std::vector<std::string> clients;
  for (int i = 10'000; i-- > 0;) {
    users.push_back("out" + std::to_string(i));
    clients.emplace_back(hub::view(hub::ClientId::random().text()));
  }
  for (int i = 0; i < 1000; ++i) {
    const bool by_name = i % 4 == 0;
    Peer& peer = world.connect((by_name ? "out" : "in") + std::to_string(10 * i));
    if (i % 4 == 1) clients[static_cast<std::size_t>(10 * i)] = hub::view(peer.client->id().text());
    world.subscribe(peer, "a").take();
  }
  const std::vector<std::string_view> user_views(users.begin(), users.end());
  const std::vector<std::string_view> client_views(clients.begin(), clients.end());
  const std::int64_t begin = core::sys::monotonic_ns();
  world.publish("a", "1", user_views, client_views);
  world.settle();
  RecordProperty("publish_ns", std::to_string(core::sys::monotonic_ns() - begin));
  for (std::size_t i = 0; i < world.peers.size(); ++i)
    EXPECT_EQ(world.peers[i].heard.size(), i % 4 >= 2 ? 1u : 0u) << i;
}

TEST_F(ClientTest, ExcludedUsersMissItAndTheirPositionMovesOn) {
  const auto position = world.publish("chat:a", "0").position;
  Peer& anna = world.subscribe(world.connect("anna"), "chat:a");
  Peer& bert = world.subscribe(world.connect("bert"), "chat:a");
  world.settle();
  anna.take();
  bert.take();
  world.publish("chat:a", "1", {"anna"});
  world.publish("chat:a", "2");
  world.settle();
  EXPECT_THAT(anna.take(), ElementsAre(HasSubstr("\"data\":2")));
  EXPECT_EQ(bert.take().size(), 2u);
  world.end(anna);
  Peer& again = world.connect("anna");
  again.take();
  world.subscribe(
      again, "chat:a",
      R"(,"recover":true,"offset":1,"epoch":")" + std::string(position.epoch.text()) + "\"");
  const std::string reply = again.take()[0];
  EXPECT_THAT(reply, HasSubstr(R"("publications":[{"data":2,"offset":3}])"));
  EXPECT_THAT(reply, HasSubstr("\"recovered\":true"));
}

TEST_F(ClientTest, HistorySurvivesTheWorker) {
  const auto position = world.publish("chat:a", "1").position;
  world.restart_broker();
  EXPECT_EQ(world.publish("chat:a", "2").position.epoch, position.epoch);
  Peer& peer = world.connect("anna");
  peer.take();
  world.subscribe(
      peer, "chat:a",
      R"(,"recover":true,"offset":0,"epoch":")" + std::string(position.epoch.text()) + "\"");
  EXPECT_THAT(peer.take()[0], HasSubstr(R"([{"data":1,"offset":1},{"data":2,"offset":2}])"));
}

// What piles up for a client as one that comes back would make it a slow one, and so on for ever.
TEST_F(ClientTest, RecoveriesTogetherStayBelowWhatMayWait) {
  ClientOptions options = anonymous();
  options.recovery_max_bytes = 10'000;
  HubWorld narrow(kChannels, options);
  const std::string data = "\"" + std::string(6'000, 'x') + "\"";
  narrow.publish("chat:a", data);
  narrow.publish("chat:b", data);
  const std::string since = R"({"recover":true,"offset":0})";
  const auto recovered = [](const std::vector<std::string>& replies) {
    std::size_t count = 0;
    for (const std::string& each : replies)
      for (std::size_t at = 0; (at = each.find("\"recovered\":true", at)) != each.npos; ++at)
        ++count;
    return count;
  };
  Peer& at_once =
      narrow.connect("anna", R"({"subs":{"chat:a":)" + since + R"(,"chat:b":)" + since + "}}");
  EXPECT_EQ(recovered(at_once.take()), 1u);

  Peer& one_by_one = narrow.connect("bert");
  one_by_one.take();
  narrow.say(one_by_one, R"({"id":2,"subscribe":{"channel":"chat:a","recover":true}})"
                         "\n"
                         R"({"id":3,"subscribe":{"channel":"chat:b","recover":true}})");
  // Where the second waits for the first, that one has been sent by then.
  EXPECT_EQ(recovered(one_by_one.take()), later_broker ? 2u : 1u);

  Peer& behind = narrow.connect("carl");
  behind.take();
  behind.unsent_bytes = 9'000;
  narrow.subscribe(behind, "chat:a", R"(,"recover":true)");
  EXPECT_EQ(recovered(behind.take()), 0u);
  narrow.subscribe(behind, "chat:c", R"(,"recover":true)");
  EXPECT_EQ(recovered(behind.take()), 1u) << "nothing was missed";
}

TEST_F(ClientTest, AFrameOfManyQuestionsIsAnsweredInPieces) {
  Peer& peer = world.subscribe(world.connect("anna"), "chat:a");
  for (int i = 0; i < 5; ++i) world.publish("chat:a", "\"" + std::string(5'000, 'x') + "\"");
  world.settle();
  peer.take();
  std::string frame;
  for (int i = 3; i < 103; ++i)
    frame +=
        "{\"id\":" + std::to_string(i) + R"(,"history":{"channel":"chat:a","limit":-1}})" + "\n";
  peer.largest_message = 0;
  world.say(peer, frame);
  EXPECT_EQ(peer.take().size(), 100u);
  EXPECT_LT(peer.largest_message, 100'000u);
}

}  // namespace
}  // namespace spate::test
