#include "core/siphash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

namespace spate::core {
namespace {

// Key and input of the reference implementation's vectors: 00 01 … 0f, and the first n of 00 01 ….
constexpr HashKey kReferenceKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string counting(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::iota(text.begin(), text.end(), '\0');
  return text;
}

TEST(SipHash, TheReferenceVectorsOf128Bits) {
  EXPECT_EQ(siphash128(kReferenceKey, ""), (Hash128{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(siphash128(kReferenceKey, counting(1)),
            (Hash128{0x44af996bd8c187da, 0x45fc229b11597634}));
}

TEST(SipHash, EveryByteAndEveryLengthCounts) {
  const std::string text = counting(64);
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    const std::string_view part(text.data(), bytes);
    EXPECT_NE(siphash64(kReferenceKey, part), siphash64(kReferenceKey, text));
    for (std::size_t at = 0; at < bytes; ++at) {
      std::string other(part);
      other[at] = static_cast<char>(other[at] ^ 1);
      EXPECT_NE(siphash64(kReferenceKey, other), siphash64(kReferenceKey, part));
      EXPECT_NE(siphash128(kReferenceKey, other), siphash128(kReferenceKey, part));
    }
  }
}

TEST(SipHash, AnotherKeyIsAnotherFunction) {
  const HashKey other{kReferenceKey[0], kReferenceKey[1] + 1};
  EXPECT_NE(siphash64(other, "news"), siphash64(kReferenceKey, "news"));
  EXPECT_NE(siphash128(other, "news"), siphash128(kReferenceKey, "news"));
}

}  // namespace
}  // namespace spate::core
