// Masking of payloads (RFC 6455 §5.3): octet i is XORed with octet i modulo 4 of the masking key.
// The same function masks and unmasks.
//
//   masking_key    the four wire bytes as load<std::uint32_t>() gives them: in memory order, on
//                  any host. The first of them in memory belongs to src[0].
//   dst, src       equal, or dst anywhere below src (overlapping by any gap), or disjoint:
//
//                    dst            src
//                    |<--- gap --->|
//                    +-------------+---------------+
//                    | reply header| masked payload|     payload moves down while it is unmasked
//                    +-------------+---------------+
//
// Writes [dst, dst + bytes) and nothing else, reads [src, src + bytes) and nothing else.
// Returns true when every byte written is ASCII (< 0x80): such text needs no UTF-8 pass.
// No allocation, no failure; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base.h"

namespace spate::codec {

using UnmaskFunction = bool (*)(std::byte* dst, const std::byte* src, std::size_t bytes,
                                std::uint32_t masking_key);

struct MaskKernel {
  const char* name;
  UnmaskFunction unmask;
};

// The kernels that this CPU can run, best first; the last is always the scalar one. Lives for ever.
std::span<const MaskKernel> mask_kernels();

// The key for a part of the payload that starts `bytes` further on.
inline std::uint32_t rotate_masking_key(std::uint32_t masking_key, std::size_t bytes) {
  const int bits = static_cast<int>(bytes & 3) * 8;
  return std::endian::native == std::endian::big ? std::rotl(masking_key, bits)
                                                 : std::rotr(masking_key, bits);
}

namespace detail {

// The best kernel, chosen while the program is loaded and never written again.
extern const MaskKernel best_mask_kernel;

inline constexpr std::size_t kUnmaskInlineBytes = 32;

// Sixteen bytes in one register, on any CPU that has such.
using Quad [[gnu::vector_size(16)]] = std::uint32_t;

template <typename Word>
Word repeat(std::uint32_t masking_key) {
  if constexpr (sizeof(Word) == 16) {
    return Word{masking_key, masking_key, masking_key, masking_key};
  } else {
    return static_cast<Word>(0x0000000100000001u * masking_key);
  }
}

inline bool is_ascii(std::uint64_t word) {
  return (word & 0x8080808080808080u) == 0;
}
inline bool is_ascii(Quad quad) {
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(quad);
  return is_ascii(halves[0] | halves[1]);
}

// One word from either end; they overlap, or meet, in the middle. Both are loaded before either is
// stored, so that any overlap of dst and src is safe.
template <typename Word>
bool unmask_ends(std::byte* dst, const std::byte* src, std::size_t bytes,
                 std::uint32_t masking_key) {
  const std::size_t last = bytes - sizeof(Word);
  const Word head = load<Word>(src) ^ repeat<Word>(masking_key);
  const Word tail = load<Word>(src + last) ^ repeat<Word>(rotate_masking_key(masking_key, last));
  store(dst, head);
  store(dst + last, tail);
  return is_ascii(head | tail);
}

// At most kUnmaskInlineBytes: no loop, and no branch but on the size class.
inline bool unmask_short(std::byte* dst, const std::byte* src, std::size_t bytes,
                         std::uint32_t masking_key) {
  if (bytes >= 16) return unmask_ends<Quad>(dst, src, bytes, masking_key);
  if (bytes >= 8) return unmask_ends<std::uint64_t>(dst, src, bytes, masking_key);
  if (bytes >= 4) return unmask_ends<std::uint32_t>(dst, src, bytes, masking_key);
  if (bytes == 0) return true;
  const std::size_t middle = bytes >> 1;
  const std::size_t last = bytes - 1;
  std::byte key[4];
  store(key, masking_key);
  const std::byte a = src[0] ^ key[0];
  const std::byte b = src[middle] ^ key[middle];
  const std::byte c = src[last] ^ key[last];
  dst[0] = a;
  dst[middle] = b;
  dst[last] = c;
  return is_ascii(std::to_integer<std::uint64_t>(a | b | c));
}

}  // namespace detail

inline bool unmask(std::byte* dst, const std::byte* src, std::size_t bytes,
                   std::uint32_t masking_key) {
  if (bytes <= detail::kUnmaskInlineBytes) {
    return detail::unmask_short(dst, src, bytes, masking_key);
  }
  return detail::best_mask_kernel.unmask(dst, src, bytes, masking_key);
}

}  // namespace spate::codec
