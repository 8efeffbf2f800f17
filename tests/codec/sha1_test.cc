#include "codec/sha1.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <string>
#include <vector>

#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using test::GuardPages;

std::string hex(const Sha1Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (const std::byte b : digest) {
    digits += kDigits[std::to_integer<int>(b) >> 4];
    digits += kDigits[std::to_integer<int>(b) & 15];
  }
  return digits;
}

struct Row {
  const char* name;
  std::string message;
  const char* digest;
  const char* source;
};

std::vector<Row> rows() {
  return {
      {"abc", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d", "FIPS 180-1 appendix A"},
      {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1", "FIPS 180-1 appendix B"},
      {"a million", std::string(1'000'000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
       "FIPS 180-1 appendix C"},
      {"empty", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "NIST CAVP SHA1ShortMsg Len=0"},
      {"0123…", "0123456701234567012345670123456701234567012345670123456701234567",
       "e0c094e867ef46c350ef54a7f59dd60bed92ae83", "RFC 3174 §7.3 TEST4, once"},
  };
}

TEST(Sha1, PublishedVectors) {
  for (const Row& row : rows()) {
    for (const Sha1Kernel& kernel : sha1_kernels()) {
      EXPECT_EQ(hex(sha1(kernel, as_bytes(row.message))), row.digest)
          << kernel.name << ": " << row.name << " (" << row.source << ")";
    }
    EXPECT_EQ(hex(sha1(as_bytes(row.message))), row.digest) << row.name;
  }
}

TEST(Sha1, AgreesWithOpenSslAtEveryLengthBeforeAGuardPage) {
  const GuardPages pages(4096);
  for (std::size_t bytes = 0; bytes <= 300; ++bytes) {
    const Bytes message = pages.at_end(bytes);
    for (std::size_t i = 0; i < bytes; ++i) message[i] = static_cast<std::byte>(i * 37 + bytes);
    Sha1Digest expected;
    ASSERT_EQ(EVP_Digest(message.data(), bytes, reinterpret_cast<unsigned char*>(expected.data()),
                         nullptr, EVP_sha1(), nullptr),
              1);
    for (const Sha1Kernel& kernel : sha1_kernels()) {
      ASSERT_EQ(hex(sha1(kernel, message)), hex(expected)) << kernel.name << ", " << bytes;
    }
  }
}

TEST(Sha1, OfPaddedTakesThePaddingAsItIs) {
  std::byte block[kSha1BlockBytes] = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'},
                                      std::byte{0x80}};
  block[kSha1BlockBytes - 1] = std::byte{3 * 8};
  EXPECT_EQ(hex(sha1_of_padded(block)), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Sha1DeathTest, OfPaddedWantsWholeBlocks) {
  const std::byte part[63] = {};
  EXPECT_DEATH((void)sha1_of_padded(part), "check failed");
}

TEST(Sha1, TheScalarKernelComesLast) {
  ASSERT_FALSE(sha1_kernels().empty());
  EXPECT_STREQ(sha1_kernels().back().name, "scalar");
}

}  // namespace
}  // namespace spate::codec
