// What the server does to clients: by user, to all, with subscriptions of its own, within limits.
#include "tests/handlers/client/client_fixture.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ClientTest, AUserIsReachedOnAllConnections) {
  Peer& one = world.connect("anna");
  Peer& two = world.connect("anna");
  Peer& other = world.connect("bert");
  one.take();
  two.take();
  other.take();
  EXPECT_EQ(world.subscribe_user("anna", "chat:a"), 2u);
  EXPECT_THAT(one.take()[0], HasSubstr(R"("subscribe":{"recoverable":true)"));
  EXPECT_EQ(world.clients->unsubscribe({"anna"}, "chat:a"), 2u);
  EXPECT_THAT(two.take().back(), HasSubstr(R"("unsubscribe":{"code":2000)"));
  EXPECT_EQ(message_all("{\"x\":1}", {}, {"bert"}), 2u);
  EXPECT_EQ(one.take().back(), R"({"push":{"message":{"data":{"x":1}}}})");
  EXPECT_THAT(other.take(), IsEmpty());
  const hub::ClientId::Text id = one.client->id().text();
  EXPECT_EQ(world.clients->disconnect({"anna", {}, std::vector{hub::view(id)}},
                                      handlers::client::kDisconnectForced),
            1u);
  EXPECT_EQ(two.disconnected.code, 3503);
  EXPECT_FALSE(one.over());
}

TEST_F(ClientTest, AMessageToEverybodyCountsThoseItCanBeSaidTo) {
  Peer& json = world.connect("anna");
  Peer& protobuf = world.open(hub::Framing::websocket_protobuf, "bert");
  world.say(protobuf, std::string("\x04\x08\x01\x22\x00", 5));
  json.take();
  protobuf.take();
  EXPECT_EQ(message_all("{\n}"), 2u);
  EXPECT_THAT(json.take(), ElementsAre(R"({"push":{"message":{"data":{}}}})"));
  EXPECT_EQ(message_all("\x01"), 1u);
  EXPECT_THAT(json.take(), IsEmpty());
  EXPECT_EQ(protobuf.take().size(), 2u);
  const hub::ClientId::Text id = json.client->id().text();
  EXPECT_EQ(message_all("1", {hub::view(id)}), 1u);
}

// Some come and go between two turns; who is there all the time hears each once, in order.
TEST_F(ClientTest, AMessageToThousandsTakesTurns) {
  constexpr std::size_t kStay = 2 * Clients::kMessagesATurn;
  std::vector<Peer*> staying, leaving;
  for (std::size_t i = 0; i < 3 * Clients::kMessagesATurn; ++i)
    (i % 3 == 0 ? leaving : staying).push_back(&world.connect("anna"));
  ASSERT_EQ(staying.size(), kStay);
  for (Peer* const peer : staying) peer->take();
  std::vector<std::uint32_t> told;
  const auto note = [&](std::uint32_t count) { told.push_back(count); };
  world.clients->message_all("1", {}, {}, note);
  world.clients->message_all("2", {}, {}, note);
  EXPECT_THAT(told, IsEmpty());
  const auto heard = [](const Peer* peer) { return !peer->heard.empty(); };
  EXPECT_EQ(
      std::ranges::count_if(staying, heard) +
          std::ranges::count_if(leaving, [](const Peer* peer) { return peer->heard.size() > 1; }),
      Clients::kMessagesATurn);
  for (std::size_t i = 0; i < leaving.size(); ++i) {
    std::exchange(leaving[i]->client, nullptr)->on_end();
    if (i % 400 == 0) world.settle();  // a turn
    if (i % 400 == 200) world.connect("bert");
  }
  while (told.size() < 2) world.settle();
  EXPECT_THAT(told, testing::Each(testing::Ge(kStay)));
  for (Peer* const peer : staying)
    ASSERT_THAT(peer->take(), ElementsAre(R"({"push":{"message":{"data":1}}})",
                                          R"({"push":{"message":{"data":2}}})"));
}

TEST_F(ClientTest, ALostPositionEndsAServerSideSubscriptionWithItsConnection) {
  const auto position = world.publish("chat:a", "1").position;
  Peer& peer = world.connect("anna");
  world.subscribe_user("anna", "chat:a");
  hub::Publication publication;
  publication.data = "3";
  world.hub.on_publication("chat:a", publication, {3, position.epoch}, {}, {});
  world.settle();
  EXPECT_EQ(peer.disconnected.code, 3010);
}

TEST_F(ClientTest, ConnectBringsServerSideSubscriptions) {
  ClientOptions options = anonymous();
  options.user_channels = true;
  options.user_channel_namespace = "chat";
  HubWorld personal(kChannels, options);
  Peer& peer = personal.connect("anna", R"({"subs":{"chat:b":{},"closed:x":{}}})");
  const std::string reply = peer.take()[0];
  EXPECT_THAT(reply, HasSubstr(R"("chat:#anna":{"recoverable":true)"));
  EXPECT_THAT(reply, HasSubstr(R"("chat:b":{"recoverable":true)"));
  EXPECT_THAT(reply, Not(HasSubstr("closed:x")));
  EXPECT_EQ(personal.connect("bert", R"({"subs":{"nope:b":{}}})").disconnected.code, 3501);
}

TEST_F(ClientTest, AUserWhosePersonalChannelIsOfNoNamespaceIsRefused) {
  ClientOptions options = anonymous();
  options.user_channels = true;
  HubWorld personal(kChannels, options);
  Peer& peer = personal.connect("tenant:anna");
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr("\"code\":102")));
  EXPECT_EQ(personal.refused(hub::Refused::unknown_channel), 1u);
  EXPECT_THAT(personal.connect("anna").take(), ElementsAre(HasSubstr("\"#anna\":{}")));
}

TEST_F(ClientTest, ConnectLeavesOutChannelsThatCannotBe) {
  const std::string longest(255, 'a');
  Peer& peer =
      world.connect("anna", R"({"subs":{"":{},")" + longest + R"(":{},")" + longest + "b\":{}}}");
  const std::string reply = peer.take()[0];
  EXPECT_THAT(reply, HasSubstr("\"subs\":{\"" + longest + "\":{}}"));
  EXPECT_EQ(peer.client->subscription_count(), 1u);
}

TEST_F(ClientTest, ConnectWithMoreChannelsThanTheLimitIs3505) {
  std::string subs;
  for (int i = 0; i < 129; ++i) subs += (i > 0 ? ",\"c" : "\"c") + std::to_string(i) + "\":{}";
  EXPECT_EQ(world.connect("anna", "{\"subs\":{" + subs + "}}").disconnected.code, 3505);
  EXPECT_EQ(world.hub.channel_count(), 0u);
}

TEST_F(ClientTest, ConnectionsOfOneUserAreLimited) {
  ClientOptions options = anonymous();
  options.user_connection_limit = 1;
  HubWorld small(kChannels, options);
  Peer& one = small.connect("anna");
  EXPECT_EQ(small.connect("anna").disconnected.code, 3504);
  small.end(one);
  EXPECT_FALSE(small.connect("anna").over());
}

TEST_F(ClientTest, TheHubHasRoomForSoManyAndTakesSoManyASecond) {
  ClientOptions options = anonymous();
  options.connection_limit = 3;
  HubWorld small(kChannels, options);
  Peer& first = small.connect();
  small.connect();
  EXPECT_FALSE(small.clients->turn_away(0));
  small.connect();
  EXPECT_TRUE(small.clients->turn_away(0));
  small.end(first);
  EXPECT_FALSE(small.clients->turn_away(0));

  options.connection_limit = 0;
  options.connection_rate_limit = 10;
  HubWorld calm(kChannels, options);
  const auto taken = [&](std::int64_t now_ns) {
    int count = 0;
    while (count < 100 && !calm.clients->turn_away(now_ns)) ++count;
    return count;
  };
  constexpr std::int64_t kMs = 1'000'000;
  EXPECT_EQ(taken(1000 * kMs), 10);
  EXPECT_EQ(taken(1050 * kMs), 0);
  EXPECT_EQ(taken(1300 * kMs), 3);
  EXPECT_EQ(taken(9000 * kMs), 10);
}

}  // namespace
}  // namespace spate::test
