// The vector kernels are the look-up algorithm of John Keiser and Daniel Lemire, "Validating UTF-8
// in less than one instruction per byte" (Software: Practice and Experience 51, 2021): every pair
// of neighbouring bytes is classified by three look-ups on nibbles. They hold no state: a chunk's
// edges are walked by step(), byte by byte, which is also what makes the answer fail-fast.
//
// Tried and lost, on a Xeon with AVX-512:
// - The three bytes before each block loaded again from memory instead of shifted in from the last
//   block: as fast with AVX2 and AVX-512 (`utf8/*/mixed/16384`), and the first block becomes a
//   special case.
// - The rest of a text copied into a zeroed block (AVX2): 125 bytes took 37 ns, and 32 when the
//   last block is loaded so that it ends where the text does (`utf8/avx2/mixed/125`).
// - Kernels that carry their own state from chunk to chunk: an error in the last bytes of a chunk
//   then shows only with the next one.
#include "codec/utf8.h"

#include "codec/cpu.h"

#if SPATE_X86_64
#include <immintrin.h>
#endif

namespace spate::codec {
namespace {

constexpr std::uint64_t kNonAscii = 0x8080808080808080u;

// RFC 3629 §4, one case for each line of its grammar.
[[gnu::always_inline]] inline bool begin_character(Utf8State& state, std::uint8_t lead) {
  if (lead < 0x80) return true;
  if (lead < 0xc2) return false;  // a continuation, or an overlong form of ASCII
  if (lead < 0xe0) {
    state = {1, 0x80, 0xbf};
  } else if (lead < 0xf0) {
    // E0 80-9F would be overlong, ED A0-BF a surrogate.
    state = {2, lead == 0xe0 ? std::uint8_t{0xa0} : std::uint8_t{0x80},
             lead == 0xed ? std::uint8_t{0x9f} : std::uint8_t{0xbf}};
  } else if (lead < 0xf5) {
    // F0 80-8F would be overlong, F4 90-BF beyond U+10FFFF.
    state = {3, lead == 0xf0 ? std::uint8_t{0x90} : std::uint8_t{0x80},
             lead == 0xf4 ? std::uint8_t{0x8f} : std::uint8_t{0xbf}};
  } else {
    return false;
  }
  return true;
}

bool step(Utf8State& state, std::byte next) {
  const auto octet = std::to_integer<std::uint8_t>(next);
  if (state.missing == 0) return begin_character(state, octet);
  if (octet < state.lowest || octet > state.highest) return false;
  --state.missing;
  state.lowest = 0x80;
  state.highest = 0xbf;
  return true;
}

// How many of the last bytes begin a character that the text does not finish, going by the lead
// alone. What they hold is for step() to judge; what comes before them must be a whole text.
std::size_t unfinished_bytes(const std::byte* text, std::size_t bytes) {
  if (bytes == 0 || text[bytes - 1] < std::byte{0x80}) return 0;
  if (text[bytes - 1] >= std::byte{0xc0}) return 1;
  if (bytes >= 2 && text[bytes - 2] >= std::byte{0xe0}) return 2;
  if (bytes >= 3 && text[bytes - 3] >= std::byte{0xf0}) return 3;
  return 0;
}

bool valid_scalar(const std::byte* text, std::size_t bytes) {
  const auto octet = [&](std::size_t at) { return std::to_integer<std::uint8_t>(text[at]); };
  const auto continues = [&](std::size_t at) { return (octet(at) & 0xc0) == 0x80; };
  std::size_t at = 0;
  while (at < bytes) {
    if (at + 8 <= bytes && (load<std::uint64_t>(text + at) & kNonAscii) == 0) {
      at += 8;
      continue;
    }
    Utf8State character;
    if (!begin_character(character, octet(at++))) return false;
    if (character.missing == 0) continue;
    if (bytes - at < character.missing) return false;
    if (octet(at) < character.lowest || octet(at) > character.highest) return false;
    if (character.missing > 1 && !continues(at + 1)) return false;
    if (character.missing > 2 && !continues(at + 2)) return false;
    at += character.missing;
  }
  return true;
}

#if SPATE_X86_64

// What is wrong with a byte, going by it and the one before: each bit is a product of three sets of
// nibbles, so that three look-ups of 16 entries, ANDed, tell all pairs of bytes apart.
struct PairRule {
  std::uint8_t bit;
  std::uint16_t first_high;  // sets of nibbles, bit n for nibble n
  std::uint16_t first_low;
  std::uint16_t second_high;
};

constexpr std::uint16_t nibbles(int from, int to) {
  return static_cast<std::uint16_t>((2u << to) - (1u << from));
}

constexpr std::uint16_t kAny = nibbles(0x0, 0xf);
constexpr std::uint16_t kContinuation = nibbles(0x8, 0xb);
// Two continuations in a row are right exactly where a character of three or four bytes began two
// or three bytes ago; that this bit is the sign bit lets one comparison decide it.
constexpr std::uint8_t kTwoContinuations = 0x80;
constexpr PairRule kPairRules[] = {
    {kTwoContinuations, kContinuation, kAny, kContinuation},
    {0x01, nibbles(0xc, 0xf), kAny, static_cast<std::uint16_t>(kAny ^ kContinuation)},  // cut short
    {0x02, nibbles(0x0, 0x7), kAny, kContinuation},                   // continues ASCII
    {0x04, nibbles(0xc, 0xc), nibbles(0x0, 0x1), kContinuation},      // C0, C1: overlong
    {0x08, nibbles(0xe, 0xe), nibbles(0x0, 0x0), nibbles(0x8, 0x9)},  // E0 80-9F: overlong
    {0x10, nibbles(0xe, 0xe), nibbles(0xd, 0xd), nibbles(0xa, 0xb)},  // ED A0-BF: surrogate
    {0x20, nibbles(0xf, 0xf), nibbles(0x4, 0xf), nibbles(0x9, 0xb)},  // F4 90, F5-FF: too large
    {0x40, nibbles(0xf, 0xf), static_cast<std::uint16_t>(nibbles(0x0, 0x0) | nibbles(0x5, 0xf)),
     nibbles(0x8, 0x8)},  // F0 80: overlong, F5-FF 80: too large
};

// Sixteen entries, once for each lane of the widest vector.
struct alignas(64) NibbleTable {
  std::uint8_t errors[64];
};

constexpr NibbleTable table_of(std::uint16_t PairRule::*set) {
  NibbleTable table{};
  for (const PairRule& rule : kPairRules) {
    for (int i = 0; i < 64; ++i) {
      if ((rule.*set >> i % 16 & 1) != 0) table.errors[i] |= rule.bit;
    }
  }
  return table;
}

constexpr NibbleTable kFirstHigh = table_of(&PairRule::first_high);
constexpr NibbleTable kFirstLow = table_of(&PairRule::first_low);
constexpr NibbleTable kSecondHigh = table_of(&PairRule::second_high);

// Subtracted with saturation, these leave the sign bit only in leads of three bytes and more, or of
// four.
constexpr char kThreeOrMore = static_cast<char>(0xe0 - 0x80);
constexpr char kFour = static_cast<char>(0xf0 - 0x80);

#define SPATE_SSSE3 [[gnu::target("ssse3")]]
#define SPATE_AVX2 [[gnu::target("avx2")]]
#define SPATE_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl,bmi2")]]

SPATE_SSSE3 inline __m128i load16(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// Not zero where something is wrong in `block`, which follows `before`.
SPATE_SSSE3 inline __m128i errors_of(__m128i block, __m128i before) {
  const __m128i low = _mm_set1_epi8(0x0f);
  const __m128i back1 = _mm_alignr_epi8(block, before, 15);
  const __m128i back2 = _mm_alignr_epi8(block, before, 14);
  const __m128i back3 = _mm_alignr_epi8(block, before, 13);
  const __m128i first_high =
      _mm_shuffle_epi8(load16(&kFirstHigh), _mm_and_si128(_mm_srli_epi16(back1, 4), low));
  const __m128i first_low = _mm_shuffle_epi8(load16(&kFirstLow), _mm_and_si128(back1, low));
  const __m128i second_high =
      _mm_shuffle_epi8(load16(&kSecondHigh), _mm_and_si128(_mm_srli_epi16(block, 4), low));
  const __m128i pairs = _mm_and_si128(_mm_and_si128(first_high, first_low), second_high);
  const __m128i continues = _mm_or_si128(_mm_subs_epu8(back2, _mm_set1_epi8(kThreeOrMore)),
                                         _mm_subs_epu8(back3, _mm_set1_epi8(kFour)));
  return _mm_xor_si128(pairs, _mm_and_si128(continues, _mm_set1_epi8(-128)));
}

SPATE_SSSE3 bool valid_ssse3(const std::byte* text, std::size_t bytes) {
  if (bytes < 32) return valid_scalar(text, bytes);
  if (unfinished_bytes(text, bytes) != 0) return false;
  __m128i before = _mm_setzero_si128();
  __m128i errors = before;
  std::size_t at = 0;
  while (at + 16 <= bytes) {
    const __m128i block = load16(text + at);
    // ASCII behind ASCII needs no look.
    if (_mm_movemask_epi8(_mm_or_si128(block, before)) != 0) {
      errors = _mm_or_si128(errors, errors_of(block, before));
    }
    before = block;
    at += 16;
  }
  if (at < bytes) {
    errors = _mm_or_si128(errors, errors_of(load16(text + bytes - 16), load16(text + bytes - 32)));
  }
  return _mm_movemask_epi8(_mm_cmpeq_epi8(errors, _mm_setzero_si128())) == 0xffff;
}

SPATE_AVX2 inline __m256i load32(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

SPATE_AVX2 inline __m256i errors_of(__m256i block, __m256i before) {
  const __m256i low = _mm256_set1_epi8(0x0f);
  const __m256i across = _mm256_permute2x128_si256(before, block, 0x21);
  const __m256i back1 = _mm256_alignr_epi8(block, across, 15);
  const __m256i back2 = _mm256_alignr_epi8(block, across, 14);
  const __m256i back3 = _mm256_alignr_epi8(block, across, 13);
  const __m256i first_high =
      _mm256_shuffle_epi8(load32(&kFirstHigh), _mm256_and_si256(_mm256_srli_epi16(back1, 4), low));
  const __m256i first_low = _mm256_shuffle_epi8(load32(&kFirstLow), _mm256_and_si256(back1, low));
  const __m256i second_high =
      _mm256_shuffle_epi8(load32(&kSecondHigh), _mm256_and_si256(_mm256_srli_epi16(block, 4), low));
  const __m256i pairs = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
  const __m256i continues = _mm256_or_si256(_mm256_subs_epu8(back2, _mm256_set1_epi8(kThreeOrMore)),
                                            _mm256_subs_epu8(back3, _mm256_set1_epi8(kFour)));
  return _mm256_xor_si256(pairs, _mm256_and_si256(continues, _mm256_set1_epi8(-128)));
}

SPATE_AVX2 bool valid_avx2(const std::byte* text, std::size_t bytes) {
  if (bytes < 64) return valid_ssse3(text, bytes);
  if (unfinished_bytes(text, bytes) != 0) return false;
  __m256i before = _mm256_setzero_si256();
  __m256i errors = before;
  std::size_t at = 0;
  while (at + 32 <= bytes) {
    const __m256i block = load32(text + at);
    const bool ascii = _mm256_movemask_epi8(_mm256_or_si256(block, before)) == 0;
    if (!ascii) errors = _mm256_or_si256(errors, errors_of(block, before));
    before = block;
    at += 32;
    while (ascii && at + 128 <= bytes) {
      const __m256i four =
          _mm256_or_si256(_mm256_or_si256(load32(text + at), load32(text + at + 32)),
                          _mm256_or_si256(load32(text + at + 64), load32(text + at + 96)));
      if (_mm256_movemask_epi8(four) != 0) break;
      at += 128;
    }
  }
  if (at < bytes) {
    errors =
        _mm256_or_si256(errors, errors_of(load32(text + bytes - 32), load32(text + bytes - 64)));
  }
  return _mm256_testz_si256(errors, errors) != 0;
}

constexpr int kAndOfThree = 0x80;  // a truth table

SPATE_AVX512 inline __m512i load64(const void* from) {
  return _mm512_loadu_si512(from);
}

SPATE_AVX512 inline __m512i errors_of(__m512i block, __m512i before) {
  const __m512i low = _mm512_set1_epi8(0x0f);
  // The plain form would do: GCC 12 warns about an uninitialised variable in its own header.
  const __m512i across = _mm512_maskz_alignr_epi64(0xff, block, before, 6);
  const __m512i back1 = _mm512_alignr_epi8(block, across, 15);
  const __m512i back2 = _mm512_alignr_epi8(block, across, 14);
  const __m512i back3 = _mm512_alignr_epi8(block, across, 13);
  const __m512i first_high =
      _mm512_shuffle_epi8(load64(&kFirstHigh), _mm512_and_si512(_mm512_srli_epi16(back1, 4), low));
  const __m512i first_low = _mm512_shuffle_epi8(load64(&kFirstLow), _mm512_and_si512(back1, low));
  const __m512i second_high =
      _mm512_shuffle_epi8(load64(&kSecondHigh), _mm512_and_si512(_mm512_srli_epi16(block, 4), low));
  const __m512i pairs = _mm512_ternarylogic_epi64(first_high, first_low, second_high, kAndOfThree);
  const __m512i continues = _mm512_or_si512(_mm512_subs_epu8(back2, _mm512_set1_epi8(kThreeOrMore)),
                                            _mm512_subs_epu8(back3, _mm512_set1_epi8(kFour)));
  return _mm512_xor_si512(pairs, _mm512_and_si512(continues, _mm512_set1_epi8(-128)));
}

SPATE_AVX512 bool valid_avx512(const std::byte* text, std::size_t bytes) {
  if (unfinished_bytes(text, bytes) != 0) return false;
  __m512i before = _mm512_setzero_si512();
  __m512i errors = before;
  std::size_t at = 0;
  while (at + 64 <= bytes) {
    const __m512i block = load64(text + at);
    const bool ascii = _mm512_movepi8_mask(_mm512_or_si512(block, before)) == 0;
    if (!ascii) errors = _mm512_or_si512(errors, errors_of(block, before));
    before = block;
    at += 64;
    while (ascii && at + 256 <= bytes) {
      const __m512i four =
          _mm512_or_si512(_mm512_or_si512(load64(text + at), load64(text + at + 64)),
                          _mm512_or_si512(load64(text + at + 128), load64(text + at + 192)));
      if (_mm512_movepi8_mask(four) != 0) break;
      at += 256;
    }
  }
  if (at < bytes) {
    const __mmask64 lanes = _bzhi_u64(~0ull, static_cast<unsigned>(bytes - at));
    const __m512i block = _mm512_maskz_loadu_epi8(lanes, text + at);
    if (_mm512_movepi8_mask(_mm512_or_si512(block, before)) != 0) {
      errors = _mm512_or_si512(errors, errors_of(block, before));
    }
  }
  return _mm512_test_epi8_mask(errors, errors) == 0;
}

#endif

constexpr Utf8Kernel kKernels[] = {
#if SPATE_X86_64
    {"avx512", valid_avx512},
    {"avx2", valid_avx2},
    {"ssse3", valid_ssse3},
#endif
    {"scalar", valid_scalar},
};

// Asked once, because CPUID leaves a virtual machine; before any other static constructor, so that
// none can meet an empty list.
[[gnu::init_priority(101)]] const std::span<const Utf8Kernel> runnable = [] {
  std::span<const Utf8Kernel> kernels = kKernels;
#if SPATE_X86_64
  const detail::CpuFeatures cpu = detail::cpu_features();
  kernels = kernels.subspan(cpu.avx512 ? 0 : cpu.avx2 ? 1 : cpu.ssse3 ? 2 : 3);
#endif
  return kernels;
}();

}  // namespace

std::span<const Utf8Kernel> utf8_kernels() {
  return runnable;
}

bool utf8_validate(Utf8State& state, ConstBytes chunk) {
  return utf8_validate(runnable.front(), state, chunk);
}

bool utf8_validate(const Utf8Kernel& kernel, Utf8State& state, ConstBytes chunk) {
  std::size_t at = 0;
  for (; state.missing != 0; ++at) {
    if (at == chunk.size()) return true;
    if (!step(state, chunk[at])) return false;
  }
  const ConstBytes text = chunk.subspan(at);
  const std::size_t whole = text.size() - unfinished_bytes(text.data(), text.size());
  if (!kernel.valid(text.data(), whole)) return false;
  for (const std::byte next : text.subspan(whole)) {
    if (!step(state, next)) return false;
  }
  return true;
}

}  // namespace spate::codec
