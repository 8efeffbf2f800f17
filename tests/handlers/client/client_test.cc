// What a client is told, command by command. Encodings, tokens, recovery, time, and what the server
// does by itself have tests of their own.
#include "tests/handlers/client/client_fixture.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ClientTest, ConnectComesFirstAndIsAnsweredFirst) {
  Peer& peer = world.open();
  world.say(peer,
            "{\"connect\":{\"name\":\"js\"},\"id\":1}\n"
            "{\"subscribe\":{\"channel\":\"a\",\"flag\":1},\"id\":2}\n"
            "{\"subscribe\":{\"channel\":\"b\"},\"id\":3}");
  ASSERT_EQ(peer.heard.size(), 3u);
  EXPECT_THAT(peer.heard[0], HasSubstr(R"({"id":1,"connect":{"client":")"));
  EXPECT_THAT(peer.heard[0], HasSubstr(R"("version":"spate test","ping":25,"pong":true}})"));
  EXPECT_EQ(peer.heard[1], R"({"id":2,"subscribe":{}})");
  EXPECT_EQ(peer.heard[2], R"({"id":3,"subscribe":{}})");
}

struct Violation {
  const char* name;
  const char* frame;
  bool connected;
};
void PrintTo(const Violation& row, std::ostream* out) {
  *out << row.name;
}
class Violations : public testing::TestWithParam<Violation> {};
TEST_P(Violations, EndWith3501) {
  HubWorld world(kChannels, anonymous());
  Peer& peer = GetParam().connected ? world.connect() : world.open();
  world.say(peer, GetParam().frame);
  EXPECT_EQ(peer.disconnected.code, 3501);
  EXPECT_EQ(world.refused(hub::Refused::bad_request), 1u);
}
INSTANTIATE_TEST_SUITE_P(
    Client, Violations,
    testing::Values(
        Violation{"nothing", "", false}, Violation{"junk", "hello", false},
        Violation{"subscribe first", R"({"id":1,"subscribe":{"channel":"a"}})", false},
        Violation{"a pong first", "{}", false},
        Violation{"connect without id", R"({"connect":{}})", false},
        Violation{"connect twice", R"({"id":2,"connect":{}})", true},
        Violation{"no request", R"({"id":2})", true},
        Violation{"no channel", R"({"id":2,"subscribe":{}})", true},
        Violation{"publish without channel", R"({"id":2,"publish":{"data":1}})", true},
        Violation{"unsubscribe without channel", R"({"id":2,"unsubscribe":{}})", true},
        Violation{"unknown delta", R"({"id":2,"subscribe":{"channel":"a","delta":"x"}})", true},
        Violation{"refresh of what does not expire", R"({"id":2,"refresh":{"token":"t"}})", true},
        Violation{"protocol of the first generation", R"({"id":2,"params":{}})", true}));

TEST(Client, WithoutCredentialsIs3501WithAReasonThatSaysSo) {
  HubWorld world(kChannels);
  Peer& peer = world.connect();
  EXPECT_EQ(peer.disconnected.code, 3501);
  EXPECT_EQ(peer.disconnected.reason, "bad request: no credentials");
}

TEST(Client, ABadTokenIs3500) {
  HubWorld world(kChannels);
  Peer& peer = world.connect({}, R"({"token":"a.b.c"})");
  EXPECT_EQ(peer.disconnected.code, 3500);
  EXPECT_EQ(world.refused(hub::Refused::invalid_token), 1u);
}

struct Refusal {
  const char* name;
  const char* command;
  unsigned code;
};
void PrintTo(const Refusal& row, std::ostream* out) {
  *out << row.name;
}
class Refusals : public testing::TestWithParam<Refusal> {};
TEST_P(Refusals, AreErrors) {
  HubWorld world(kChannels, anonymous());
  Peer& peer = world.connect("anna");
  world.subscribe(peer, "a");
  peer.take();
  world.say(peer, GetParam().command);
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr("{\"id\":9,\"error\":{\"code\":" +
                                                 std::to_string(GetParam().code))));
  EXPECT_FALSE(peer.over());
}
INSTANTIATE_TEST_SUITE_P(
    Client, Refusals,
    testing::Values(
        Refusal{"twice", R"({"id":9,"subscribe":{"channel":"a"}})", 105},
        Refusal{"unknown namespace", R"({"id":9,"subscribe":{"channel":"nope:a"}})", 102},
        Refusal{"closed namespace", R"({"id":9,"subscribe":{"channel":"closed:a"}})", 103},
        Refusal{"private", R"({"id":9,"subscribe":{"channel":"$a"}})", 103},
        Refusal{"not ASCII", "{\"id\":9,\"subscribe\":{\"channel\":\"\xc3\xa4\"}}", 107},
        Refusal{"map", R"({"id":9,"subscribe":{"channel":"b","type":1}})", 103},
        Refusal{"shared poll", R"({"id":9,"subscribe":{"channel":"b","type":4}})", 108},
        Refusal{"filter", R"({"id":9,"subscribe":{"channel":"b","tf":{"key":"k"}}})", 107},
        Refusal{"publish elsewhere", R"({"id":9,"publish":{"channel":"b","data":1}})", 103},
        Refusal{"publish nothing", R"({"id":9,"publish":{"channel":"a"}})", 107},
        Refusal{"no history", R"({"id":9,"history":{"channel":"a"}})", 108},
        Refusal{"no presence", R"({"id":9,"presence":{"channel":"a"}})", 108},
        Refusal{"not subscribed", R"({"id":9,"history":{"channel":"chat:a"}})", 103},
        Refusal{"no methods", R"({"id":9,"rpc":{"method":"m"}})", 108},
        Refusal{"sub_refresh", R"({"id":9,"sub_refresh":{"channel":"b","token":"t"}})", 103}));

TEST_F(ClientTest, ChannelLimitIs106) {
  world.options.channel_limit = 1;
  HubWorld small(kChannels, world.options);
  Peer& peer = small.connect();
  small.subscribe(peer, "a");
  peer.take();
  small.subscribe(peer, "b");
  EXPECT_THAT(peer.last(), HasSubstr("\"code\":106"));
}

TEST_F(ClientTest, AnOwnPublicationComesBackWithWhoSaidIt) {
  Peer& peer = world.connect();
  world.subscribe(peer, "a");
  peer.take();
  world.say(peer, R"({"id":3,"publish":{"channel":"a","data":{"t": "hi"}}})");
  EXPECT_THAT(peer.take(),
              ElementsAre(R"({"id":3,"publish":{}})",
                          testing::AllOf(HasSubstr(R"("channel":"a","pub":{"data":{"t": "hi"})"),
                                         HasSubstr(R"("info":{"user":"","client":")"))));
}

// 100 is temporary: an SDK's user would try for ever.
TEST_F(ClientTest, APublicationThatNoHistoryCanKeepIs107) {
  Peer& anna = world.connect("anna");
  anna.take();
  const std::string data(core::LogMemory::kSegmentBytes, '1');
  world.say(anna, R"({"id":3,"publish":{"channel":"chat:a","data":")" + data + R"("}})");
  EXPECT_THAT(anna.last(), HasSubstr("\"code\":107"));
  world.say(anna, R"({"id":4,"publish":{"channel":"chat:a","data":1}})");
  EXPECT_EQ(anna.last(), R"({"id":4,"publish":{}})");
}

TEST_F(ClientTest, APublisherCanBeLeftOut) {
  Peer& anna = world.subscribe(world.connect("anna"), "quiet:a");
  Peer& bert = world.subscribe(world.connect("bert"), "quiet:a");
  anna.take();
  bert.take();
  world.say(anna, R"({"id":3,"publish":{"channel":"quiet:a","data":1}})");
  EXPECT_THAT(anna.take(), ElementsAre(R"({"id":3,"publish":{}})"));
  EXPECT_THAT(bert.take(), ElementsAre(HasSubstr(R"("data":1)")));
}

TEST_F(ClientTest, WhoIsLeftOutIsLeftOutOfItsRecoveryAndReadsTheHistory) {
  Peer& anna = world.subscribe(world.connect("anna"), "chat:a");
  const hub::ClientId::Text id = anna.client->id().text();
  world.publish("chat:a", "1", {}, {hub::view(id)});
  world.publish("chat:a", "2");
  world.say(anna, R"({"id":3,"unsubscribe":{"channel":"chat:a"}})");
  anna.take();
  world.subscribe(anna, "chat:a", R"(,"recover":true)");
  EXPECT_THAT(anna.last(), HasSubstr(R"("publications":[{"data":2,"offset":2}])"));
  world.say(anna, R"({"id":4,"history":{"channel":"chat:a","limit":-1}})");
  EXPECT_THAT(anna.last(), HasSubstr(R"([{"data":1,"offset":1},{"data":2,"offset":2}])"));
  Peer& bert = world.subscribe(world.connect("bert"), "chat:a", R"(,"recover":true)");
  EXPECT_THAT(bert.last(), HasSubstr(R"([{"data":1,"offset":1},{"data":2,"offset":2}])"));
}

TEST_F(ClientTest, WhatATurnBringsIsOneWrite) {
  Peer& peer = world.subscribe(world.connect("anna"), "a");
  world.subscribe(peer, "b");
  peer.take();
  peer.writes = 0;
  for (int i = 0; i < 8; ++i) world.publish(i % 2 == 0 ? "a" : "b", std::to_string(i));
  world.settle();
  EXPECT_EQ(peer.writes, 1u);
  EXPECT_EQ(peer.take().size(), 8u);
}

TEST_F(ClientTest, WhoUnsubscribesHearsNothingMore) {
  Peer& peer = world.subscribe(world.connect("anna"), "a");
  peer.take();
  world.publish("a", "1");  // on its way
  peer.client->on_frame(as_bytes(R"({"id":3,"unsubscribe":{"channel":"a"}})"));
  world.settle();
  EXPECT_THAT(peer.take(), ElementsAre(R"({"id":3,"unsubscribe":{}})"));
  EXPECT_EQ(world.hub.channel_count(), 0u);
}

TEST_F(ClientTest, WhoJoinsMidwayStartsAtTheTail) {
  Peer& anna = world.subscribe(world.connect("anna"), "a");
  anna.take();
  world.publish("a", "1");  // not flushed yet
  Peer& bert = world.open(hub::Framing::websocket_json, "bert");
  bert.client->on_frame(
      as_bytes("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}"));
  bert.take();
  world.settle();
  world.publish("a", "2");
  world.settle();
  EXPECT_EQ(anna.take().size(), 2u);
  EXPECT_THAT(bert.take(), ElementsAre(HasSubstr("\"data\":2")));
}

// --- Presence.

TEST_F(ClientTest, PresenceJoinAndLeave) {
  Peer& anna = world.subscribe(world.connect("anna"), "chat:a", R"(,"join_leave":true)");
  EXPECT_THAT(anna.take().back(), HasSubstr(R"("join":{"info":{"user":"anna")"));
  Peer& bert = world.subscribe(world.connect("bert"), "chat:a");
  EXPECT_THAT(anna.take(), ElementsAre(HasSubstr(R"("join":{"info":{"user":"bert")")));
  world.say(anna, R"({"id":4,"presence_stats":{"channel":"chat:a"}})");
  EXPECT_EQ(anna.take()[0], R"({"id":4,"presence_stats":{"num_clients":2,"num_users":2}})");
  world.end(bert);
  EXPECT_THAT(anna.take(), ElementsAre(HasSubstr(R"("leave":{"info":{"user":"bert")")));
  world.say(anna, R"({"id":5,"presence":{"channel":"chat:a"}})");
  EXPECT_THAT(anna.take()[0], Not(HasSubstr("bert")));
}

// --- Slow readers.

TEST_F(ClientTest, AConflatingChannelGivesASlowReaderTheNewest) {
  Peer& peer = world.subscribe(world.connect("anna"), "ticker:a");
  peer.take();
  peer.backlog = true;
  for (int i = 1; i <= 5; ++i) {
    world.publish("ticker:a", std::to_string(i));
    world.settle();
  }
  EXPECT_THAT(peer.take(), IsEmpty());
  peer.backlog = false;
  peer.client->on_drained();
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr("\"data\":5")));
  peer.client->on_drained();
  EXPECT_THAT(peer.take(), IsEmpty());
}

TEST_F(ClientTest, AConflatingChannelHasNoPositionToLose) {
  Peer& peer = world.connect("anna");
  peer.take();
  world.subscribe(peer, "ticker:a", R"(,"recoverable":true,"positioned":true)");
  EXPECT_EQ(peer.take()[0], R"({"id":2,"subscribe":{}})");
}

TEST_F(ClientTest, WhatWasWithheldFromASlowReaderIsStillNotForTheExcluded) {
  Peer& anna = world.subscribe(world.connect("anna"), "ticker:a");
  Peer& bert = world.subscribe(world.connect("bert"), "ticker:a");
  for (Peer* peer : {&anna, &bert}) {
    peer->take();
    peer->backlog = true;
  }
  world.publish("ticker:a", "1");
  world.settle();
  world.publish("ticker:a", "2", {"anna"});
  world.settle();
  for (Peer* peer : {&anna, &bert}) {
    peer->backlog = false;
    peer->client->on_drained();
  }
  EXPECT_THAT(anna.take(), IsEmpty());
  EXPECT_THAT(bert.take(), ElementsAre(HasSubstr("\"data\":2")));
}

TEST_F(ClientTest, RepliesThatAreNotOfTheStreamOvertakeIt) {
  Peer& peer = world.subscribe(world.connect("anna"), "a");
  peer.backlog = true;
  world.say(peer,
            "{\"id\":3,\"publish\":{\"channel\":\"a\",\"data\":1}}\n"
            "{\"id\":4,\"subscribe\":{\"channel\":\"b\"}}");
  EXPECT_THAT(peer.urgent, ElementsAre(R"({"id":3,"publish":{}})"));
}

// --- Encodings meet.

TEST_F(ClientTest, BytesThatAreNotJsonEndAJsonClientWith3506) {
  Peer& json = world.subscribe(world.connect("anna"), "a");
  json.take();
  world.publish("a", "\x01\x02");
  world.settle();
  EXPECT_EQ(json.disconnected.code, 3506);
}

TEST_F(ClientTest, PrettyPrintedPayloadsReachJsonClientsOnOneLine) {
  Peer& json = world.subscribe(world.connect("anna"), "a");
  json.take();
  world.publish("a", "{\n  \"t\": 1\n}");
  world.settle();
  EXPECT_EQ(json.take(),
            std::vector<std::string>{R"({"push":{"channel":"a","pub":{"data":{  "t": 1}}}})"});
}

// --- The server's own methods.

TEST_F(ClientTest, RpcAndSend) {
  std::string sent;
  world.rpc.methods["double"] = [](const handlers::client::RpcCall& call) {
    return handlers::client::RpcReply{.data = "[" + std::string(call.data) + "," +
                                              std::string(call.data) + "]"};
  };
  Peer& peer = world.connect("anna");
  peer.take();
  world.say(peer, R"({"id":2,"rpc":{"method":"double","data":7}})");
  EXPECT_EQ(peer.take()[0], R"({"id":2,"rpc":{"data":[7,7]}})");
  world.say(peer, R"({"id":3,"rpc":{"method":"halve"}})");
  EXPECT_THAT(peer.take()[0], HasSubstr("\"code\":104"));
  world.rpc.on_send = [&](const handlers::client::RpcCall& call) { sent = call.data; };
  world.say(peer, R"({"send":{"data":{"a":1}}})");
  EXPECT_EQ(sent, R"({"a":1})");
  world.rpc.on_send = nullptr;
  world.say(peer, R"({"send":{"data":1}})");
  EXPECT_EQ(peer.disconnected.code, 3508);
}

TEST_F(ClientTest, AMethodThatThrowsLeavesNothingForTheNextClient) {
  world.rpc.methods["throw"] = [](const handlers::client::RpcCall&) -> handlers::client::RpcReply {
    throw std::runtime_error("no");
  };
  Peer& anna = world.connect("anna");
  Peer& bert = world.connect("bert");
  anna.take();
  bert.take();
  EXPECT_THROW(world.say(anna, R"({"id":2,"ping":{}})"
                               "\n"
                               R"({"id":3,"rpc":{"method":"throw"}})"),
               std::runtime_error);
  EXPECT_THAT(anna.take(), ElementsAre(R"({"id":2,"ping":{}})"));
  world.say(bert, R"({"id":4,"ping":{}})");
  EXPECT_THAT(bert.take(), ElementsAre(R"({"id":4,"ping":{}})"));
}

TEST_F(ClientTest, WhatAMethodPushesStandsBehindEarlierAnswers) {
  world.rpc.methods["tell"] = [this](const handlers::client::RpcCall&) {
    (void)message_all("1");
    return handlers::client::RpcReply{.data = "2"};
  };
  Peer& peer = world.connect("anna");
  peer.take();
  world.say(peer, R"({"id":2,"subscribe":{"channel":"a"}})"
                  "\n"
                  R"({"id":3,"rpc":{"method":"tell"}})");
  EXPECT_THAT(peer.take(),
              ElementsAre(R"({"id":2,"subscribe":{}})", R"({"push":{"message":{"data":1}}})",
                          R"({"id":3,"rpc":{"data":2}})"));
}

// --- Fan-out in slices.

TEST_F(ClientTest, SlicesReachEverybodyOnceWhoeverLeavesMeanwhile) {
  hub::Hub::Options sliced;
  sliced.fanout_slice = 3;
  HubWorld many(kChannels, anonymous(), sliced);
  std::vector<Peer*> peers;
  for (int i = 0; i < 10; ++i) peers.push_back(&many.subscribe(many.connect("u"), "a"));
  for (Peer* peer : peers) peer->take();
  many.publish("a", "1");
  many.hub.flush();  // three of them have it
  many.publish("a", "2");
  many.end(*peers[0]);  // had it
  many.hub.flush();
  many.end(*peers[9]);
  many.settle();
  for (int i = 1; i < 9; ++i)
    EXPECT_THAT(peers[static_cast<std::size_t>(i)]->take(),
                ElementsAre(HasSubstr("\"data\":1"), HasSubstr("\"data\":2")))
        << i;
}

}  // namespace
}  // namespace spate::test
