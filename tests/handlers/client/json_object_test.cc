#include "handlers/client/json_object.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "handlers/client/json_text.h"

namespace spate::handlers::client {
namespace {

struct Seen {
  std::string key;
  JsonKind kind;
  std::string text;
  std::string string;

  bool operator==(const Seen&) const = default;
};

std::vector<Seen> members(std::string_view text, bool expected = true) {
  std::vector<Seen> seen;
  EXPECT_EQ(for_each_member(text,
                            [&](const JsonValue& value) {
                              seen.push_back({std::string(value.key), value.kind,
                                              std::string(value.text), std::string(value.string)});
                              return true;
                            }),
            expected)
      << text;
  return seen;
}

std::vector<std::string> items(std::string_view text, bool expected = true) {
  std::vector<std::string> seen;
  EXPECT_EQ(for_each_item(text,
                          [&](const JsonValue& value) {
                            EXPECT_TRUE(value.key.empty());
                            seen.emplace_back(value.text);
                            return true;
                          }),
            expected)
      << text;
  return seen;
}

TEST(JsonObject, MembersAreSpansOfTheSource) {
  EXPECT_EQ(members(" {\"a\" : 1 ,\n\"b\":\"x\\u0041\" , \"\":null,\"c\":[ 1, {\"d\" : 2} ] ,"
                    "\"e\":{ \"f\" : [] } , \"g\":true, \"h\":-0.5e+3}\r\n"),
            (std::vector<Seen>{{"a", JsonKind::number, "1", ""},
                               {"b", JsonKind::string, "\"x\\u0041\"", "xA"},
                               {"", JsonKind::null, "null", ""},
                               {"c", JsonKind::array, "[ 1, {\"d\" : 2} ]", ""},
                               {"e", JsonKind::object, "{ \"f\" : [] }", ""},
                               {"g", JsonKind::boolean, "true", ""},
                               {"h", JsonKind::number, "-0.5e+3", ""}}));
  EXPECT_TRUE(members("{}").empty());
}

TEST(JsonObject, ItemsAreSpansOfTheSource) {
  EXPECT_EQ(items("[1,\"a, b\" ,[2,[3]], {\"k\":[4]},null ,false]"),
            (std::vector<std::string>{"1", "\"a, b\"", "[2,[3]]", "{\"k\":[4]}", "null", "false"}));
  EXPECT_TRUE(items(" [ ] ").empty());
}

TEST(JsonObject, KeysAreDecodedAndShownEachTime) {
  const auto seen = members(R"({"\u0061":1,"a":2})");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].key, "a");
  EXPECT_EQ(seen[1].key, "a");
}

TEST(JsonObject, OtherTextsAreNone) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "1"sv,
                                      "\"a\""sv,
                                      "null"sv,
                                      "[]"sv,
                                      "{"sv,
                                      "{}{}"sv,
                                      "{} x"sv,
                                      "{}\0"sv,
                                      "{\"a\":1}\0{"sv,
                                      "{\"a\"}"sv,
                                      "{\"a\":}"sv,
                                      "{\"a\":1,}"sv,
                                      "{'a':1}"sv,
                                      "{a:1}"sv,
                                      "{\"a\":01}"sv,
                                      "{\"a\":+1}"sv,
                                      "{\"a\":NaN}"sv,
                                      "{\"a\":1}}"sv,
                                      "// c\n{}"sv,
                                      "{\"a\":\"\n\"}"sv,
                                      "{\"a\":\"\\ud800\"}"sv,
                                      "{\"a\":\"\\udc00\"}"sv,
                                      "{\"\\udc00\":1}"sv,
                                      "{\"a\":[\"x\\udfff\"]}"sv,
                                      "{\"a\":\"\xFF\"}"sv,
                                      "{\"a\":\"\xC0\x80\"}"sv,
                                      "{\"\xED\xA0\x80\":1}"sv,
                                      "{\"a\":[\"\xFF\"]}"sv,
                                      "{\"a\":[}"sv})
    members(text, false);
  for (const std::string_view text : {"{}"sv, "1"sv, "[1"sv, "[1,]"sv, "[1]]"sv})
    items(text, false);
}

TEST(JsonObject, NestingIsBounded) {
  const auto nested = [](std::size_t levels) {
    return "{\"a\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  EXPECT_EQ(members(nested(kMaxJsonDepth)).size(), 1u);
  members(nested(kMaxJsonDepth + 1), false);
  members(nested(60'000), false);
}

TEST(JsonObject, TheVisitorEndsIt) {
  int calls = 0;
  EXPECT_FALSE(for_each_member(R"({"a":1,"b":2})", [&](const JsonValue&) {
    ++calls;
    return false;
  }));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace spate::handlers::client
