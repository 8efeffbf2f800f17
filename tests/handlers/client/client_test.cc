// What a client is told, command by command. Encodings and tokens have tests of their own.
#include <gmock/gmock.h>

#include "core/sys.h"
#include "tests/handlers/client/hub_world.h"
#include "tests/handlers/client/signing.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kChannels = R"({
  "without_namespace": {"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
                        "allow_publish_for_subscriber": true,
                        "allow_publish_for_anonymous": true},
  "namespaces": [
    {"name": "chat", "history_size": 5, "history_ttl": "60s", "force_recovery": true,
     "presence": true, "join_leave": true, "allow_subscribe_for_client": true,
     "allow_publish_for_client": true, "allow_history_for_subscriber": true,
     "allow_presence_for_subscriber": true},
    {"name": "last", "history_size": 1, "history_ttl": "60s", "force_recovery": true,
     "force_recovery_mode": "cache", "auto_cache_recover": true,
     "allow_subscribe_for_client": true},
    {"name": "ticker", "slow_policy": "conflate", "allow_subscribe_for_client": true,
     "history_size": 5, "history_ttl": "60s", "allow_history_for_client": true},
    {"name": "quiet", "allow_subscribe_for_client": true, "allow_publish_for_client": true,
     "exclude_publisher": true},
    {"name": "closed"}
  ]})";

ClientOptions anonymous() {
  ClientOptions options;
  options.anonymous = true;
  options.version = "spate test";
  return options;
}

std::string token(const std::string& claims) {
  return HmacSigner(HubWorld::kSecret, EVP_sha256()).token(R"({"alg":"HS256"})", claims);
}
std::string with_token(const std::string& claims) {
  return R"({"token":")" + token(claims) + "\"}";
}
std::string in_seconds(std::int64_t seconds) {
  return std::to_string(core::sys::wall_seconds() + seconds);
}

class ClientTest : public testing::Test {
 protected:
  // How many were told.
  std::optional<std::uint32_t> message_all(std::string_view data,
                                           const std::vector<std::string_view>& except_clients = {},
                                           const std::vector<std::string_view>& except_users = {}) {
    std::optional<std::uint32_t> told;
    world.clients->message_all(data, except_clients, except_users,
                               [&](std::uint32_t count) { told = count; });
    return told;
  }

  HubWorld world{kChannels, anonymous()};
};

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

// --- Recovery.

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

// --- Time.

TEST_F(ClientTest, WhoDoesNotConnectIsStale) {
  Peer& peer = world.open();
  world.advance_ms(9'900);
  EXPECT_FALSE(peer.over());
  world.advance_ms(200);
  EXPECT_EQ(peer.disconnected.code, 3502);
}

TEST_F(ClientTest, PingsAndPongs) {
  Peer& peer = world.connect();
  peer.take();
  const core::Tick connected = world.reactor.now();
  while (peer.heard.empty() && !peer.over()) world.advance_ms(8);
  const core::Tick first = world.reactor.now() - connected;
  EXPECT_GE(first, core::ticks_of_ms(12'500));
  EXPECT_LE(first, core::ticks_of_ms(25'008));
  EXPECT_THAT(peer.take(), ElementsAre("{}"));
  for (int i = 0; i < 4; ++i) {
    world.say(peer, "{}");
    world.say(peer, "{}");  // nobody asked for this one
    world.advance_ms(25'000);
    EXPECT_THAT(peer.take(), ElementsAre("{}")) << i;
  }
  world.advance_ms(8'100);
  EXPECT_EQ(peer.disconnected.code, 3012);
}

TEST_F(ClientTest, FramePingsInsteadOfCommands) {
  Peer& peer = world.open(hub::Framing::websocket_json, {}, true);
  world.say(peer, R"({"id":1,"connect":{}})");
  EXPECT_THAT(peer.take()[0], Not(HasSubstr("\"ping\"")));
  while (peer.frame_pings == 0 && !peer.over()) world.advance_ms(8);
  peer.last_heard = world.reactor.now();
  world.advance_ms(25'000);
  EXPECT_EQ(peer.frame_pings, 2u);
  world.advance_ms(8'100);
  EXPECT_EQ(peer.disconnected.code, 3012);
}

TEST_F(ClientTest, ATokenForYearsIsNoneThatHasExpired) {
  Peer& peer =
      world.connect({}, with_token(R"({"sub":"anna","exp":)" + in_seconds(300 * 86'400) + "}"));
  EXPECT_THAT(peer.take()[0], HasSubstr(R"("expires":true,"ttl":259)"));
  for (int i = 0; i < 30; ++i, world.say(peer, "{}")) world.advance_ms(1000);
  EXPECT_EQ(peer.disconnected.code, 0);
}

TEST_F(ClientTest, AConnectionForAYearOrThreeLastsThatLong) {
  ClientOptions quiet = anonymous();
  quiet.ping_interval_ms = 0;
  for (const int days : {179, 181, 365, 3 * 365}) {
    HubWorld years(kChannels, quiet);
    Peer& peer =
        years.connect({}, with_token(R"({"sub":"anna","exp":)" + in_seconds(days * 86'400) + "}"));
    for (int day = 1; day < days; ++day) years.leap(core::ticks_of_ms(86'400'000));
    EXPECT_EQ(peer.disconnected.code, 0) << days;
    years.leap(core::ticks_of_ms(86'400'000 + 30'000));
    EXPECT_EQ(peer.disconnected.code, 3005) << days;
  }
}

// What a subscription's token says ends with what ticks reach: its ttl is what holds.
TEST_F(ClientTest, ASubscriptionForAYearIsAskedForANewTokenInHalfOfOne) {
  Peer& peer = world.connect({}, with_token(R"({"sub":"anna"})"));
  world.subscribe(
      peer, "$a",
      R"(,"token":")" +
          token(R"({"sub":"anna","channel":"$a","exp":)" + in_seconds(365 * 86'400) + "}") + "\"");
  EXPECT_THAT(peer.last(), HasSubstr(R"("expires":true,"ttl":15552000)"));
}

TEST_F(ClientTest, WhoDoesNotRefreshIs3005) {
  Peer& peer = world.connect({}, with_token(R"({"sub":"anna","exp":)" + in_seconds(10) + "}"));
  peer.take();
  for (int i = 0; i < 34; ++i, world.say(peer, "{}")) world.advance_ms(1000);
  EXPECT_FALSE(peer.over());
  world.advance_ms(1'100);
  EXPECT_EQ(peer.disconnected.code, 3005);
}

TEST_F(ClientTest, ARefreshedInfoIsThePresencesToo) {
  const auto claims = [](const std::string& info) {
    return R"({"sub":"anna","exp":)" + in_seconds(60) + R"(,"info":")" + info + "\"}";
  };
  Peer& peer = world.connect({}, with_token(claims("old")));
  world.subscribe(peer, "chat:a");
  world.say(peer, R"({"id":3,"refresh":{"token":")" + token(claims("new")) + "\"}}");
  EXPECT_THAT(peer.take().back(), HasSubstr(R"({"id":3,"refresh":{"expires":true,"ttl":)"));
  world.say(peer, R"({"id":4,"presence":{"channel":"chat:a"}})");
  EXPECT_THAT(peer.take()[0], HasSubstr(R"("conn_info":"new")"));
}

TEST_F(ClientTest, ASubscriptionTokenOfAnotherConnectionIs3500) {
  const auto claims = [](const std::string& client) {
    return R"({"sub":"anna","channel":"$a","client":")" + client + R"(","exp":)" + in_seconds(60) +
           "}";
  };
  Peer& peer = world.connect("anna");
  const hub::ClientId::Text id = peer.client->id().text();
  const std::string own(hub::view(id));
  peer.take();
  world.subscribe(peer, "$a", R"(,"token":")" + token(claims(own)) + "\"");
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"("subscribe":{"expires":true,"ttl":)")));
  const auto refresh = [&](const std::string& with) {
    world.say(peer, R"({"id":3,"sub_refresh":{"channel":"$a","token":")" + with + "\"}}");
  };
  refresh(token(claims(own)));
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"("sub_refresh":{"expires":true,"ttl":)")));
  refresh(token(R"({"sub":"anna","channel":"$a","expire_at":1})"));
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr("\"code\":109")));
  refresh(token(claims("another")));
  EXPECT_EQ(peer.disconnected.code, 3500);
}

TEST_F(ClientTest, ASubscriptionThatIsNotRefreshedEndsWith2501) {
  Peer& peer = world.connect("anna");
  world.subscribe(peer, "$a",
                  R"(,"token":")" +
                      token(R"({"sub":"anna","channel":"$a","exp":)" + in_seconds(5) + "}") + "\"");
  for (int i = 0; i < 29; ++i, world.say(peer, "{}")) world.advance_ms(1000);
  EXPECT_EQ(peer.client->subscription_count(), 1u);
  peer.take();
  world.advance_ms(1'100);
  EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"("unsubscribe":{"code":2501)")));
}

TEST(Client, WhereEverythingIsAllowedTokensAreNotLookedAt) {
  ClientOptions options = anonymous();
  options.insecure = true;
  HubWorld open(kChannels, options);
  Peer& peer = open.connect({}, R"({"token":"a.b.c"})");
  peer.take();
  open.subscribe(peer, "$a", R"(,"token":"a.b.c")");
  EXPECT_THAT(peer.take(), ElementsAre(R"({"id":2,"subscribe":{}})"));
}

TEST_F(ClientTest, ATokenOfOtherChannelsEndsTheConnectionWith3010) {
  const auto claims = [](const std::string& channels) {
    return R"({"sub":"anna","exp":)" + in_seconds(60) + R"(,"channels":[)" + channels + "]}";
  };
  Peer& peer = world.connect({}, with_token(claims(R"("a","b")")));
  EXPECT_THAT(peer.take()[0], HasSubstr(R"("subs":{"a":{},"b":{}})"));
  world.say(peer, R"({"id":3,"refresh":{"token":")" + token(claims(R"("b","a")")) + "\"}}");
  EXPECT_FALSE(peer.over());
  world.say(peer, R"({"id":4,"refresh":{"token":")" + token(claims("")) + "\"}}");
  EXPECT_EQ(peer.disconnected.code, 3010);
}

// --- What the server does to clients.

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
