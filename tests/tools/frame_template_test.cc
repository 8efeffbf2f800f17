#include "tools/spate-bench/frame_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tools/spate-bench/publication.h"

namespace spate::bench {
namespace {

using namespace std::string_literals;

// "bad: …" when it is refused.
std::string rendered(std::string_view text) {
  std::string wrong, out;
  const auto parsed = FrameTemplate::parse(text, wrong);
  if (!parsed) return "bad: " + wrong;
  parsed->render(out, {.payload = "PAY", .connection = 7, .number = 42, .channel = 9});
  return out;
}

TEST(FrameTemplate, FillsInWhatItKnowsAndLeavesTheRest) {
  const std::pair<std::string, std::string> kRows[] = {
      {"", ""},
      {"plain {text} {}", "plain {text} {}"},
      {"{{payload}}", "PAY"},
      {R"({"publish":{"data":{"x":"{{payload}}"}}})", R"({"publish":{"data":{"x":"PAY"}}})"},
      {R"({"id":{{number}},"data":{{{payload}}}})", R"({"id":42,"data":{PAY}})"},
      {R"(PUB c {{payload_bytes}}\r\n{{payload}}\r\n)", "PUB c 3\r\nPAY\r\n"},
      {R"(\x30\x0a\x00\0\\\t{{connection}}{{connection}})", "0\n\0\0\\\t77"s},
      {"{{payload_bytes+197}}", "200"},
      {"{{number}}:{{channel}}", "42:9"},
      {"{{channel+1}}", "bad: {{channel+1}}"},
      {"{{payload_varint}}", "\3"},
      {"{{payload_varint+124}}|{{payload_varint+125}}", "\x7f|\x80\x01"},
      {"{{payload_varint+297}}|{{payload_varint+16381}}", "\xac\x02|\x80\x80\x01"},
      {"a }} b", "a }} b"},
      {"{{payload+1}}", "bad: {{payload+1}}"},
      {"{{payload_bytes+}}", "bad: {{payload_bytes+}}"},
      {"{{payload_bytes+x}}", "bad: {{payload_bytes+x}}"},
      {"{{payload_bytes+-1}}", "bad: {{payload_bytes+-1}}"},
      {"{{payload_bytes+1}", "bad: {{payload_bytes+1}"},
      {"{{nothing}}", "bad: {{nothing}}"},
      {"{{", "bad: {{"},
      {"{{payload", "bad: {{payload"},
      {R"(\y)", R"(bad: \y)"},
      {R"(\x4)", R"(bad: \x4)"},
      {R"(\xzz)", R"(bad: \xzz)"},
      {R"(end\)", R"(bad: \)"},
  };
  for (const auto& [text, expected] : kRows) EXPECT_EQ(rendered(text), expected) << text;
}

TEST(FrameTemplate, KnowsWhetherItPublishesAnything) {
  std::string wrong;
  EXPECT_TRUE(FrameTemplate::parse("a{{payload}}b", wrong)->has_payload());
  EXPECT_FALSE(FrameTemplate::parse("a{{payload_bytes}}b", wrong)->has_payload());
}

TEST(FrameTemplate, IsAnEnvelopeWhenOnlyThePayloadChanges) {
  const auto around = [](std::string_view text) -> std::string {
    std::string wrong;
    const auto envelope = FrameTemplate::parse(text, wrong)->envelope(200);
    return envelope ? envelope->before + "|" + envelope->after : "none";
  };
  EXPECT_EQ(around("{{payload}}"), "|");
  EXPECT_EQ(around(R"(42["m","{{payload}}"])"), R"(42["m",""])"s.insert(8, "|"));
  EXPECT_EQ(around("{{payload_bytes+1}} {{payload}} {{payload_varint}}"), "201 | \xc8\x01");
  EXPECT_EQ(around("{{payload_bytes}}"), "none");
  EXPECT_EQ(around("{{payload}}{{payload}}"), "none");
  EXPECT_EQ(around("{{number}}{{payload}}"), "none");
  EXPECT_EQ(around("{{payload}}{{connection}}"), "none");
}

TEST(Publication, IsReadAsItWasWritten) {
  for (const std::size_t bytes : {32u, 33u, 64u, 5000u, 100'000u}) {
    for (const std::uint64_t number : {0ul, 1ul, 25ul, 26ul, 123'456'789ul}) {
      const Publication written{1'000'000, number, 0x0123456789abcdef};
      std::string payload;
      written.write(payload, bytes);
      ASSERT_EQ(payload.size(), bytes);
      EXPECT_TRUE(std::ranges::all_of(payload, [](char c) { return c >= 'a' && c <= 'z'; }));
      const auto read = Publication::read(as_bytes(payload));
      ASSERT_TRUE(read);
      EXPECT_EQ(read->publisher, 1'000'000u);
      EXPECT_EQ(read->number, number);
      EXPECT_EQ(read->due_ns, written.due_ns);
      EXPECT_TRUE(read->filler_matches(as_bytes(payload)));
      if (bytes == 32) continue;
      payload.back() = static_cast<char>(payload.back() ^ 1);
      EXPECT_FALSE(read->filler_matches(as_bytes(payload)));
    }
  }
}

TEST(Publication, IsRefusedWhenALetterIsNone) {
  std::string payload;
  Publication{1, 2, 3}.write(payload, 40);
  for (std::size_t at = Publication::kMarker.size(); at < Publication::kHeaderBytes; ++at) {
    for (const char wrong : {'q', '`', 'A', '\0', '\xe1'}) {
      std::string spoilt = payload;
      spoilt[at] = wrong;
      EXPECT_FALSE(Publication::read(as_bytes(spoilt))) << at << " " << wrong;
    }
  }
  EXPECT_FALSE(Publication::read(as_bytes(payload.substr(0, Publication::kHeaderBytes - 1))));
}

}  // namespace
}  // namespace spate::bench
