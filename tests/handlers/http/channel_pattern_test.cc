#include "handlers/http/channel_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace spate::handlers {
namespace {

struct Row {
  const char* pattern;
  const char* name;
  bool matches;
};

constexpr Row kRows[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "chat:1/x", true},
    {"chat:*", "chat:", true},
    {"chat:*", "chat", false},
    {"*:1", "chat:1", true},
    {"*a*b", "xaxbab", true},
    {"*a*b", "xaxba", false},
    {"a**b", "ab", true},
    {"?", "a", true},
    {"?", "", false},
    {"?", "ab", false},
    {"?", "\xc3\xa4", true},
    {"a?c",
     "a\xe2\x82\xac"
     "c",
     true},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[a-c]", "-", false},
    {"[a-]", "-", true},
    {"[!a-c]", "d", true},
    {"[!a-c]", "a", false},
    {"[^a]", "b", true},
    {"[]]", "]", true},
    {"[!]]", "]", false},
    {"[!]]", "a", true},
    {"[", "[", true},
    {"[a", "[a", true},
    {"[!", "[!", true},
    {"[]", "[]", true},
    {"[c-a]", "b", false},
    {"[\x80-\xff]", "\xc3", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\", "\\", true},
    {"*[0-9]", "room12", true},
    {"*[0-9]", "room", false},
    {"A", "a", false},
};

TEST(ChannelPattern, MatchesAsGlobsDo) {
  for (const Row& row : kRows)
    EXPECT_EQ(matches_pattern(row.pattern, row.name), row.matches)
        << row.pattern << " against " << row.name;
}

TEST(ChannelPattern, ANulIsACharacter) {
  using namespace std::string_view_literals;
  EXPECT_FALSE(matches_pattern("a\0b"sv, "a"));
  EXPECT_TRUE(matches_pattern("a\0*"sv, "a\0b"sv));
}

// 256 stars, none of which can be where it must be: a matcher that tries them all never ends.
TEST(ChannelPattern, StarsDoNotMultiply) {
  std::string pattern;
  for (std::size_t i = 0; i < kMaxPatternBytes / 2; ++i) pattern += "*a";
  const std::string name(255, 'a');
  EXPECT_FALSE(matches_pattern(pattern, name));
  EXPECT_FALSE(matches_pattern("*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

}  // namespace
}  // namespace spate::handlers
