// SipHash (Aumasson and Bernstein, 2012): a keyed hash. Who does not know the key cannot choose
// names that meet in one place of a table, and 128 bits of it tell names apart for good.
//
// siphash64 is SipHash-1-3, for tables: about 10 ns for a channel's name. siphash128 is
// SipHash-2-4-128, for hashes that stand for what they were made of.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "core/base.h"

namespace spate::core {

using HashKey = std::array<std::uint64_t, 2>;
using Hash128 = std::array<std::uint64_t, 2>;

namespace siphash_detail {

inline std::uint64_t little_endian(std::uint64_t value) {
  return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
}

struct State {
  std::uint64_t v0, v1, v2, v3;

  explicit State(const HashKey& key)
      : v0(key[0] ^ 0x736f6d6570736575),
        v1(key[1] ^ 0x646f72616e646f6d),
        v2(key[0] ^ 0x6c7967656e657261),
        v3(key[1] ^ 0x7465646279746573) {}

  template <int kRounds>
  void rounds() {
    for (int i = 0; i < kRounds; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  template <int kRounds>
  void take(std::uint64_t word) {
    v3 ^= word;
    rounds<kRounds>();
    v0 ^= word;
  }
  template <int kRounds>
  void take(std::string_view text) {
    const auto* at = reinterpret_cast<const std::byte*>(text.data());
    const std::size_t whole = text.size() / 8;
    for (std::size_t i = 0; i < whole; ++i)
      take<kRounds>(little_endian(load<std::uint64_t>(at + i * 8)));
    std::uint64_t last = 0;
    if (const std::size_t rest = text.size() % 8; rest > 0)
      std::memcpy(&last, at + whole * 8, rest);
    take<kRounds>(little_endian(last) | std::uint64_t{text.size()} << 56);
  }
  std::uint64_t value() const { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace siphash_detail

inline std::uint64_t siphash64(const HashKey& key, std::string_view text) {
  siphash_detail::State state(key);
  state.take<1>(text);
  state.v2 ^= 0xff;
  state.rounds<3>();
  return state.value();
}

inline Hash128 siphash128(const HashKey& key, std::string_view text) {
  siphash_detail::State state(key);
  state.v1 ^= 0xee;
  state.take<2>(text);
  state.v2 ^= 0xee;
  state.rounds<4>();
  const std::uint64_t low = state.value();
  state.v1 ^= 0xdd;
  state.rounds<4>();
  return {low, state.value()};
}

}  // namespace spate::core
