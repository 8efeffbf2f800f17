// Every kernel has one shape: a vector from the front and one from the back, loaded before
// anything is stored, and a loop between them. Where they overlap the same bytes are written
// twice, so there is no remainder to loop over, and nothing outside [dst, dst + bytes) is ever
// stored.
//
// Tried and lost, on a Xeon with AVX-512:
// - Masked AVX-512 loads and stores, so that 64 bytes and less need no branch at all: a masked
//   store is as wide as its vector to whatever loads next, and in a pipeline of small frames that
//   is the next frame's header. A message of 20 bytes took 12.4 ns with its parse, against 8.4 with
//   two overlapping words (`unmask_pipelined/*/20`). Beside an unmapped page a masked load costs
//   350 ns.
// - No alignment: 16 KiB behind a header of 8 bytes took 290 ns instead of 137 with AVX-512 and
//   400 instead of 240 with AVX2 (`unmask/*/16384`).
// - A call for short payloads too: inline they cost 0.5 to 1 ns less, of 3.
#include "codec/mask.h"

#include "codec/cpu.h"

#if SPATE_X86_64
#include <immintrin.h>
#endif

namespace spate::codec {
namespace {

#if SPATE_X86_64

#define SPATE_AVX2 [[gnu::target("avx2")]]
#define SPATE_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl")]]

SPATE_AVX2 inline __m256i repeat32(std::uint32_t masking_key) {
  return _mm256_set1_epi32(static_cast<int>(masking_key));
}
SPATE_AVX2 inline __m256i xor32(const std::byte* from, __m256i mask) {
  return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), mask);
}
SPATE_AVX2 inline void store32(std::byte* to, __m256i vector) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), vector);
}
SPATE_AVX512 inline __m512i repeat64(std::uint32_t masking_key) {
  return _mm512_set1_epi32(static_cast<int>(masking_key));
}
SPATE_AVX512 inline __m512i xor64(const std::byte* from, __m512i mask) {
  return _mm512_xor_si512(_mm512_loadu_si512(from), mask);
}
SPATE_AVX512 inline void store64(std::byte* to, __m512i vector) {
  _mm512_storeu_si512(to, vector);
}

constexpr int kOrOfThree = 0xfe;  // a truth table

#endif

bool unmask_scalar(std::byte* dst, const std::byte* src, std::size_t bytes,
                   std::uint32_t masking_key) {
  using Word = std::uint64_t;
  if (bytes < 16) return detail::unmask_short(dst, src, bytes, masking_key);
  const Word mask = detail::repeat<Word>(masking_key);
  const std::size_t last = bytes - sizeof(Word);
  // The tail overlaps the last whole word, which in place is unmasked before it.
  const Word tail =
      load<Word>(src + last) ^ detail::repeat<Word>(rotate_masking_key(masking_key, last));
  Word seen = tail;
  for (std::size_t at = 0; at < last; at += sizeof(Word)) {
    const Word word = load<Word>(src + at) ^ mask;
    seen |= word;
    store(dst + at, word);
  }
  store(dst + last, tail);
  return detail::is_ascii(seen);
}

#if SPATE_X86_64

bool unmask_sse2(std::byte* dst, const std::byte* src, std::size_t bytes,
                 std::uint32_t masking_key) {
  using detail::Quad;
  if (bytes <= 32) return detail::unmask_short(dst, src, bytes, masking_key);
  const Quad mask = detail::repeat<Quad>(masking_key);
  const std::size_t last = bytes - sizeof(Quad);
  const Quad tail =
      load<Quad>(src + last) ^ detail::repeat<Quad>(rotate_masking_key(masking_key, last));
  Quad seen = tail;
  std::size_t at = 0;
  for (; at + 64 <= last; at += 64) {
    const Quad a = load<Quad>(src + at) ^ mask;
    const Quad b = load<Quad>(src + at + 16) ^ mask;
    const Quad c = load<Quad>(src + at + 32) ^ mask;
    const Quad d = load<Quad>(src + at + 48) ^ mask;
    seen |= a | b | c | d;
    store(dst + at, a);
    store(dst + at + 16, b);
    store(dst + at + 32, c);
    store(dst + at + 48, d);
  }
  for (; at < last; at += sizeof(Quad)) {
    const Quad a = load<Quad>(src + at) ^ mask;
    seen |= a;
    store(dst + at, a);
  }
  store(dst + last, tail);
  return detail::is_ascii(seen);
}

// A vector at the front, a vector at the back, and between them vectors that are aligned in dst,
// because a store across two cache lines costs two. The front overlaps the first aligned vector, so
// each vector is stored only when the next has been loaded.
SPATE_AVX2 bool unmask_avx2(std::byte* dst, const std::byte* src, std::size_t bytes,
                            std::uint32_t masking_key) {
  if (bytes <= 32) return detail::unmask_short(dst, src, bytes, masking_key);
  const std::size_t last = bytes - 32;
  const __m256i tail = xor32(src + last, repeat32(rotate_masking_key(masking_key, last)));
  __m256i kept = xor32(src, repeat32(masking_key));
  std::byte* kept_for = dst;
  __m256i seen = _mm256_or_si256(kept, tail);
  std::size_t at = 32 - (reinterpret_cast<std::uintptr_t>(dst) & 31);
  const __m256i mask = repeat32(rotate_masking_key(masking_key, at));
  for (; at + 128 <= last; at += 128) {
    const __m256i a = xor32(src + at, mask);
    const __m256i b = xor32(src + at + 32, mask);
    const __m256i c = xor32(src + at + 64, mask);
    const __m256i d = xor32(src + at + 96, mask);
    seen = _mm256_or_si256(_mm256_or_si256(seen, a), _mm256_or_si256(b, _mm256_or_si256(c, d)));
    store32(kept_for, kept);
    store32(dst + at, a);
    store32(dst + at + 32, b);
    store32(dst + at + 64, c);
    kept = d;
    kept_for = dst + at + 96;
  }
  for (; at < last; at += 32) {
    const __m256i a = xor32(src + at, mask);
    seen = _mm256_or_si256(seen, a);
    store32(kept_for, kept);
    kept = a;
    kept_for = dst + at;
  }
  store32(kept_for, kept);
  store32(dst + last, tail);
  return _mm256_movemask_epi8(seen) == 0;
}

// As above, 64 bytes at a time; below 64 a pair of shorter vectors.
SPATE_AVX512 bool unmask_avx512(std::byte* dst, const std::byte* src, std::size_t bytes,
                                std::uint32_t masking_key) {
  if (bytes <= 32) return detail::unmask_short(dst, src, bytes, masking_key);
  if (bytes <= 64) {
    const std::size_t last = bytes - 32;
    const __m256i tail = xor32(src + last, repeat32(rotate_masking_key(masking_key, last)));
    const __m256i head = xor32(src, repeat32(masking_key));
    store32(dst, head);
    store32(dst + last, tail);
    return _mm256_movemask_epi8(_mm256_or_si256(head, tail)) == 0;
  }
  const std::size_t last = bytes - 64;
  const __m512i tail = xor64(src + last, repeat64(rotate_masking_key(masking_key, last)));
  __m512i kept = xor64(src, repeat64(masking_key));
  std::byte* kept_for = dst;
  __m512i seen = _mm512_or_si512(kept, tail);
  std::size_t at = 64 - (reinterpret_cast<std::uintptr_t>(dst) & 63);
  const __m512i mask = repeat64(rotate_masking_key(masking_key, at));
  for (; at + 256 <= last; at += 256) {
    const __m512i a = xor64(src + at, mask);
    const __m512i b = xor64(src + at + 64, mask);
    const __m512i c = xor64(src + at + 128, mask);
    const __m512i d = xor64(src + at + 192, mask);
    seen = _mm512_ternarylogic_epi64(seen, a, b, kOrOfThree);
    seen = _mm512_ternarylogic_epi64(seen, c, d, kOrOfThree);
    store64(kept_for, kept);
    store64(dst + at, a);
    store64(dst + at + 64, b);
    store64(dst + at + 128, c);
    kept = d;
    kept_for = dst + at + 192;
  }
  for (; at < last; at += 64) {
    const __m512i a = xor64(src + at, mask);
    seen = _mm512_or_si512(seen, a);
    store64(kept_for, kept);
    kept = a;
    kept_for = dst + at;
  }
  store64(kept_for, kept);
  store64(dst + last, tail);
  return _mm512_movepi8_mask(seen) == 0;
}

#endif

constexpr MaskKernel kKernels[] = {
#if SPATE_X86_64
    {"avx512", unmask_avx512},
    {"avx2", unmask_avx2},
    {"sse2", unmask_sse2},
#endif
    {"scalar", unmask_scalar},
};

// Asked once, because CPUID leaves a virtual machine; before any other static constructor, so that
// none can meet an empty list.
[[gnu::init_priority(101)]] const std::span<const MaskKernel> runnable = [] {
  std::span<const MaskKernel> kernels = kKernels;
#if SPATE_X86_64
  const detail::CpuFeatures cpu = detail::cpu_features();
  kernels = kernels.subspan(cpu.avx512 ? 0 : cpu.avx2 ? 1 : 2);
#endif
  return kernels;
}();

}  // namespace

std::span<const MaskKernel> mask_kernels() {
  return runnable;
}

[[gnu::init_priority(102)]] const MaskKernel detail::best_mask_kernel = runnable.front();

}  // namespace spate::codec
