#include "core/log_line.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <limits>

namespace spate::core::log {
namespace {

std::string text(std::string_view message, Fields fields = {}, std::string_view process = "",
                 std::uint64_t suppressed = 0) {
  std::string out;
  append_text(out, {process, message, fields, suppressed});
  return out;
}

std::string json(std::string_view message, Fields fields = {}, std::string_view process = "",
                 std::uint64_t suppressed = 0) {
  std::string out = "{";
  append_json(out, {process, message, fields, suppressed});
  return out + "}";
}

TEST(LogLine, TextNamesFieldsInTheSentenceAndTheRestBehindIt) {
  EXPECT_EQ(text("started"), "started");
  EXPECT_EQ(text("started", {}, "master"), "master: started");
  EXPECT_EQ(text("listening on {address}", {{"address", "127.0.0.1:8000"}, {"backlog", 4096}}),
            "listening on 127.0.0.1:8000 backlog=4096");
  EXPECT_EQ(text("{a}{b}{a}", {{"a", 1}, {"b", 2}}), "121");
  EXPECT_EQ(text("", {{"a", 1}}), " a=1");
}

TEST(LogLine, TextOfEachType) {
  EXPECT_EQ(text("x", {{"a", -1}, {"b", std::uint64_t{1} << 63}, {"c", 0.25}, {"d", true}}),
            "x a=-1 b=9223372036854775808 c=0.25 d=true");
  EXPECT_EQ(text("x", {{"a", std::string("s")}, {"b", std::string_view("t")}, {"c", "u"}}),
            "x a=s b=t c=u");
}

TEST(LogLine, TextQuotesWhatIsNoWord) {
  EXPECT_EQ(text("x", {{"a", ""}, {"b", "two words"}, {"c", "say \"hi\""}, {"d", "k=v"}}),
            R"(x a="" b="two words" c="say \"hi\"" d="k=v")");
}

TEST(LogLine, BracesThatNameNoFieldStay) {
  EXPECT_EQ(text("{nobody} { {a", {{"a", 1}}), "{nobody} { {a a=1");
  EXPECT_EQ(text("{a", {{"a", 1}}), "{a a=1");
  EXPECT_EQ(text("{}", {{"a", 1}}), "{} a=1");
}

TEST(LogLine, APeersBytesCannotMakeALineOrATerminalCommand) {
  EXPECT_EQ(text("origin {o}", {{"o", "a\n2026 info  forged\x1b[2J\xFF"}}),
            "origin a\\n2026 info  forged\\x1b[2J\\xff");
  EXPECT_EQ(text("x", {{"o", "a\nb"}}), "x o=a\\nb");
}

TEST(LogLine, AFieldsValueIsNoTemplate) {
  EXPECT_EQ(text("{a}", {{"a", "{b}"}, {"b", 1}}), "{b} b=1");
}

TEST(LogLine, LongValuesAreCut) {
  const std::string longest(kMaxValueBytes, 'v');
  EXPECT_EQ(text("{a}", {{"a", longest}}), longest);
  EXPECT_EQ(text("{a}", {{"a", longest + "v"}}), longest + "…");
}

TEST(LogLine, HeldBackLinesAreCountedAtTheEnd) {
  EXPECT_EQ(text("refused", {{"rule", "origin"}}, "", 12),
            "refused rule=origin (12 more like this)");
}

TEST(LogLine, JsonCarriesSentenceAndFields) {
  EXPECT_EQ(json("on {a}", {{"a", "h:1"}, {"n", -5}, {"b", false}, {"f", 1.5}}, "worker 1", 3),
            R"({"process":"worker 1","message":"on h:1","a":"h:1","n":-5,"b":false,"f":1.5,)"
            R"("suppressed":3})");
  EXPECT_EQ(json("x"), R"({"message":"x"})");
}

TEST(LogLine, JsonHasNoInfinity) {
  EXPECT_EQ(json("x", {{"a", std::numeric_limits<double>::infinity()},
                       {"b", std::numeric_limits<double>::quiet_NaN()}}),
            R"({"message":"x","a":null,"b":null})");
}

TEST(LogLine, JsonStringsAreEscapedAndUtf8) {
  EXPECT_EQ(json("x", {{"a", "q\" b\\ \n\x01 gr\xC3\xBC \xFF"}}),
            "{\"message\":\"x\",\"a\":\"q\\\" b\\\\ \\u000a\\u0001 gr\xC3\xBC \xEF\xBF\xBD\"}");
}

// Whatever the bytes and however long: one line, within the bound, and a JSON document.
TEST(LogLine, AnyBytesGiveABoundedLine) {
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  for (const std::string_view unit :
       {"\n", "\"", "\\", "\xFF", "\x1b", "a", "\xE2\x82\xAC", "{a}"}) {
    std::string many = every;
    while (many.size() < 10'000) many += unit;
    const std::string message = many + "{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}";
    const Fields fields{{"a", many}, {"b", many}, {"c", many}, {"d", many}, {"e", many},
                        {"f", many}, {"g", many}, {"h", many}, {"i", many}, {"j", many}};
    const std::string line = text(message, fields, many, UINT64_MAX);
    EXPECT_LE(line.size(), kMaxRenderedBytes);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_TRUE(line.ends_with("(18446744073709551615 more like this)"));
    const std::string object = json(message, fields, many, UINT64_MAX);
    EXPECT_LE(object.size(), kMaxRenderedBytes);
    EXPECT_EQ(object.find('\n'), std::string::npos);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(object.data(), object.size());
    ASSERT_FALSE(document.HasParseError()) << object;
    EXPECT_TRUE(document["truncated"].GetBool());
    EXPECT_EQ(document["suppressed"].GetUint64(), UINT64_MAX);
  }
}

}  // namespace
}  // namespace spate::core::log
