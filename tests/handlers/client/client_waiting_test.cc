// Clients of a broker that answers later: who waits for what, and what becomes of those that end
// meanwhile.
#include <gmock/gmock.h>

#include "handlers/client/client_waiting.h"
#include "tests/handlers/client/hub_world.h"
#include "tests/handlers/client/signing.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kChannels = R"({
  "without_namespace": {"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true},
  "namespaces": [
    {"name": "chat", "history_size": 5, "history_ttl": "60s", "force_recovery": true,
     "presence": true, "join_leave": true, "force_push_join_leave": true,
     "allow_subscribe_for_client": true, "allow_publish_for_client": true,
     "allow_history_for_subscriber": true, "allow_presence_for_subscriber": true}
  ]})";

constexpr const char* kSubscribe = R"({"id":2,"subscribe":{"channel":"chat:a"}})";

class ClientWaiting : public testing::Test {
 protected:
  static ClientOptions anonymous() {
    ClientOptions options;
    options.anonymous = true;
    return options;
  }
  // From here on the broker answers when it is told to.
  void hold() {
    world.later->holds = true;
    world.answers = false;
  }
  Peer& connected(std::string_view user = "anna") {
    Peer& peer = world.connect(user);
    peer.take();
    hold();
    return peer;
  }
  Peer& subscribed() {
    Peer& peer = world.connect("anna");
    world.subscribe(peer, "chat:a");
    peer.take();
    hold();
    return peer;
  }
  void say(Peer& peer, const std::string& frame) { world.say(peer, frame); }
  void answer() {
    world.later->answer();
    world.settle();
  }
  void fail() {
    world.later->fail();
    world.settle();
  }
  void answer_all() {
    world.answers = true;
    world.settle();
  }
  // Past the worker, as another one's publications come.
  void publish_elsewhere(std::string_view channel, std::string_view data,
                         const std::vector<std::string_view>& exclude_clients = {}) {
    hub::PublishRequest request;
    request.channel = channel;
    request.publication.data = data;
    request.exclude_clients = exclude_clients;
    request.history = world.rules.options_of(channel)->history;
    world.broker->publish(request, [](const hub::PublishResult&) {});
    world.settle();
  }
  // Begins a connect with the token's channels; `more` goes into the request.
  Peer& connecting(const std::string& subs, const std::string& more = "") {
    hold();
    Peer& peer = world.open();
    say(peer, R"({"id":1,"connect":{"token":")" +
                  HmacSigner(HubWorld::kSecret, EVP_sha256())
                      .token(R"({"alg":"HS256"})", R"({"sub":"anna","subs":{)" + subs + "}}") +
                  "\"" + more + "}}");
    answer();  // that the user has come
    return peer;
  }
  const hub::Channel* channel(std::string_view name) const { return world.hub.find(name); }

  HubWorld world{kChannels, anonymous()};
};

constexpr const char* kQuestions = R"({"id":3,"publish":{"channel":"chat:a","data":1}}
{"id":4,"history":{"channel":"chat:a"}}
{"id":5,"presence":{"channel":"chat:a"}}
{"id":6,"presence_stats":{"channel":"chat:a"}})";

TEST_F(ClientWaiting, QuestionsDoNotWaitForEachOther) {
  Peer& peer = subscribed();
  say(peer, std::string(kQuestions) + "\n" + R"({"id":7,"ping":{}})");
  EXPECT_THAT(peer.take(), ElementsAre(R"({"id":7,"ping":{}})"));
  EXPECT_EQ(world.later->waiting(), 4u);
  EXPECT_FALSE(peer.paused);
  answer();
  EXPECT_THAT(peer.take(), ElementsAre(R"({"id":3,"publish":{}})", HasSubstr(R"("offset":1)")));
  for (int i = 0; i < 3; ++i) answer();
  EXPECT_THAT(peer.take(),
              ElementsAre(HasSubstr(R"({"id":4,"history")"), HasSubstr(R"({"id":5,"presence")"),
                          HasSubstr(R"({"id":6,"presence_stats")")));
}

TEST_F(ClientWaiting, OnlySoManyAnswersAreDue) {
  constexpr std::size_t kMost = handlers::client::kMostPending;
  Peer& peer = subscribed();
  std::size_t asked = 0;
  const auto ask = [&](std::size_t questions) {
    std::string frame;
    for (std::size_t i = 0; i < questions; ++i)
      frame += R"({"id":)" + std::to_string(10 + asked++) +
               R"(,"presence":{"channel":"chat:a"}})"
               "\n";
    frame.pop_back();
    say(peer, frame);
  };
  ask(kMost - 1);
  EXPECT_FALSE(peer.paused);
  ask(kMost);
  ask(1);
  EXPECT_TRUE(peer.paused);
  EXPECT_EQ(world.later->waiting(), kMost);
  answer();
  EXPECT_EQ(world.later->waiting(), kMost) << "the next one";
  for (std::size_t i = 0; i < kMost; ++i) answer();
  EXPECT_FALSE(peer.paused);
  answer_all();
  const std::vector<std::string> heard = peer.take();
  ASSERT_THAT(heard, SizeIs(2 * kMost));
  for (std::size_t i = 0; i < heard.size(); ++i)
    EXPECT_THAT(heard[i], testing::StartsWith("{\"id\":" + std::to_string(10 + i) + ","));
}

TEST_F(ClientWaiting, WithoutAnAnswerTheErrorIs100) {
  Peer& peer = subscribed();
  say(peer, kQuestions);
  for (int i = 0; i < 4; ++i) fail();
  say(peer, R"({"id":7,"subscribe":{"channel":"chat:b"}})");
  fail();
  const std::vector<std::string> heard = peer.take();
  ASSERT_THAT(heard, SizeIs(5));
  for (std::size_t i = 0; i < heard.size(); ++i)
    EXPECT_EQ(heard[i],
              "{\"id\":" + std::to_string(i + 3) +
                  R"(,"error":{"code":100,"message":"internal server error","temporary":true}})");
  EXPECT_FALSE(peer.client->subscribed("chat:b"));
}

TEST_F(ClientWaiting, BehindASubscribeEverythingWaits) {
  Peer& peer = connected();
  say(peer, std::string(kSubscribe) + "\n" + R"({"id":3,"publish":{"channel":"chat:a","data":1}})" +
                "\n" + R"({"id":4,"ping":{}})");
  EXPECT_TRUE(peer.paused);
  EXPECT_EQ(world.later->waiting(), 1u);
  EXPECT_THAT(peer.take(), IsEmpty());
  say(peer, R"({"id":5,"ping":{}})");
  answer();
  EXPECT_FALSE(peer.paused);
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"({"id":2,"subscribe":{)"),
                                       R"({"id":4,"ping":{}})", R"({"id":5,"ping":{}})"));
  EXPECT_EQ(world.later->waiting(), 3u) << "presence, join, publish";
}

TEST_F(ClientWaiting, TheNextFrameWaitsToo) {
  Peer& peer = connected();
  say(peer, kSubscribe);
  say(peer, R"({"id":3,"ping":{}})");
  EXPECT_TRUE(peer.paused);
  EXPECT_THAT(peer.take(), IsEmpty());
  answer();
  EXPECT_FALSE(peer.paused);
  EXPECT_THAT(peer.take(),
              ElementsAre(HasSubstr(R"({"id":2,"subscribe":{)"), R"({"id":3,"ping":{}})"));
}

TEST_F(ClientWaiting, WhatIsLeftOfAFrameMayWaitAgain) {
  Peer& peer = connected();
  say(peer, R"({"id":2,"subscribe":{"channel":"chat:a"}}
{"id":3,"subscribe":{"channel":"chat:b"}}
{"id":4,"subscribe":{"channel":"c"}}
{"id":5,"ping":{}})");
  answer();
  EXPECT_TRUE(peer.paused);
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"({"id":2,"subscribe":{)")));
  answer_all();
  EXPECT_FALSE(peer.paused);
  std::vector<std::string> heard = peer.take();
  std::erase_if(heard, [](const std::string& each) { return each.starts_with("{\"push\""); });
  EXPECT_THAT(heard, ElementsAre(HasSubstr(R"({"id":3,"subscribe")"), R"({"id":4,"subscribe":{}})",
                                 R"({"id":5,"ping":{}})"));
}

TEST_F(ClientWaiting, ProtobufCommandsWaitToo) {
  Peer& peer = world.open(hub::Framing::websocket_protobuf, "anna");
  say(peer, std::string("\x04\x08\x01\x22\x00", 5));
  ASSERT_THAT(peer.take(), SizeIs(1));
  hold();
  // subscribe chat:a (id 2), ping (id 3)
  say(peer, std::string("\x0c\x08\x02\x2a\x08\x0a\x06"
                        "chat:a\x04\x08\x03\x5a\x00",
                        18));
  EXPECT_TRUE(peer.paused);
  EXPECT_THAT(peer.take(), IsEmpty());
  answer();
  EXPECT_FALSE(peer.paused);
  EXPECT_FALSE(peer.over());
  EXPECT_THAT(peer.take(), Not(IsEmpty()));
}

TEST_F(ClientWaiting, NobodyIsHandledWhileTheBrokerHasNoRoom) {
  Peer& one = connected("anna");
  Peer& two = world.open();
  world.later->room = false;
  say(one, R"({"id":3,"publish":{"channel":"chat:a","data":1}})");
  say(two, R"({"id":1,"connect":{}})");
  EXPECT_TRUE(one.paused);
  EXPECT_TRUE(two.paused);
  EXPECT_EQ(world.later->waiting(), 0u);
  world.later->make_room();
  world.settle();
  EXPECT_FALSE(one.paused);
  EXPECT_FALSE(two.paused);
  EXPECT_EQ(world.later->waiting(), 1u);
  EXPECT_THAT(two.take(), ElementsAre(HasSubstr(R"({"id":1,"connect")")));
}

TEST_F(ClientWaiting, WhoEndsWhileThereIsNoRoomIsForgotten) {
  Peer& peer = connected();
  world.later->room = false;
  say(peer, R"({"id":3,"publish":{"channel":"chat:a","data":1}})");
  world.end(peer);
  world.later->make_room();
  answer_all();
  EXPECT_EQ(world.clients->count(), 0u);
  EXPECT_EQ(world.publish("chat:a", "2").position.offset, 1u) << "it was never published";
}

// --- Those that end.

TEST_F(ClientWaiting, AJoinAnsweredAfterTheEndLeavesNothingBehind) {
  Peer& witness = world.connect("bert");
  world.subscribe(witness, "chat:a");
  Peer& peer = connected();
  witness.take();
  say(peer, kSubscribe);
  world.end(peer);
  answer_all();
  EXPECT_THAT(witness.take(), IsEmpty()) << "neither join nor leave";
  EXPECT_EQ(channel("chat:a")->subscribers.size(), 1u);
  say(witness, R"({"id":9,"presence_stats":{"channel":"chat:a"}})");
  EXPECT_THAT(witness.take(), ElementsAre(HasSubstr(R"("num_clients":1)")));
}

TEST_F(ClientWaiting, AnswersToThoseThatEndedAreHeardByNobody) {
  Peer& peer = subscribed();
  say(peer, kQuestions);
  world.end(peer);
  answer_all();
  EXPECT_THAT(peer.take(), IsEmpty());
  EXPECT_EQ(world.publish("chat:a", "2").position.offset, 2u) << "the publication counts";
}

TEST_F(ClientWaiting, AServerThatGoesLeavesTheRestUnanswered) {
  Peer& peer = subscribed();
  say(peer, kQuestions);
  say(peer, R"({"id":7,"subscribe":{"channel":"chat:b"}})");
  world.end(peer);
  EXPECT_GE(world.later->waiting(), 4u);  // when the world goes
}

// --- What others do meanwhile.

TEST_F(ClientWaiting, UnsubscribedByTheServerWhileJoining) {
  Peer& peer = connected();
  say(peer, kSubscribe);
  EXPECT_EQ(world.clients->unsubscribe({"anna"}, "chat:a"), 1u);
  answer_all();
  const std::vector<std::string> heard = peer.take();
  ASSERT_THAT(heard, SizeIs(testing::Ge(2u)));
  EXPECT_THAT(heard.front(), HasSubstr(R"({"id":2,"subscribe":{"recoverable":true)"));
  EXPECT_THAT(heard.back(), HasSubstr(R"("channel":"chat:a","unsubscribe":{"code":2000)"));
  EXPECT_FALSE(peer.client->subscribed("chat:a"));
  EXPECT_EQ(channel("chat:a"), nullptr);
}

TEST_F(ClientWaiting, WhatIsBeingJoinedCountsAsSubscribed) {
  Peer& peer = connected();
  say(peer, kSubscribe);
  EXPECT_EQ(world.subscribe_user("anna", "chat:a"), 1u);
  EXPECT_EQ(world.later->waiting(), 1u) << "asked once";
  answer();
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"({"id":2,"subscribe":{)")));
}

TEST_F(ClientWaiting, TheServerIsToldWhatBecameOfItsJoins) {
  Peer& one = world.connect("anna");
  Peer& two = world.connect("anna");
  hold();
  Client::ServerSubscription wish;
  wish.channel = "chat:a";
  std::vector<std::uint32_t> counts;
  handlers::client::Error error;
  world.clients->subscribe({"anna"}, wish, [&](std::uint32_t count, const auto& failed) {
    counts.push_back(count);
    error = failed;
  });
  EXPECT_THAT(counts, IsEmpty());
  fail();
  EXPECT_THAT(counts, IsEmpty());
  answer();
  EXPECT_THAT(counts, ElementsAre(1u));
  EXPECT_EQ(error.code, 100u);
  EXPECT_NE(one.client->subscribed("chat:a"), two.client->subscribed("chat:a"));
}

TEST_F(ClientWaiting, TheServerIsAnsweredWhenThoseItWaitsForHaveEnded) {
  Peer& peer = connected();
  Client::ServerSubscription wish;
  wish.channel = "chat:a";
  std::vector<std::uint32_t> counts;
  world.clients->subscribe({"anna"}, wish,
                           [&](std::uint32_t count, const auto&) { counts.push_back(count); });
  world.end(peer);
  answer_all();
  EXPECT_THAT(counts, ElementsAre(0u));
  EXPECT_EQ(channel("chat:a"), nullptr);
}

TEST_F(ClientWaiting, APublicationBetweenAskingAndTheAnswerIsSeenOnce) {
  Peer& peer = connected();
  say(peer, kSubscribe);
  publish_elsewhere("chat:a", "1");
  answer();
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"("offset":1)")));
  publish_elsewhere("chat:a", "2");
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"("pub":{"data":2)")));
}

// A worker that has missed events reads them in the history.
TEST_F(ClientWaiting, WhoWasLeftOutIsLeftOutOfWhatWasMissedToo) {
  Peer& anna = subscribed();
  const hub::ClientId::Text id = anna.client->id().text();
  world.hub.catch_up();
  publish_elsewhere("chat:a", "1", {hub::view(id)});
  publish_elsewhere("chat:a", "2");
  EXPECT_THAT(anna.take(), IsEmpty());
  answer_all();
  EXPECT_THAT(anna.take(), ElementsAre(HasSubstr(R"("pub":{"data":2,"offset":2})")));
}

// --- Connects with subscriptions.

TEST_F(ClientWaiting, AConnectIsAnsweredWhenAllItsChannelsAreJoined) {
  for (const char* name : {"chat:a", "chat:b"})
    for (const char* data : {"1", "2", "3"}) world.publish(name, data);
  Peer& peer = connecting(
      R"("chat:a":{},"chat:b":{},"c":{})",
      R"(,"subs":{"chat:a":{"recover":true,"offset":1},"chat:b":{"recover":true,"offset":2}})");
  say(peer, R"({"id":2,"ping":{}})");
  EXPECT_TRUE(peer.paused);
  answer();  // chat:a
  EXPECT_THAT(peer.take(), IsEmpty());
  // For a channel that is joined, for one that is being joined, and for one that keeps no history.
  for (const char* name : {"chat:a", "chat:b", "c"}) publish_elsewhere(name, "4");
  EXPECT_THAT(peer.take(), IsEmpty()) << "nothing comes before the reply to connect";
  world.later->answer();  // chat:a's presence, or chat:b: whichever was asked first
  while (peer.heard.empty() && world.later->waiting() > 0) answer();
  world.settle();
  std::vector<std::string> heard = peer.take();
  std::erase_if(heard, [](const std::string& each) { return each.find("join") != each.npos; });
  ASSERT_THAT(heard, SizeIs(4));
  EXPECT_THAT(heard[0], HasSubstr(R"({"id":1,"connect":{)"));
  EXPECT_THAT(heard[0], HasSubstr(R"([{"data":2,"offset":2},{"data":3,"offset":3}])"));
  EXPECT_THAT(heard[0], HasSubstr(R"([{"data":3,"offset":3},{"data":4,"offset":4}])"));
  EXPECT_THAT(heard[0], HasSubstr(R"("c":{)"));
  EXPECT_THAT(std::vector(heard.begin() + 1, heard.end() - 1),
              testing::UnorderedElementsAre(HasSubstr(R"("channel":"chat:a","pub":{"data":4)"),
                                            HasSubstr(R"("channel":"c","pub":{"data":4)")));
  EXPECT_EQ(heard.back(), R"({"id":2,"ping":{}})");
  EXPECT_FALSE(peer.paused);
}

TEST_F(ClientWaiting, OneChannelThatCannotBeJoinedRefusesTheConnect) {
  Peer& peer = connecting(R"("chat:a":{},"chat:b":{},"chat:c":{})");
  answer();
  fail();
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"({"id":1,"error":{"code":100)")));
  answer_all();
  EXPECT_THAT(peer.take(), IsEmpty());
  for (const char* name : {"chat:a", "chat:b", "chat:c"}) EXPECT_EQ(channel(name), nullptr);
  EXPECT_EQ(world.clients->count(), 0u);
}

TEST_F(ClientWaiting, WhoIsDisconnectedWhileConnectingIsGone) {
  Peer& peer = connecting(R"("chat:a":{},"chat:b":{})");
  answer();
  EXPECT_EQ(world.clients->disconnect({"anna"}, handlers::client::kDisconnectForced), 1u);
  EXPECT_EQ(peer.disconnected.code, 3503);
  answer_all();
  EXPECT_THAT(peer.take(), IsEmpty());
  for (const char* name : {"chat:a", "chat:b"}) EXPECT_EQ(channel(name), nullptr);
}

TEST_F(ClientWaiting, AChannelThatIsUnsubscribedWhileConnectingIsSubscribedByNobody) {
  Peer& peer = connecting(R"("chat:a":{},"chat:b":{})");
  answer();
  EXPECT_EQ(world.clients->unsubscribe({"anna"}, "chat:a"), 1u) << "joined, not told";
  EXPECT_EQ(world.clients->unsubscribe({"anna"}, "chat:b"), 1u) << "being joined";
  answer_all();
  EXPECT_THAT(peer.take().front(), HasSubstr(R"({"id":1,"connect":{)"));
  for (const char* name : {"chat:a", "chat:b"}) EXPECT_FALSE(peer.client->subscribed(name)) << name;
  EXPECT_EQ(channel("chat:b"), nullptr);
}

TEST_F(ClientWaiting, WhatComesDuringAConnectIsBounded) {
  Peer& peer = connecting(R"("chat:a":{},"chat:b":{})");
  answer();  // chat:a; chat:b stays out
  const std::string data = '"' + std::string(world.options.recovery_max_bytes / 4, 'x') + '"';
  for (int i = 0; i < 3; ++i) publish_elsewhere("chat:a", data);
  EXPECT_FALSE(peer.over());
  publish_elsewhere("chat:a", data);
  EXPECT_EQ(peer.disconnected.code, 3008);
  EXPECT_THAT(peer.take(), IsEmpty());
  answer_all();
  for (const char* name : {"chat:a", "chat:b"}) EXPECT_EQ(channel(name), nullptr);
}

TEST_F(ClientWaiting, WhoIsNeverAnsweredIsStale) {
  Peer& peer = connecting(R"("chat:a":{})");
  world.advance_ms(world.options.stale_close_ms + 100);
  EXPECT_EQ(peer.disconnected.code, 3502);
}

// --- Time.

TEST_F(ClientWaiting, APongIsNotMissedWhileTheClientIsNotRead) {
  Peer& peer = connected();
  // The first ping comes after a random part of the interval.
  for (int i = 0; i < 1000 && peer.heard.empty(); ++i) world.advance_ms(100);
  EXPECT_THAT(peer.take(), ElementsAre("{}"));
  say(peer, std::string(kSubscribe) + "\n" + R"({"id":3,"ping":{}})");
  ASSERT_TRUE(peer.paused);
  world.advance_ms(world.options.pong_timeout_ms + 100);
  EXPECT_FALSE(peer.over());
  answer();
  EXPECT_FALSE(peer.paused);
  peer.take();
  world.advance_ms(world.options.ping_interval_ms);
  EXPECT_THAT(peer.take(), testing::Contains("{}")) << "pings go on";
}

}  // namespace
}  // namespace spate::test
