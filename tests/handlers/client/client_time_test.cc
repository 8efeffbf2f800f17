// What ends or must be renewed: connects, pings, tokens and their refreshes.
#include "tests/handlers/client/client_fixture.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

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

}  // namespace
}  // namespace spate::test
