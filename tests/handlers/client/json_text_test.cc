#include "handlers/client/json_text.h"

#include <gtest/gtest.h>

#include "handlers/client/reader.h"
#include "tests/guard_page.h"

namespace spate::handlers::client {
namespace {

using namespace std::string_literals;  // for literals with a NUL in them

struct Guarded {
  explicit Guarded(std::string_view text)
      : pages(text.size()), view(as_text(pages.copy_to_end(as_bytes(text)))) {}
  test::GuardPages pages;
  std::string_view view;
};

bool judged(std::string_view text) {
  return is_json(Guarded(text).view);
}

TEST(JsonText, ValuesOfEveryKindAreJson) {
  for (const std::string_view text :
       {"[]", "\"\"", "0", "-0", "1.5e-3", "true", "false", "null", "\n1 ", "1e308", "[{}]",
        R"("{}\ud83d\ude00\u0000")", "\"\xED\x9F\xBF\"", "123456789012345678901234567890"}) {
    EXPECT_TRUE(judged(text)) << text;
    EXPECT_FALSE(is_json_object(Guarded(text).view)) << text;
  }
  for (const std::string_view text :
       {"{}", " \t\r\n{}\n", R"({"a":[1,{"b":null}],"a":"\ud83d\ude00\u0000"})"}) {
    EXPECT_TRUE(judged(text)) << text;
    EXPECT_TRUE(is_json_object(Guarded(text).view)) << text;
  }
}

TEST(JsonText, AllElseIsNot) {
  for (const std::string& text : {""s,
                                  " "s,
                                  "{"s,
                                  "}"s,
                                  "{}{}"s,
                                  "{} x"s,
                                  "{}\0"s,
                                  "\0{}"s,
                                  "[1,]"s,
                                  "{\"a\":1,}"s,
                                  "tru"s,
                                  "nulll"s,
                                  "01"s,
                                  ".5"s,
                                  "1."s,
                                  "NaN"s,
                                  "Infinity"s,
                                  "'a'"s,
                                  "\"a"s,
                                  "\"\n\""s,
                                  "\"\x1F\""s,
                                  "\"\\ud800\""s,
                                  "\"\\udc00\""s,
                                  "{\"\\udc00\":1}"s,
                                  "\"\\x\""s,
                                  "\"\x80\""s,
                                  "\"\xED\xA0\x80\""s,
                                  "\xEF\xBB\xBF{}"s,
                                  "// a\n1"s,
                                  "1e309"s,
                                  "1 2"s}) {
    EXPECT_FALSE(judged(text)) << text;
    EXPECT_FALSE(is_json_object(Guarded(text).view)) << text;
  }
}

TEST(JsonText, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(judged(nested(kMaxJsonDepth)));
  EXPECT_FALSE(judged(nested(kMaxJsonDepth + 1)));
  EXPECT_FALSE(judged(nested(100000)));
  // Width is not depth.
  std::string wide = "[";
  for (std::size_t i = 0; i < 3 * kMaxJsonDepth; ++i) wide += "[{}],";
  EXPECT_TRUE(judged(wide + "0]"));
}

std::string lined(std::string_view text) {
  std::string scratch = "left from before";
  return std::string(one_line(Guarded(text).view, scratch));
}

TEST(JsonText, LineEndsBetweenTokensGo) {
  EXPECT_EQ(lined("{\n  \"a\": 1,\r\n  \"b\": [\n]\n}\n"), "{  \"a\": 1,  \"b\": []}");
  EXPECT_EQ(lined("\n\r\n\r"), "");
  EXPECT_EQ(lined("\n1"), "1");
  EXPECT_EQ(lined("1\r"), "1");
  EXPECT_EQ(lined(R"("a\nb")"), R"("a\nb")");
}

TEST(JsonText, WhatIsOnOneLineIsNotCopied) {
  std::string scratch;
  constexpr std::string_view kText = "{\"a\": [1, 2]}";
  EXPECT_EQ(one_line(kText, scratch).data(), kText.data());
  EXPECT_EQ(one_line({}, scratch), "");
  EXPECT_TRUE(scratch.empty());
}

std::string as_string(std::string_view text) {
  std::string out = "x";
  append_json_string(out, Guarded(text).view);
  return out.substr(1);
}

TEST(JsonText, TextIsQuoted) {
  EXPECT_EQ(as_string(""), R"("")");
  EXPECT_EQ(as_string("plain"), R"("plain")");
  EXPECT_EQ(as_string("\"\\/"), R"("\"\\/")");
  EXPECT_EQ(as_string("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(as_string("\0\x01\x1F\x20\x7F"s), "\"\\u0000\\u0001\\u001f \x7F\"");
  EXPECT_EQ(as_string("a\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80z"),
            "\"a\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80z\"");
  EXPECT_EQ(as_string("a\"b\"\"c"), R"("a\"b\"\"c")");
}

TEST(JsonText, EveryByteIsQuotedAsJson) {
  for (int c = 0; c < 0x80; ++c) {
    const std::string text(3, static_cast<char>(c));
    EXPECT_TRUE(judged(as_string(text))) << c;
    EXPECT_EQ(as_string(text).find_first_of("\n\r"), std::string::npos) << c;
  }
}

TEST(JsonText, HalfASurrogatePairIsFound) {
  EXPECT_TRUE(has_lone_surrogate("\xED\xA0\x80"));
  EXPECT_TRUE(has_lone_surrogate("\xED\x9F\xBF\xED\xBF\xBF"));
  EXPECT_FALSE(has_lone_surrogate("\xED\x9F\xBF\xED\x80\x80"));
  EXPECT_FALSE(has_lone_surrogate("\xEE\x80\x80"));
  EXPECT_FALSE(has_lone_surrogate(""));
}

}  // namespace
}  // namespace spate::handlers::client
