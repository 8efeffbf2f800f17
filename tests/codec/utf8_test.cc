#include "codec/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/codec/utf8_oracle.h"
#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using test::GuardPages;
using test::utf8_verdict;
using test::Utf8Verdict;

static_assert(sizeof(Utf8State) <= 8 && std::is_trivially_copyable_v<Utf8State>);

Utf8Verdict verdict_of(const Utf8Kernel& kernel, ConstBytes text) {
  Utf8State state;
  if (!utf8_validate(kernel, state, text)) return Utf8Verdict::invalid;
  return utf8_complete(state) ? Utf8Verdict::whole : Utf8Verdict::incomplete;
}

std::string hex(ConstBytes text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (const std::byte b : text) {
    digits += kDigits[std::to_integer<int>(b) >> 4];
    digits += kDigits[std::to_integer<int>(b) & 15];
    digits += ' ';
  }
  return digits;
}

void expect_all_kernels(ConstBytes text, Utf8Verdict verdict) {
  for (const Utf8Kernel& kernel : utf8_kernels()) {
    ASSERT_EQ(verdict_of(kernel, text), verdict) << kernel.name << ": " << hex(text);
  }
}

struct Row {
  const char* name;
  std::string_view text;
  Utf8Verdict verdict;
  const char* clause;
};

using enum Utf8Verdict;
constexpr Row kRows[] = {
    {"empty", "", whole, "RFC 3629 §4"},
    {"hello", "hello", whole, "RFC 3629 §3"},
    {"two bytes, first", "\xc2\x80", whole, "RFC 3629 §4 UTF8-2"},
    {"two bytes, last", "\xdf\xbf", whole, "RFC 3629 §4 UTF8-2"},
    {"three bytes, first", "\xe0\xa0\x80", whole, "RFC 3629 §4 UTF8-3"},
    {"before the surrogates", "\xed\x9f\xbf", whole, "RFC 3629 §4 UTF8-3"},
    {"after the surrogates", "\xee\x80\x80", whole, "RFC 3629 §4 UTF8-3"},
    {"three bytes, last", "\xef\xbf\xbf", whole, "RFC 3629 §4 UTF8-3"},
    {"four bytes, first", "\xf0\x90\x80\x80", whole, "RFC 3629 §4 UTF8-4"},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", whole, "RFC 3629 §4 UTF8-4"},
    {"kosme", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", whole, "RFC 3629 §7"},
    {"no equal to Alpha dot", "A\xe2\x89\xa2\xce\x91.", whole, "RFC 3629 §7"},
    {"byte order mark", "\xef\xbb\xbf\xf0\xa3\x8e\xb4", whole, "RFC 3629 §7"},
    {"lone continuation", "\x80", invalid, "RFC 3629 §4"},
    {"continuation after ASCII", "a\xbf", invalid, "RFC 3629 §4"},
    {"continuation too many", "\xc3\xa9\xa9", invalid, "RFC 3629 §4"},
    {"overlong slash, at once", "\xc0", invalid, "RFC 3629 §3 overlong"},
    {"overlong DEL, at once", "\xc1", invalid, "RFC 3629 §3 overlong"},
    {"overlong in three, at once", "\xe0\x80", invalid, "RFC 3629 §3 overlong"},
    {"overlong in three, last", "\xe0\x9f", invalid, "RFC 3629 §3 overlong"},
    {"overlong in four, at once", "\xf0\x80", invalid, "RFC 3629 §3 overlong"},
    {"overlong in four, last", "\xf0\x8f", invalid, "RFC 3629 §3 overlong"},
    {"first surrogate, at once", "\xed\xa0", invalid, "RFC 3629 §3 surrogates"},
    {"last surrogate", "\xed\xbf", invalid, "RFC 3629 §3 surrogates"},
    {"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", invalid, "RFC 3629 §3 surrogates"},
    {"U+110000, at once", "\xf4\x90", invalid, "RFC 3629 §3 range"},
    {"F5, at once", "\xf5", invalid, "RFC 3629 §3 range"},
    {"five bytes, at once", "\xf8", invalid, "RFC 3629 §3 range"},
    {"FE", "\xfe", invalid, "RFC 3629 §1"},
    {"FF", "\xff", invalid, "RFC 3629 §1"},
    {"begun in two", "\xc2", incomplete, "RFC 3629 §4"},
    {"begun in three", "\xe0\xa0", incomplete, "RFC 3629 §4"},
    {"begun in four", "\xf0\x90\x80", incomplete, "RFC 3629 §4"},
    {"begun, last of all", "\xf4\x8f\xbf", incomplete, "RFC 3629 §4"},
    {"lead after lead", "\xe2\xe2", invalid, "RFC 3629 §4"},
    {"ASCII inside two", "\xc3(", invalid, "RFC 3629 §4"},
    {"ASCII inside three", "\xe2\x82(", invalid, "RFC 3629 §4"},
    {"ASCII inside four", "\xf0\x9f\x98(", invalid, "RFC 3629 §4"},
};

// In every chunking the verdict may only fall where the text that was fed so far is invalid.
void expect_at_every_split(const Utf8Kernel& kernel, ConstBytes text) {
  for (std::size_t split = 0; split <= text.size(); ++split) {
    Utf8State state;
    const bool first = utf8_validate(kernel, state, text.first(split));
    ASSERT_EQ(first, utf8_verdict(text.first(split)) != invalid)
        << kernel.name << ": first " << split << " of " << hex(text);
    if (!first) break;
    ASSERT_EQ(utf8_complete(state), utf8_verdict(text.first(split)) == whole);
    const bool second = utf8_validate(kernel, state, text.subspan(split));
    const Utf8Verdict verdict = utf8_verdict(text);
    ASSERT_EQ(second, verdict != invalid) << kernel.name << ": " << hex(text) << "at " << split;
    if (second) {
      ASSERT_EQ(utf8_complete(state), verdict == whole);
    }
  }
}

void expect_byte_by_byte(const Utf8Kernel& kernel, ConstBytes text) {
  Utf8State state;
  for (std::size_t seen = 1; seen <= text.size(); ++seen) {
    const bool valid = utf8_validate(kernel, state, text.subspan(seen - 1, 1));
    ASSERT_EQ(valid, utf8_verdict(text.first(seen)) != invalid)
        << kernel.name << ": byte " << seen << " of " << hex(text);
    if (!valid) return;
  }
}

TEST(Utf8, TableWholeSplitByteByByteAndAtAGuardPage) {
  const GuardPages pages(4096);
  for (const Row& row : kRows) {
    const ConstBytes text = as_bytes(row.text);
    ASSERT_EQ(utf8_verdict(text), row.verdict) << "the oracle itself, " << row.name;
    for (const Utf8Kernel& kernel : utf8_kernels()) {
      EXPECT_EQ(verdict_of(kernel, pages.copy_to_end(text)), row.verdict)
          << kernel.name << ": " << row.name << " (" << row.clause << ")";
      ASSERT_NO_FATAL_FAILURE(expect_at_every_split(kernel, text)) << row.name;
      ASSERT_NO_FATAL_FAILURE(expect_byte_by_byte(kernel, text)) << row.name;
    }
  }
}

TEST(Utf8, EveryStringOfOneAndTwoBytes) {
  for (unsigned value = 0; value < 65536; ++value) {
    const std::byte text[2] = {static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
    if (value < 256) {
      const ConstBytes one(text + 1, 1);
      ASSERT_NO_FATAL_FAILURE(expect_all_kernels(one, utf8_verdict(one)));
    }
    ASSERT_NO_FATAL_FAILURE(expect_all_kernels(text, utf8_verdict(text)));
  }
}

TEST(Utf8, EveryStringOfThreeBytes) {
  for (unsigned value = 0; value < 1u << 24; ++value) {
    const std::byte text[3] = {static_cast<std::byte>(value >> 16),
                               static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
    const Utf8Verdict verdict = utf8_verdict(text);
    for (const Utf8Kernel& kernel : utf8_kernels()) {
      if (verdict_of(kernel, text) != verdict) {
        FAIL() << kernel.name << " is wrong about " << hex(text);
      }
    }
  }
}

// The first and the last byte of every class that RFC 3629 §4 tells apart.
constexpr std::uint8_t kEdges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                   0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
                                   0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};

TEST(Utf8, FourBytesOfEveryClass) {
  for (const unsigned a : kEdges) {
    for (const unsigned b : kEdges) {
      for (const unsigned c : kEdges) {
        for (const unsigned d : kEdges) {
          const std::byte text[4] = {static_cast<std::byte>(a), static_cast<std::byte>(b),
                                     static_cast<std::byte>(c), static_cast<std::byte>(d)};
          ASSERT_NO_FATAL_FAILURE(expect_all_kernels(text, utf8_verdict(text)));
        }
      }
    }
  }
}

TEST(Utf8, EveryCharacterOfFourBytes) {
  for (unsigned lead = 0xf0; lead <= 0xf7; ++lead) {
    for (unsigned rest = 0; rest < 1u << 18; ++rest) {
      const std::byte text[4] = {static_cast<std::byte>(lead),
                                 static_cast<std::byte>(0x80 | rest >> 12),
                                 static_cast<std::byte>(0x80 | (rest >> 6 & 63)),
                                 static_cast<std::byte>(0x80 | (rest & 63))};
      const Utf8Verdict verdict = utf8_verdict(text);
      for (const Utf8Kernel& kernel : utf8_kernels()) {
        if (verdict_of(kernel, text) != verdict) {
          FAIL() << kernel.name << " is wrong about " << hex(text);
        }
      }
    }
  }
}

// Two bytes of every class, wherever a vector may begin or end, in front of a guard page and behind
// one, with ASCII or other text before and ASCII after.
TEST(Utf8, EveryPlaceInALongText) {
  const GuardPages pages(4096);
  const std::string_view fillers[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  const std::string after =
      "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01234567";
  for (const std::size_t suffix : {std::size_t{0}, std::size_t{1}, std::size_t{13}, after.size()}) {
    for (const std::uint8_t a : kEdges) {
      for (const std::uint8_t b : kEdges) {
        const std::string pair = {static_cast<char>(a), static_cast<char>(b)};
        const std::string text = pair + after.substr(0, suffix);
        // Whole characters in front do not change it.
        const Utf8Verdict verdict = utf8_verdict(as_bytes(text));
        for (const std::string_view filler : fillers) {
          std::string longer = text;
          while (longer.size() < text.size() + 135) {
            longer.insert(0, filler);
            ASSERT_NO_FATAL_FAILURE(
                expect_all_kernels(pages.copy_to_end(as_bytes(longer)), verdict));
            const Bytes at_start = pages.at_start(longer.size());
            std::memcpy(at_start.data(), longer.data(), longer.size());
            ASSERT_NO_FATAL_FAILURE(expect_all_kernels(at_start, verdict));
          }
        }
      }
    }
  }
}

TEST(Utf8, MixedTextAtEverySplit) {
  std::string text;
  while (text.size() < 150) text += "plain, \xc3\xa9t\xc3\xa9, \xe2\x82\xac 20, \xf0\x9f\x98\x80 ";
  for (const Utf8Kernel& kernel : utf8_kernels()) {
    ASSERT_NO_FATAL_FAILURE(expect_at_every_split(kernel, as_bytes(text)));
    ASSERT_NO_FATAL_FAILURE(expect_byte_by_byte(kernel, as_bytes(text)));
  }
}

TEST(Utf8, OneWrongByteInSixtyFourKiBIsFound) {
  std::string text;
  while (text.size() < 65536)
    text += "plain, \xc3\xa9t\xc3\xa9, \xe2\x82\xac 20, \xf0\x9f\x98\x80 ";
  ASSERT_NO_FATAL_FAILURE(expect_all_kernels(as_bytes(text), whole));
  for (std::size_t at = 0; at < text.size(); at += 61) {
    const char kept = text[at];
    text[at] = '\xff';
    ASSERT_NO_FATAL_FAILURE(expect_all_kernels(as_bytes(text), invalid));
    text[at] = kept;
  }
}

TEST(Utf8, TheScalarKernelComesLast) {
  ASSERT_FALSE(utf8_kernels().empty());
  EXPECT_STREQ(utf8_kernels().back().name, "scalar");
}

TEST(Utf8, TheBestKernelIsTheOneThatRuns) {
  for (const Row& row : kRows) {
    Utf8State state;
    EXPECT_EQ(utf8_validate(state, as_bytes(row.text)), row.verdict != invalid) << row.name;
  }
}

}  // namespace
}  // namespace spate::codec
