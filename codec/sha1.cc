// The SHA extensions do four rounds in one instruction and run as fast as OpenSSL's assembly,
// which uses them too (`sha1/sha/*` beside `sha1/openssl/*`). The scalar kernel, for x86 before
// Ice Lake and Zen and for other CPUs, is the standard's own text and six to eight times slower:
// under a microsecond once in a connection's life. Five rounds written out a turn made it a
// quarter faster than one; a vectorised message schedule was not tried for so little.
#include "codec/sha1.h"

#include <bit>
#include <cstring>

#include "codec/cpu.h"

#if SPATE_X86_64
#include <immintrin.h>
#endif

namespace spate::codec {
namespace {

using HashValue = std::array<std::uint32_t, 5>;
constexpr HashValue kInitial = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

Sha1Digest digest_of(const HashValue& hash) {
  Sha1Digest digest;
  for (std::size_t i = 0; i < hash.size(); ++i) store(digest.data() + 4 * i, big_endian(hash[i]));
  return digest;
}

// The functions of FIPS 180-4 §4.1.1.
constexpr auto kChoose = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  return z ^ (x & (y ^ z));
};
constexpr auto kParity = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  return x ^ y ^ z;
};
constexpr auto kMajority = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  return (x & y) | (z & (x | y));
};

// Five rounds a turn, each with the names moved on by one, so that no value has
// to move instead.
template <typename Function>
void twenty_rounds(HashValue& v, const std::uint32_t* w, std::uint32_t k, Function f) {
  const auto round = [&](std::uint32_t a, std::uint32_t& b, std::uint32_t c, std::uint32_t d,
                         std::uint32_t& e, std::uint32_t word) {
    e += std::rotl(a, 5) + f(b, c, d) + k + word;
    b = std::rotl(b, 30);
  };
  auto [a, b, c, d, e] = v;
  for (int t = 0; t < 20; t += 5) {
    round(a, b, c, d, e, w[t]);
    round(e, a, b, c, d, w[t + 1]);
    round(d, e, a, b, c, w[t + 2]);
    round(c, d, e, a, b, w[t + 3]);
    round(b, c, d, e, a, w[t + 4]);
  }
  v = {a, b, c, d, e};
}

void compress_scalar(std::uint32_t* hash, const std::byte* blocks, std::size_t count) {
  for (; count > 0; --count, blocks += kSha1BlockBytes) {
    std::uint32_t w[80];
    for (int t = 0; t < 16; ++t) w[t] = big_endian(load<std::uint32_t>(blocks + 4 * t));
    for (int t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    HashValue v = {hash[0], hash[1], hash[2], hash[3], hash[4]};
    twenty_rounds(v, w, 0x5a827999, kChoose);
    twenty_rounds(v, w + 20, 0x6ed9eba1, kParity);
    twenty_rounds(v, w + 40, 0x8f1bbcdc, kMajority);
    twenty_rounds(v, w + 60, 0xca62c1d6, kParity);
    for (std::size_t i = 0; i < v.size(); ++i) hash[i] += v[i];
  }
}

#if SPATE_X86_64

#define SPATE_SHA [[gnu::target("sha,ssse3,sse4.1")]]

// The next four words of the message schedule from the sixteen before them.
SPATE_SHA inline __m128i schedule(__m128i w0, __m128i w1, __m128i w2, __m128i w3) {
  return _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2), w3);
}

// `earlier` is abcd as it was four rounds ago: its a, rotated, is the e of now.
template <int kFunction>
SPATE_SHA inline void four_rounds(__m128i& abcd, __m128i& earlier, __m128i w) {
  const __m128i e_and_w = _mm_sha1nexte_epu32(earlier, w);
  earlier = abcd;
  abcd = _mm_sha1rnds4_epu32(abcd, e_and_w, kFunction);
}

SPATE_SHA void compress_sha(std::uint32_t* hash, const std::byte* blocks, std::size_t count) {
  const __m128i big_endian_words = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
  const auto* first = reinterpret_cast<const __m128i*>(blocks);
  __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(hash)), 0x1b);
  __m128i e = _mm_set_epi32(static_cast<int>(hash[4]), 0, 0, 0);
  for (; count > 0; --count, first += 4) {
    const __m128i abcd_before = abcd;
    const __m128i e_before = e;
    __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128(first + 0), big_endian_words);
    __m128i w1 = _mm_shuffle_epi8(_mm_loadu_si128(first + 1), big_endian_words);
    __m128i w2 = _mm_shuffle_epi8(_mm_loadu_si128(first + 2), big_endian_words);
    __m128i w3 = _mm_shuffle_epi8(_mm_loadu_si128(first + 3), big_endian_words);
    __m128i earlier = abcd;
    abcd = _mm_sha1rnds4_epu32(abcd, _mm_add_epi32(e, w0), 0);
    four_rounds<0>(abcd, earlier, w1);
    four_rounds<0>(abcd, earlier, w2);
    four_rounds<0>(abcd, earlier, w3);
    w0 = schedule(w0, w1, w2, w3);
    four_rounds<0>(abcd, earlier, w0);
    w1 = schedule(w1, w2, w3, w0);
    four_rounds<1>(abcd, earlier, w1);
    w2 = schedule(w2, w3, w0, w1);
    four_rounds<1>(abcd, earlier, w2);
    w3 = schedule(w3, w0, w1, w2);
    four_rounds<1>(abcd, earlier, w3);
    w0 = schedule(w0, w1, w2, w3);
    four_rounds<1>(abcd, earlier, w0);
    w1 = schedule(w1, w2, w3, w0);
    four_rounds<1>(abcd, earlier, w1);
    w2 = schedule(w2, w3, w0, w1);
    four_rounds<2>(abcd, earlier, w2);
    w3 = schedule(w3, w0, w1, w2);
    four_rounds<2>(abcd, earlier, w3);
    w0 = schedule(w0, w1, w2, w3);
    four_rounds<2>(abcd, earlier, w0);
    w1 = schedule(w1, w2, w3, w0);
    four_rounds<2>(abcd, earlier, w1);
    w2 = schedule(w2, w3, w0, w1);
    four_rounds<2>(abcd, earlier, w2);
    w3 = schedule(w3, w0, w1, w2);
    four_rounds<3>(abcd, earlier, w3);
    w0 = schedule(w0, w1, w2, w3);
    four_rounds<3>(abcd, earlier, w0);
    w1 = schedule(w1, w2, w3, w0);
    four_rounds<3>(abcd, earlier, w1);
    w2 = schedule(w2, w3, w0, w1);
    four_rounds<3>(abcd, earlier, w2);
    w3 = schedule(w3, w0, w1, w2);
    four_rounds<3>(abcd, earlier, w3);
    abcd = _mm_add_epi32(abcd, abcd_before);
    e = _mm_sha1nexte_epu32(earlier, e_before);
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(hash), _mm_shuffle_epi32(abcd, 0x1b));
  hash[4] = static_cast<std::uint32_t>(_mm_extract_epi32(e, 3));
}

#endif

constexpr Sha1Kernel kKernels[] = {
#if SPATE_X86_64
    {"sha", compress_sha},
#endif
    {"scalar", compress_scalar},
};

// Asked once, because CPUID leaves a virtual machine; before any other static constructor, so that
// none can meet an empty list.
[[gnu::init_priority(101)]] const std::span<const Sha1Kernel> runnable = [] {
  std::span<const Sha1Kernel> kernels = kKernels;
#if SPATE_X86_64
  kernels = kernels.subspan(detail::cpu_features().sha ? 0 : 1);
#endif
  return kernels;
}();

}  // namespace

std::span<const Sha1Kernel> sha1_kernels() {
  return runnable;
}

Sha1Digest sha1_of_padded(ConstBytes blocks) {
  SPATE_CHECK(blocks.size() % kSha1BlockBytes == 0);
  HashValue hash = kInitial;
  runnable.front().compress(hash.data(), blocks.data(), blocks.size() / kSha1BlockBytes);
  return digest_of(hash);
}

Sha1Digest sha1(ConstBytes message) {
  return sha1(runnable.front(), message);
}

Sha1Digest sha1(const Sha1Kernel& kernel, ConstBytes message) {
  HashValue hash = kInitial;
  const std::size_t whole = message.size() / kSha1BlockBytes;
  kernel.compress(hash.data(), message.data(), whole);

  // FIPS 180-4 §5.1.1: a one bit, zeros, the length in bits as 64 bits at the end of a block.
  const ConstBytes rest = message.subspan(whole * kSha1BlockBytes);
  std::byte padded[2 * kSha1BlockBytes] = {};
  if (!rest.empty()) std::memcpy(padded, rest.data(), rest.size());
  padded[rest.size()] = std::byte{0x80};
  const std::size_t blocks = rest.size() + 1 + 8 <= kSha1BlockBytes ? 1 : 2;
  store(padded + blocks * kSha1BlockBytes - 8, big_endian(std::uint64_t{message.size()} * 8));
  kernel.compress(hash.data(), padded, blocks);
  return digest_of(hash);
}

}  // namespace spate::codec
