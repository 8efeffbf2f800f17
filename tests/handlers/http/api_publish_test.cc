// The server API's publish, broadcast, broadcast_all and batch.
#include <gmock/gmock.h>

#include "tests/handlers/http/api_fixture.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ApiPublish : public ApiTest {};

struct Row {
  const char* body;
  const char* answer;
};

constexpr const char* kDone = R"({"result":{}})";
constexpr const char* kBadRequest = R"({"error":{"code":107,"message":"bad request"}})";
constexpr const char* kUnknownChannel = R"({"error":{"code":102,"message":"unknown channel"}})";

TEST_F(ApiPublish, AnswersWithThePositionWhereThereIsHistory) {
  const Row rows[] = {
      {R"({"channel":"a","data":{"t":"hi"}})", kDone},
      {R"({"channel":"chat:a","data":1})", R"({"result":{"offset":1,"epoch":"EPOCH"}})"},
      {R"({"channel":"chat:a","data":null})", R"({"result":{"offset":2,"epoch":"EPOCH"}})"},
      {R"({"channel":"chat:a","data":1,"skip_history":true})", kDone},
      {R"({"channel":"chat:a","b64data":"aGk="})", R"({"result":{"offset":3,"epoch":"EPOCH"}})"},
      {R"({"channel":"nope:a","data":1})", kUnknownChannel},
      {R"({"channel":":a","data":1})", kUnknownChannel},
      {R"({"channel":"","data":1})", kBadRequest},
      {R"({"data":1})", kBadRequest},
      {R"({"channel":"a"})", kBadRequest},
      {R"({"channel":"a","b64data":""})", kBadRequest},
      {R"({"channel":"json:a","data":"x"})", kDone},
      {R"({"channel":"json:a","b64data":"aGk="})", kBadRequest},
      {R"({"channel":"json:a","b64data":"MQ=="})", kDone},
      {R"({"channel":"json:a","b64data":""})", kBadRequest},
      {R"({"channel":"object:a","data":[1]})", kBadRequest},
      {R"({"channel":"object:a","data":{}})", kDone},
      {R"({"channel":"bytes:a","b64data":"AAE="})", kDone},
      {R"({"channel":"bytes:a","b64data":""})", kDone},
  };
  for (const Row& row : rows) EXPECT_EQ(call("publish", row.body), row.answer) << row.body;
}

TEST_F(ApiPublish, NamesLongerThanAChannelsMayBeAre107) {
  const auto body = [](std::size_t bytes) {
    return R"({"channel":")" + std::string(bytes, 'c') + R"(","data":1})";
  };
  EXPECT_EQ(call("publish", body(255)), kDone);
  EXPECT_EQ(call("publish", body(256)), kBadRequest);
  EXPECT_EQ(call("publish", body(1 << 20)), kBadRequest);
}

TEST_F(ApiPublish, ReachesSubscribersWithTagsAndOnOneLine) {
  Peer& peer = connected("anna", "a");
  call("publish",
       "{\"channel\":\"a\",\"data\":{\"t\":\r\n \"hi\"},"
       "\"tags\":{\"b\":\"2\",\"a\":\"\\u00e4\\\"\",\"b\":\"3\"}}");
  EXPECT_THAT(peer.take(),
              ElementsAre("{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{\"t\": \"hi\"},"
                          "\"tags\":{\"a\":\"\xc3\xa4\\\"\",\"b\":\"3\"}}}}"));
}

TEST_F(ApiPublish, Base64WinsOverDataWhicheverComesFirst) {
  Peer& peer = connected("anna", "a");
  call("publish", R"({"channel":"a","data":1,"b64data":"Mg=="})");
  call("publish", R"({"channel":"a","b64data":"Mg==","data":1})");
  EXPECT_THAT(peer.take(), ElementsAre(R"({"push":{"channel":"a","pub":{"data":2}}})",
                                       R"({"push":{"channel":"a","pub":{"data":2}}})"));
}

TEST_F(ApiPublish, AKeyIsGoodOncePerChannel) {
  Peer& peer = connected("anna", "chat:a");
  const std::string first =
      call("publish", R"({"channel":"chat:a","data":1,"idempotency_key":"k"})");
  EXPECT_EQ(first, R"({"result":{"offset":1,"epoch":"EPOCH"}})");
  EXPECT_EQ(peer.take().size(), 1u);
  // The first one's result, though the channel has gone on since.
  call("publish", R"({"channel":"chat:a","data":2})");
  EXPECT_EQ(peer.take().size(), 1u);
  EXPECT_EQ(call("publish", R"({"channel":"chat:a","data":3,"idempotency_key":"k"})"), first);
  EXPECT_THAT(peer.take(), IsEmpty());
  EXPECT_EQ(call("publish", R"({"channel":"chat:b","data":1,"idempotency_key":"k"})"), first);
  EXPECT_EQ(call("publish", R"({"channel":"a","data":1,"idempotency_key":"k"})"), kDone);
}

TEST_F(ApiPublish, AKeyHoldsWithoutHistoryToo) {
  Peer& peer = connected("anna", "a");
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(call("publish", R"({"channel":"a","data":1,"idempotency_key":"k"})"), kDone);
  EXPECT_EQ(peer.take().size(), 1u);
}

struct Version {
  const char* members;
  int offset;  // in the answer
  bool told;
};

TEST_F(ApiPublish, OldVersionsAreDroppedSilently) {
  Peer& peer = connected("anna", "chat:a");
  const Version rows[] = {
      {R"("version":5)", 1, true},
      {R"("version":5)", 1, false},
      {R"("version":4)", 1, false},
      {R"("version":6)", 2, true},
      {R"("version":0)", 3, true},  // none
      {R"("version":6)", 3, false},
      {R"("version":1,"version_epoch":"b")", 4, true},
      {R"("version":1,"version_epoch":"b")", 4, false},
      {R"("version":1)", 4, false},  // within any
      {R"("version":18446744073709551615)", 5, true},
      {R"("version":18446744073709551614)", 5, false},
  };
  for (const Version& row : rows) {
    const std::string body = std::string(R"({"channel":"chat:a","data":1,)") + row.members + "}";
    EXPECT_EQ(call("publish", body),
              R"({"result":{"offset":)" + std::to_string(row.offset) + R"(,"epoch":"EPOCH"}})")
        << row.members;
    EXPECT_EQ(!peer.take().empty(), row.told) << row.members;
  }
}

TEST_F(ApiPublish, ExcludedReceiversHearNothing) {
  Peer& anna = connected("anna", "a");
  Peer& annas_other = connected("anna", "a");
  Peer& ben = connected("ben", "a");
  call("publish", R"({"channel":"a","data":1,"exclude_users":["ben","nobody"]})");
  EXPECT_EQ(anna.take().size(), 1u);
  EXPECT_EQ(annas_other.take().size(), 1u);
  EXPECT_THAT(ben.take(), IsEmpty());
  call("publish",
       R"({"channel":"a","data":1,"exclude_clients":["no id",")" + id_of(anna) + R"("]})");
  EXPECT_THAT(anna.take(), IsEmpty());
  EXPECT_EQ(annas_other.take().size(), 1u);
  EXPECT_EQ(ben.take().size(), 1u);
}

TEST_F(ApiPublish, BytesReachNoJsonClient) {
  Peer& json = connected("anna", "bytes:a");
  call("publish", R"({"channel":"a","b64data":"/w=="})");
  EXPECT_THAT(json.take(), IsEmpty());
  EXPECT_FALSE(json.over());
  Peer& there = connected("ben", "a");
  call("publish", R"({"channel":"a","b64data":"/w=="})");
  EXPECT_EQ(there.disconnected.code, 3506);
}

// --- broadcast

TEST_F(ApiPublish, BroadcastsAnswerChannelByChannel) {
  EXPECT_EQ(call("broadcast", R"({"channels":["a","nope:a","chat:a","","object:a","a"],"data":1})"),
            R"({"result":{"responses":[{"result":{}},)"
            R"({"error":{"code":102,"message":"unknown channel"}},)"
            R"({"result":{"offset":1,"epoch":"EPOCH"}},)"
            R"({"error":{"code":107,"message":"bad request"}},)"
            R"({"error":{"code":107,"message":"bad request"}},{"result":{}}]}})");
  const char* const refused[] = {R"({"channels":[],"data":1})", R"({"data":1})",
                                 R"({"channels":["a"]})", R"({"channel":"a","data":1})"};
  for (const char* body : refused) EXPECT_EQ(call("broadcast", body), kBadRequest) << body;
  EXPECT_EQ(call("broadcast", R"({"channels":["a","bytes:a"],"b64data":""})"),
            R"({"result":{"responses":[{"error":{"code":107,"message":"bad request"}},)"
            R"({"result":{}}]}})");
}

TEST_F(ApiPublish, ABroadcastsKeyHoldsForEachChannel) {
  Peer& peer = connected("anna", "a");
  const char* const body = R"({"channels":["a","chat:a","a"],"data":1,"idempotency_key":"k"})";
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(call("broadcast", body),
              R"({"result":{"responses":[{"result":{}},)"
              R"({"result":{"offset":1,"epoch":"EPOCH"}},{"result":{}}]}})");
  EXPECT_EQ(peer.take().size(), 1u);
}

// --- broadcast_all

TEST_F(ApiPublish, EverybodyCanBeTold) {
  Peer& anna = connected("anna");
  Peer& ben = connected("ben");
  Peer& somebody = connected("");
  Peer& unconnected = world.open();
  EXPECT_EQ(call("broadcast_all", R"({"data":{"x":1}})"), R"({"result":{"clients":3}})");
  for (Peer* peer : {&anna, &ben, &somebody})
    EXPECT_THAT(peer->take(), ElementsAre(R"({"push":{"message":{"data":{"x":1}}}})"));
  EXPECT_THAT(unconnected.take(), IsEmpty());
  EXPECT_EQ(call("broadcast_all", R"({"data":1,"exclude_users":["ben",""],"exclude_clients":[")" +
                                      id_of(anna) + R"("]})"),
            R"({"result":{"clients":1}})");
  EXPECT_EQ(somebody.take().size(), 1u);
  EXPECT_THAT(anna.take(), IsEmpty());
  EXPECT_THAT(ben.take(), IsEmpty());
  EXPECT_EQ(call("broadcast_all", "{}"), kBadRequest);
}

// --- batch

TEST_F(ApiPublish, ABatchIsDoneInOrder) {
  Peer& peer = connected("anna", "chat:a");
  EXPECT_EQ(call("batch", R"({"commands":[{"publish":{"channel":"chat:a","data":1}},)"
                          R"({"publish":{"channel":"nope:b","data":1}},)"
                          R"({"publish":{"channel":"chat:a","data":2}},)"
                          R"({"history":{"channel":"chat:a","limit":-1}},)"
                          R"({"presence_stats":{"channel":"chat:a"}}]})"),
            R"({"replies":[{"publish":{"offset":1,"epoch":"EPOCH"}},)"
            R"({"error":{"code":102,"message":"unknown channel"}},)"
            R"({"publish":{"offset":2,"epoch":"EPOCH"}},)"
            R"({"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2}],)"
            R"("offset":2,"epoch":"EPOCH"}},)"
            R"({"presence_stats":{"num_clients":1,"num_users":1}}]})");
  EXPECT_EQ(peer.take().size(), 2u);
}

TEST_F(ApiPublish, ABatchTakesOddCommands) {
  const Row rows[] = {
      {R"({"commands":[]})", R"({"replies":[]})"},
      {"{}", R"({"replies":[]})"},
      {R"({"commands":[{"nothing":{}}]})",
       R"({"replies":[{"error":{"code":104,"message":"method not found"}}]})"},
      {R"({"commands":[{}]})",
       R"({"replies":[{"error":{"code":104,"message":"method not found"}}]})"},
      {R"({"commands":[{"publish":null}]})",
       R"({"replies":[{"error":{"code":104,"message":"method not found"}}]})"},
      {R"({"commands":[{"batch":{"commands":[]}}]})",
       R"({"replies":[{"error":{"code":104,"message":"method not found"}}]})"},
      {R"({"commands":[{"publish":{"channel":1}}]})",
       R"({"replies":[{"error":{"code":107,"message":"bad request"}}]})"},
      {R"({"commands":[{"publish":{"channel":"a","data":1},"nothing":{}}]})",
       R"({"replies":[{"publish":{}}]})"},
      {R"({"commands":[{"nothing":{}}],"commands":[{"publish":{"channel":"a","data":1}}]})",
       R"({"replies":[{"publish":{}}]})"},
      {R"({"commands":[{"publish":{"channel":"a","data":1}}],"parallel":true})",
       R"({"replies":[{"publish":{}}]})"},
      {R"({"commands":{}})", kBadRequest},
      {R"({"commands":[1]})", kBadRequest},
  };
  for (const Row& row : rows) EXPECT_EQ(call("batch", row.body), row.answer) << row.body;
}

// Forty bytes that ask for half a megabyte, again and again.
TEST_F(ApiPublish, ABatchsAnswerIsBounded) {
  call("publish", R"({"channel":"chat:a","data":")" + std::string(512 << 10, 'd') + "\"}");
  std::string commands;
  for (int i = 0; i < 200; ++i)
    commands += std::string(i > 0 ? "," : "") + R"({"history":{"channel":"chat:a","limit":-1}})";
  std::string answer;
  const auto batch = std::make_shared<handlers::ApiCall>(
      R"({"commands":[)" + commands + "]}", [&](const auto& error, std::string result) {
        EXPECT_FALSE(error);
        answer = std::move(result);
      });
  ASSERT_EQ(batch->parse(), handlers::ApiRequest::Parsed::ok);
  handlers::Api api(*world.clients, world.workers, {});
  api.run(handlers::Api::find("batch"), batch);
  world.settle();
  EXPECT_GT(answer.size(), 64u << 20);
  EXPECT_LT(answer.size(), 65u << 20);
  EXPECT_TRUE(answer.ends_with(R"({"error":{"code":106,"message":"limit exceeded"}}]})"));
}

}  // namespace
}  // namespace spate::test
