#include "core/printable.h"

#include <gtest/gtest.h>

namespace spate::core {
namespace {

struct Row {
  std::string_view text;
  std::string_view shown;
};

constexpr Row kRows[] = {
    {"", ""},
    {"plain, with \"quotes\" and \\", "plain, with \"quotes\" and \\"},
    {"a\nb\rc\td", "a\\nb\\rc\\td"},
    {std::string_view("\0\x1b[31m\x7f", 7), "\\x00\\x1b[31m\\x7f"},
    {"\xC2\x9B", "\\x9b"},     // C1: the one-byte CSI of some terminals
    {"\xC2\xA0", "\xC2\xA0"},  // the first character behind them
    {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
    {"\xE2\x82\xAC \xF0\x9F\x99\x82", "\xE2\x82\xAC \xF0\x9F\x99\x82"},
    {"\xFF\xC3", "\\xff\\xc3"},                    // no first byte; cut short
    {"\xC0\xAF", "\\xc0\\xaf"},                    // overlong
    {"\xED\xA0\x80", "\\xed\\xa0\\x80"},           // surrogate
    {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // above U+10FFFF
};

TEST(Printable, SpellsOutWhatCouldBreakALine) {
  for (const Row& row : kRows) EXPECT_EQ(printable(row.text, 100), row.shown);
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 5), "abcde…");
  EXPECT_EQ(printable("ab\xE2\x82\xAC", 4), "ab…");
  EXPECT_EQ(printable("ab\xE2\x82\xAC", 5), "ab\xE2\x82\xAC");
  EXPECT_EQ(printable("a", 0), "…");
  EXPECT_EQ(printable("", 0), "");
}

TEST(Printable, CharacterLengthsAtTheBoundaries) {
  EXPECT_EQ(utf8_character_bytes("\x7F"), 1u);
  EXPECT_EQ(utf8_character_bytes("\xC2\x80"), 2u);
  EXPECT_EQ(utf8_character_bytes("\xE0\xA0\x80"), 3u);
  EXPECT_EQ(utf8_character_bytes("\xEF\xBF\xBF"), 3u);
  EXPECT_EQ(utf8_character_bytes("\xF0\x90\x80\x80"), 4u);
  EXPECT_EQ(utf8_character_bytes("\xF4\x8F\xBF\xBF"), 4u);
  EXPECT_EQ(utf8_character_bytes("\xE0\x9F\xBF"), 0u);
  EXPECT_EQ(utf8_character_bytes("\xF0\x8F\xBF\xBF"), 0u);
  EXPECT_EQ(utf8_character_bytes("\xC2"), 0u);
  EXPECT_EQ(utf8_character_bytes("\x80"), 0u);
  EXPECT_EQ(utf8_character_bytes("\xC2\x41"), 0u);
}

}  // namespace
}  // namespace spate::core
