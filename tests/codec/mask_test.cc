#include "codec/mask.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using test::GuardPages;

constexpr std::byte kKeyBytes[4] = {std::byte{0x37}, std::byte{0xfa}, std::byte{0x21},
                                    std::byte{0x3d}};
const std::uint32_t kKey = load<std::uint32_t>(kKeyBytes);
constexpr std::byte kCanary{0xc5};

// Every kernel, and the function that the server calls.
std::vector<MaskKernel> every_kernel() {
  std::vector<MaskKernel> kernels(mask_kernels().begin(), mask_kernels().end());
  kernels.push_back({"unmask", unmask});
  return kernels;
}

std::vector<std::byte> ascii(std::size_t bytes) {
  std::mt19937 random(static_cast<unsigned>(bytes) + 1);
  std::vector<std::byte> text(bytes);
  for (std::byte& b : text) b = static_cast<std::byte>(random() % 0x80);
  return text;
}

// RFC 6455 §5.3, literally.
std::vector<std::byte> masked(std::vector<std::byte> payload) {
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= kKeyBytes[i % 4];
  return payload;
}

// Places a masked payload in `arena`, unmasks it `gap` bytes further down, and compares the whole
// arena with what it should hold: the payload at its place, nothing else touched.
void expect_moved(const MaskKernel& kernel, Bytes arena, std::size_t src_at, std::size_t gap,
                  const std::vector<std::byte>& payload, bool is_ascii) {
  const std::vector<std::byte> wire = masked(payload);
  std::fill(arena.begin(), arena.end(), kCanary);
  std::copy(wire.begin(), wire.end(), arena.begin() + src_at);
  std::vector<std::byte> expected(arena.begin(), arena.end());
  std::copy(payload.begin(), payload.end(), expected.begin() + (src_at - gap));

  const bool result =
      kernel.unmask(&arena[src_at] - gap, arena.data() + src_at, payload.size(), kKey);

  ASSERT_TRUE(std::equal(arena.begin(), arena.end(), expected.begin()))
      << kernel.name << ", gap " << gap << ", " << payload.size() << " bytes";
  ASSERT_EQ(result, is_ascii) << kernel.name << ", gap " << gap << ", " << payload.size()
                              << " bytes";
}

// Against the lower guard page (dst first) and against the upper one (src last), with canaries
// between.
void expect_moved_everywhere(const GuardPages& pages, const MaskKernel& kernel, std::size_t gap,
                             const std::vector<std::byte>& payload, bool is_ascii) {
  constexpr std::size_t kCanaries = 70;
  const std::size_t extent = gap + payload.size();
  if (payload.empty()) {  // the helper addresses the first byte of the payload
    EXPECT_TRUE(kernel.unmask(pages.all().data(), pages.all().data(), 0, kKey));
    return;
  }
  expect_moved(kernel, pages.at_start(extent + kCanaries), gap, gap, payload, is_ascii);
  expect_moved(kernel, pages.at_end(extent + kCanaries), kCanaries + gap, gap, payload, is_ascii);
}

TEST(Mask, EveryGapAndLengthBetweenGuardPages) {
  const GuardPages pages(1024);
  for (const MaskKernel& kernel : every_kernel()) {
    for (std::size_t gap = 0; gap <= 200; gap += gap < 20 || gap > 60 ? (gap < 100 ? 1 : 33) : 5) {
      for (std::size_t bytes = 0; bytes <= 130; ++bytes) {
        ASSERT_NO_FATAL_FAILURE(expect_moved_everywhere(pages, kernel, gap, ascii(bytes), true));
      }
    }
  }
}

TEST(Mask, LongPayloadsAtEveryGapAndAlignment) {
  const GuardPages pages(70 * 1024);
  for (const MaskKernel& kernel : every_kernel()) {
    for (const std::size_t gap : {0, 1, 2, 3, 4, 6, 8, 10, 14, 16, 31, 63, 64, 65, 4096}) {
      for (const std::size_t bytes :
           {131, 191, 255, 256, 257, 511, 1023, 1024, 1300, 16384, 16387, 65536, 65537}) {
        ASSERT_NO_FATAL_FAILURE(expect_moved_everywhere(pages, kernel, gap, ascii(bytes), true));
      }
    }
  }
}

TEST(Mask, DisjointPlacesInEitherOrder) {
  const GuardPages pages(1024);
  for (const MaskKernel& kernel : every_kernel()) {
    for (std::size_t bytes = 1; bytes <= 300; ++bytes) {
      const std::vector<std::byte> payload = ascii(bytes);
      const std::vector<std::byte> wire = masked(payload);
      const Bytes arena = pages.at_end(2 * bytes);
      for (const std::size_t src_at : {std::size_t{0}, bytes}) {
        const Bytes src = arena.subspan(src_at, bytes);
        const Bytes dst = arena.subspan(bytes - src_at, bytes);
        std::copy(wire.begin(), wire.end(), src.begin());
        ASSERT_TRUE(kernel.unmask(dst.data(), src.data(), bytes, kKey));
        ASSERT_TRUE(std::equal(dst.begin(), dst.end(), payload.begin())) << kernel.name;
        ASSERT_TRUE(std::equal(src.begin(), src.end(), wire.begin())) << kernel.name;
      }
    }
  }
}

TEST(Mask, OneByteThatIsNotAsciiIsSeenAnywhere) {
  const GuardPages pages(1024);
  for (const MaskKernel& kernel : every_kernel()) {
    for (const std::size_t gap : {0, 4, 300}) {
      for (std::size_t bytes = 1; bytes <= 300; bytes += bytes < 140 ? 1 : 23) {
        std::vector<std::byte> payload = ascii(bytes);
        for (std::size_t at = 0; at < bytes; ++at) {
          payload[at] |= std::byte{0x80};
          ASSERT_NO_FATAL_FAILURE(expect_moved_everywhere(pages, kernel, gap, payload, false));
          payload[at] &= std::byte{0x7f};
        }
      }
    }
  }
}

TEST(Mask, APayloadInTwoPartsIsThePayload) {
  for (const MaskKernel& kernel : every_kernel()) {
    for (std::size_t bytes = 0; bytes <= 130; ++bytes) {
      const std::vector<std::byte> payload = ascii(bytes);
      for (std::size_t split = 0; split <= bytes; ++split) {
        std::vector<std::byte> wire = masked(payload);
        kernel.unmask(wire.data(), wire.data(), split, kKey);
        kernel.unmask(wire.data() + split, wire.data() + split, bytes - split,
                      rotate_masking_key(kKey, split));
        ASSERT_EQ(wire, payload) << kernel.name << ", " << bytes << " bytes split at " << split;
      }
    }
  }
}

TEST(Mask, ByteByByteIsTheWhole) {
  const std::vector<std::byte> payload = ascii(130);
  for (const MaskKernel& kernel : every_kernel()) {
    std::vector<std::byte> wire = masked(payload);
    std::uint32_t key = kKey;
    for (std::byte& b : wire) {
      kernel.unmask(&b, &b, 1, key);
      key = rotate_masking_key(key, 1);
    }
    EXPECT_EQ(wire, payload) << kernel.name;
  }
}

TEST(Mask, TheScalarKernelComesLast) {
  ASSERT_FALSE(mask_kernels().empty());
  EXPECT_STREQ(mask_kernels().back().name, "scalar");
}

TEST(Mask, RfcExample) {
  // RFC 6455 §5.7: a single-frame masked text message that contains "Hello".
  std::byte wire[5] = {std::byte{0x7f}, std::byte{0x9f}, std::byte{0x4d}, std::byte{0x51},
                       std::byte{0x58}};
  EXPECT_TRUE(unmask(wire, wire, sizeof wire, kKey));
  EXPECT_EQ(as_text(wire), "Hello");
}

}  // namespace
}  // namespace spate::codec
