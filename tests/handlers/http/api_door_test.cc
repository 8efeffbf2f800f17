// Who may call the server API, what a body may be, and how answers become HTTP.
#include <gmock/gmock.h>

#include "tests/handlers/http/api_fixture.h"

namespace spate::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kInfo = "{}";

class ApiDoor : public ApiTest {};

struct Credentials {
  const char* name;
  const char* fields;
  const char* query;
  int status;
};

constexpr Credentials kCredentials[] = {
    {"none", "", "", 401},
    {"header", "X-API-Key: the+key\r\n", "", 200},
    {"header in lower case", "x-api-key: the+key\r\n", "", 200},
    {"header, empty", "X-API-Key: \r\n", "", 401},
    {"header, shorter", "X-API-Key: the+ke\r\n", "", 401},
    {"header, longer", "X-API-Key: the+keys\r\n", "", 401},
    {"header, other case", "X-API-Key: The+key\r\n", "", 401},
    {"authorization", "Authorization: apikey the+key\r\n", "", 200},
    {"a scheme's case is ignored", "Authorization: ApiKey the+key\r\n", "", 200},
    {"authorization, wrong", "Authorization: apikey other\r\n", "", 401},
    {"authorization without a key", "Authorization: apikey\r\n", "", 401},
    {"another scheme", "Authorization: Bearer the+key\r\n", "", 401},
    {"parameter", "", "?api_key=the+key", 200},
    {"parameter, escaped", "", "?api_key=%74he%2bkey", 200},
    {"parameter among others", "", "?a=b&api_key=the+key&c", 200},
    {"parameter, wrong", "", "?api_key=other", 401},
    {"parameter, empty", "", "?api_key=", 401},
    {"parameter of a longer name", "", "?x_api_key=the+key", 401},
    {"parameter, half an escape", "", "?api_key=the+key%2", 401},
    {"a wrong header is not made good", "X-API-Key: other\r\n", "?api_key=the+key", 401},
    {"another scheme beside a parameter", "Authorization: Bearer x\r\n", "?api_key=the+key", 200},
};

TEST_F(ApiDoor, OpensToAKeyInAnyOfThreeWays) {
  for (const Credentials& row : kCredentials) {
    const Answer answer = ask(std::string("info") + row.query, kInfo, row.fields);
    EXPECT_EQ(answer.status, row.status) << row.name;
    EXPECT_EQ(answer.body.empty(), row.status == 401) << row.name;
  }
}

class ApiWithoutKey : public ApiTest {
 protected:
  ApiWithoutKey() : ApiTest(false, "") {}
};
TEST_F(ApiWithoutKey, IsClosed) {
  EXPECT_EQ(ask("info", kInfo, "").status, 401);
  EXPECT_EQ(ask("info", kInfo, "X-API-Key: \r\n").status, 401);
  EXPECT_EQ(ask("info?api_key=", kInfo, "").status, 401);
}

class InsecureApi : public ApiTest {
 protected:
  InsecureApi() : ApiTest(true, "") {}
};
TEST_F(InsecureApi, IsOpen) {
  EXPECT_EQ(ask("info", kInfo, "").status, 200);
}

struct Body {
  const char* name;
  std::string body;
  int status;
  const char* answer;
};

std::string nested(std::size_t depth) {
  return R"({"channel":"a","data":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

constexpr const char* kBadRequest = R"({"error":{"code":107,"message":"bad request"}})";
constexpr const char* kNotJson =
    "The body is not a JSON object in UTF-8, at most 512 levels deep.\n";
constexpr const char* kDone = R"({"result":{}})";

TEST_F(ApiDoor, TakesJsonObjectsOnly) {
  const Body rows[] = {
      {"nothing", "", 400, kNotJson},
      {"a word", "hello", 400, kNotJson},
      {"an array", R"([{"channel":"a","data":1}])", 400, kNotJson},
      {"a string", "\"a\"", 400, kNotJson},
      {"half an object", R"({"channel":"a","data":1)", 400, kNotJson},
      {"an object and more", R"({"channel":"a","data":1}{})", 400, kNotJson},
      {"NaN", R"({"channel":"a","data":NaN})", 400, kNotJson},
      {"a comma at the end", R"({"channel":"a","data":1,})", 400, kNotJson},
      {"a comment", R"({"channel":"a",/**/"data":1})", 400, kNotJson},
      {"not UTF-8", "{\"channel\":\"\xff\",\"data\":1}", 400, kNotJson},
      {"half a surrogate pair", R"({"channel":"\ud800","data":1})", 400, kNotJson},
      {"half a pair in the data", R"({"channel":"a","data":"\udc00"})", 400, kNotJson},
      {"a NUL", std::string(R"({"channel":"a","data":1})") + '\0', 400, kNotJson},
      {"wrong type, then junk", R"({"channel":1,"data":)", 400, kNotJson},
      {"as deep as may be", nested(511), 200, kDone},
      {"deeper", nested(512), 400, kNotJson},
      {"very deep", nested(100'000), 400, kNotJson},
      {"white space", " \r\n{ \"channel\" : \"a\" ,\t\"data\" : 1 }\n", 200, kDone},
      {"members of others", R"({"channel":"a","data":1,"x":[{}],"user":""})", 200, kDone},
      {"null is nothing", R"({"channel":"a","data":1,"tags":null,"version":null})", 200, kDone},
      {"the last of two counts", R"({"channel":"nope:x","channel":"a","data":1})", 200, kDone},
      {"an escaped key", R"({"\u0063hannel":"a","data":1})", 200, kDone},
      {"channel of another type", R"({"channel":1,"data":1})", 200, kBadRequest},
      {"channels of another type", R"({"channels":"a"})", 200, kBadRequest},
      {"channels of numbers", R"({"channels":["a",1]})", 200, kBadRequest},
      {"tags of numbers", R"({"channel":"a","data":1,"tags":{"a":1}})", 200, kBadRequest},
      {"tags in an array", R"({"channel":"a","data":1,"tags":["a"]})", 200, kBadRequest},
      {"a flag that is a number", R"({"channel":"a","data":1,"skip_history":1})", 200, kBadRequest},
      {"version with a fraction", R"({"channel":"a","data":1,"version":1.0})", 200, kBadRequest},
      {"version with an exponent", R"({"channel":"a","data":1,"version":1e2})", 200, kBadRequest},
      {"version below zero", R"({"channel":"a","data":1,"version":-1})", 200, kBadRequest},
      {"version in a string", R"({"channel":"a","data":1,"version":"1"})", 200, kBadRequest},
      {"the largest version", R"({"channel":"a","data":1,"version":18446744073709551615})", 200,
       kDone},
      {"a larger version", R"({"channel":"a","data":1,"version":18446744073709551616})", 200,
       kBadRequest},
      {"base64 of another type", R"({"channel":"a","b64data":1})", 200, kBadRequest},
      {"not base64", R"({"channel":"a","b64data":"a"})", 200, kBadRequest},
      {"base64 without padding", R"({"channel":"a","b64data":"aGk"})", 200, kBadRequest},
      {"not base64 beside data", R"({"channel":"a","data":1,"b64data":"*"})", 200, kBadRequest},
  };
  for (const Body& row : rows) {
    const Answer answer = ask("publish", row.body);
    EXPECT_EQ(answer.status, row.status) << row.name;
    EXPECT_EQ(answer.body, row.answer) << row.name;
  }
}

TEST_F(ApiDoor, OtherMethodsOfHttpAre405) {
  for (const char* method : {"GET", "PUT", "DELETE", "OPTIONS"}) {
    const Answer answer = ask("publish", "", kKey, method);
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_THAT(answer.head, HasSubstr("\r\nAllow: POST\r\n")) << method;
  }
}

TEST_F(ApiDoor, UnknownMethodsOfTheApiAre404) {
  EXPECT_EQ(ask("nothing", "{}").status, 404);
  EXPECT_EQ(ask("", "{}").status, 404);
}

struct Mode {
  const char* method;
  const char* body;
  int status;
  const char* answer;
};

TEST_F(ApiDoor, ErrorsAreStatusesToThoseWhoAskForThat) {
  const std::string fields = std::string(kKey) + "X-Centrifugo-Error-Mode: transport\r\n";
  const Mode rows[] = {
      {"publish", R"({"channel":"a","data":1})", 200, R"({"result":{}})"},
      {"publish", R"({"channel":"nope:a","data":1})", 404,
       R"({"code":102,"message":"unknown channel"})"},
      {"publish", R"({"data":1})", 400, R"({"code":107,"message":"bad request"})"},
      {"publish", R"({"channel":1})", 400, R"({"code":107,"message":"bad request"})"},
      {"history", R"({"channel":"a"})", 400, R"({"code":108,"message":"not available"})"},
      {"history", R"({"channel":"chat:a","limit":1,"since":{"offset":1,"epoch":"_"}})", 416,
       R"({"code":112,"message":"unrecoverable position"})"},
      {"batch", R"({"commands":[{"publish":{}}]})", 200,
       R"({"replies":[{"error":{"code":107,"message":"bad request"}}]})"},
      {"batch", R"({"commands":1})", 200, R"({"error":{"code":107,"message":"bad request"}})"},
  };
  for (const Mode& row : rows) {
    const Answer answer = ask(row.method, row.body, fields);
    EXPECT_EQ(answer.status, row.status) << row.body;
    EXPECT_EQ(answer.body, row.answer) << row.body;
    EXPECT_THAT(answer.head, HasSubstr("\r\nContent-Type: application/json\r\n"));
  }
  const std::string other = std::string(kKey) + "X-Centrifugo-Error-Mode: other\r\n";
  EXPECT_EQ(ask("publish", "{}", other).status, 200);
}

TEST_F(ApiDoor, BroadcastsOfMoreThanCanBeQueuedAreRefused) {
  std::string channels = "\"a\"";
  for (int i = 0; i < 299; ++i) channels += ",\"a\"";
  const std::string data(1 << 20, 'd');
  EXPECT_EQ(call("broadcast", R"({"channels":[)" + channels + R"(],"data":")" + data + "\"}"),
            error(106, "limit exceeded"));
}

}  // namespace
}  // namespace spate::test
