// What the server API does to connections of users.
#include <gmock/gmock.h>

#include "core/sys.h"
#include "tests/handlers/http/api_fixture.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBadRequest = R"({"error":{"code":107,"message":"bad request"}})";
constexpr const char* kNobody = R"({"result":{"connections":0}})";
constexpr const char* kOne = R"({"result":{"connections":1}})";
constexpr const char* kTwo = R"({"result":{"connections":2}})";

class ApiUsers : public ApiTest {
 protected:
  std::string for_client(const Peer& peer, const std::string& members) {
    return R"({"user":"anna","client":")" + id_of(peer) + "\"" + members + "}";
  }
};

TEST_F(ApiUsers, WithoutAUserThereIsAnError) {
  for (const char* method : {"subscribe", "unsubscribe", "disconnect", "refresh"}) {
    EXPECT_EQ(call(method, R"({"channel":"a"})"), kBadRequest) << method;
    EXPECT_EQ(call(method, R"({"user":"","channel":"a"})"), kBadRequest) << method;
    EXPECT_EQ(call(method, R"({"user":1,"channel":"a"})"), kBadRequest) << method;
    EXPECT_EQ(call(method, R"({"user":"nobody","channel":"a"})"), kNobody) << method;
  }
}

// A client's id counts only together with its user; a session is nobody's on this transport.
TEST_F(ApiUsers, OneConnectionOfAUserCanBeMeant) {
  Peer& one = connected("anna");
  Peer& other = connected("anna");
  Peer& ben = connected("ben");
  EXPECT_EQ(call("subscribe", for_client(one, R"(,"channel":"a")")), kOne);
  EXPECT_EQ(one.take().size(), 1u);
  EXPECT_THAT(other.take(), IsEmpty());
  EXPECT_EQ(call("subscribe", for_client(ben, R"(,"channel":"a")")), kNobody);
  EXPECT_EQ(call("disconnect", for_client(ben, "")), kNobody);
  EXPECT_EQ(call("disconnect", R"({"user":"anna","client":"no id"})"), kNobody);
  for (const char* method : {"subscribe", "unsubscribe", "disconnect", "refresh"})
    EXPECT_EQ(call(method, R"({"user":"anna","channel":"b","session":"s"})"), kNobody) << method;
  EXPECT_EQ(call("disconnect", for_client(other, "")), kOne);
  EXPECT_TRUE(other.over());
  EXPECT_FALSE(one.over());
  EXPECT_FALSE(ben.over());
}

TEST_F(ApiUsers, AreSubscribed) {
  Peer& one = connected("anna");
  Peer& other = connected("anna", "b");
  EXPECT_EQ(call("subscribe", R"({"user":"anna","channel":"b","data":{"x":1}})"), kTwo);
  EXPECT_THAT(one.take(), ElementsAre(R"({"push":{"channel":"b","subscribe":{"data":{"x":1}}}})"));
  EXPECT_THAT(other.take(), IsEmpty());  // was there already
  call("publish", R"({"channel":"b","data":2})");
  EXPECT_THAT(one.take(), ElementsAre(R"({"push":{"channel":"b","pub":{"data":2}}})"));
  EXPECT_EQ(other.take().size(), 1u);
}

TEST_F(ApiUsers, AreNotSubscribedToWhatIsNotThere) {
  connected("anna");
  EXPECT_EQ(call("subscribe", R"({"user":"anna"})"), kBadRequest);
  EXPECT_EQ(call("subscribe", R"({"user":"anna","channel":"nope:a"})"),
            error(102, "unknown channel"));
  EXPECT_EQ(call("subscribe", "{\"user\":\"anna\",\"channel\":\"\xc3\xa4\"}"), kBadRequest);
  EXPECT_EQ(call("subscribe", R"({"user":"anna","channel":"a","override":{"presence":1}})"),
            kBadRequest);
}

TEST_F(ApiUsers, AreSubscribedFromWhereTheyWere) {
  Peer& peer = connected("anna");
  const hub::StreamPosition first = world.publish("chat:a", "1").position;
  world.publish("chat:a", "2");
  EXPECT_EQ(call("subscribe", R"({"user":"anna","channel":"chat:a","recover_since":{"offset":1,)"
                              R"("epoch":")" +
                                  std::string(first.epoch.text()) + R"("}})"),
            kOne);
  EXPECT_THAT(
      named(peer.heard.at(0)),
      HasSubstr(R"({"push":{"channel":"chat:a","subscribe":{"recoverable":true,"epoch":"EPOCH",)"));
  EXPECT_EQ(peer.heard.at(1), R"({"push":{"channel":"chat:a","pub":{"data":2,"offset":2}}})");
}

TEST_F(ApiUsers, OptionsAreOverridden) {
  connected("anna");
  EXPECT_EQ(call("subscribe", R"({"user":"anna","channel":"chat:a","override":)"
                              R"({"presence":{"value":false},"join_leave":null,"x":1}})"),
            kOne);
  EXPECT_EQ(call("presence", R"({"channel":"chat:a"})"), R"({"result":{"presence":{}}})");
}

// JSON has no place for bytes.
TEST_F(ApiUsers, AreNotSentWhatJsonCannotSay) {
  Peer& peer = connected("anna");
  EXPECT_EQ(call("subscribe", R"({"user":"anna","channel":"a","b64data":"/w=="})"), kOne);
  EXPECT_THAT(peer.take(), ElementsAre(R"({"push":{"channel":"a","subscribe":{}}})"));
  EXPECT_EQ(call("broadcast_all", R"({"b64data":"/w=="})"), R"({"result":{"clients":0}})");
  EXPECT_THAT(peer.take(), IsEmpty());
}

TEST_F(ApiUsers, ASubscriptionsEndIsKept) {
  Peer& peer = connected("anna");
  const std::int64_t soon = core::sys::wall_seconds() + 1;
  call("subscribe", R"({"user":"anna","channel":"a","expire_at":)" + std::to_string(soon) + "}");
  world.advance_ms(20'000);
  EXPECT_FALSE(peer.over());
  world.advance_ms(10'000);
  EXPECT_EQ(peer.disconnected.code, 3006);
}

struct Expiry {
  const char* expire_at;
  bool over;  // when its time and the grace after it have passed
};

TEST_F(ApiUsers, AnyNumberIsATime) {
  const Expiry rows[] = {{"0", false},
                         {"1", true},
                         {"-1", true},
                         {"-9223372036854775808", true},
                         {"9223372036854775807", false},
                         {"32503680000", false}};
  for (const Expiry& row : rows) {
    Peer& peer = connected("anna");
    const std::string at = std::string(R"(,"expire_at":)") + row.expire_at;
    EXPECT_EQ(call("refresh", for_client(peer, at)), kOne);
    EXPECT_THAT(peer.take(), ElementsAre(HasSubstr(R"({"push":{"refresh":{)"))) << row.expire_at;
    world.advance_ms(30'000);
    EXPECT_EQ(peer.disconnected.code, row.over ? 3005 : 0) << row.expire_at;
    world.end(peer);
  }
  EXPECT_EQ(call("refresh", R"({"user":"anna","expire_at":9223372036854775808})"), kBadRequest);
}

TEST_F(ApiUsers, AreUnsubscribed) {
  Peer& one = connected("anna", "a");
  world.subscribe(one, "b");
  Peer& other = connected("anna", "b");
  one.take();
  EXPECT_EQ(call("unsubscribe", R"({"user":"anna","channel":"a"})"), kOne);
  EXPECT_THAT(one.take(), ElementsAre(R"({"push":{"channel":"a","unsubscribe":{"code":2000,)"
                                      R"("reason":"server unsubscribe"}}})"));
  world.subscribe(one, "a");
  one.take();
  EXPECT_EQ(call("unsubscribe", R"({"user":"anna"})"), kTwo);  // all
  EXPECT_EQ(one.take().size(), 2u);
  EXPECT_EQ(other.take().size(), 1u);
  EXPECT_EQ(call("unsubscribe", R"({"user":"anna","channel":"a"})"), kNobody);
}

struct Ending {
  const char* disconnect;  // null: left out
  int code;                // 0: error 107
  const char* reason;
};

TEST_F(ApiUsers, AreDisconnectedWithACodeOfTheCallersChoice) {
  const Ending rows[] = {
      {nullptr, 3503, "force disconnect"},
      {"null", 3503, "force disconnect"},
      {"{}", 3503, "force disconnect"},
      {R"({"code":null,"reason":null})", 3503, "force disconnect"},
      {R"({"code":4501,"reason":"banned"})", 4501, "banned"},
      {R"({"code":4001,"reason":"come back"})", 4001, "come back"},
      {R"({"code":3000})", 3000, "force disconnect"},
      {R"({"code":4999})", 4999, "force disconnect"},
      {R"({"reason":"so long"})", 3503, "so long"},
      {R"({"code":2999})", 0, ""},
      {R"({"code":5000})", 0, ""},
      {R"({"code":65536})", 0, ""},
      {R"({"code":-1})", 0, ""},
      {R"({"code":"4501"})", 0, ""},
      {R"({"code":4501.5})", 0, ""},
      {"[]", 0, ""},
      {R"({"reason":"42"})", 0, ""},  // clients would take it for something else
      {R"({"reason":"{\"reconnect\":true}"})", 0, ""},
      {R"({"reason":" null "})", 0, ""},
  };
  for (const Ending& row : rows) {
    Peer& peer = connected("anna");
    std::string body = R"({"user":"anna")";
    if (row.disconnect != nullptr) body += std::string(R"(,"disconnect":)") + row.disconnect;
    EXPECT_EQ(call("disconnect", body + "}"), row.code != 0 ? kOne : kBadRequest) << body;
    EXPECT_EQ(peer.disconnected.code, row.code) << body;
    EXPECT_EQ(peer.disconnected.reason, row.reason) << body;
    world.end(peer);
  }
}

TEST_F(ApiUsers, OnTheWhitelistStay) {
  Peer& one = connected("anna");
  Peer& other = connected("anna");
  EXPECT_EQ(call("disconnect", R"({"user":"anna","whitelist":["x",")" + id_of(other) + R"("]})"),
            kOne);
  EXPECT_TRUE(one.over());
  EXPECT_FALSE(other.over());
}

TEST_F(ApiUsers, AreExpired) {
  Peer& peer = connected("anna");
  EXPECT_EQ(call("refresh", R"({"user":"anna","expired":true})"), kOne);
  EXPECT_EQ(peer.disconnected.code, 3005);
}

TEST_F(ApiUsers, AreKnownByTheirComingAndGoing) {
  static const std::regex kSince(R"re("since":[1-9]\d{12})re");
  const auto ask_users = [&](const char* body) {
    return std::regex_replace(call("users", body), kSince, R"("since":MS)");
  };
  Peer& anna = connected("anna");
  connected("anna");
  Peer& ben = connected("ben");
  world.end(ben);
  EXPECT_EQ(std::regex_replace(call("users", R"({"users":["anna","nobody","anna"]})"), kSince,
                               R"("since":1)"),
            R"({"result":{"users":{"anna":{"online":true,"connections":2,"since":1},)"
            R"("nobody":{"online":false,"connections":0,"since":0}}}})");
  // Within the grace time.
  EXPECT_THAT(ask_users(R"({"users":["ben"]})"),
              HasSubstr(R"("ben":{"online":true,"connections":0,)"));
  world.end(anna);
  EXPECT_THAT(ask_users(R"({"users":["anna"]})"), HasSubstr(R"("connections":1,)"));
  EXPECT_EQ(call("users", R"({"users":[]})"), kBadRequest);
  EXPECT_EQ(call("users", "{}"), kBadRequest);
  EXPECT_EQ(call("users", R"({"users":[1]})"), kBadRequest);
}

}  // namespace
}  // namespace spate::test
