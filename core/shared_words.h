// Bytes that one process may be overwriting while another copies them, eight at a time: stores with
// release and loads with acquire, which on x86-64 and arm64 are plain ones. A reader that has seen
// any new word has also seen what the writer stored before it, so that a word which the writer
// changes first tells whether a copy is whole. memcpy() between fences is the same on the machine,
// but a race in the language, and ThreadSanitizer says so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base.h"

namespace spate::core {

inline void store_word(std::byte* to, std::uint64_t word) {
  std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(to))
      .store(word, std::memory_order_release);
}

inline std::uint64_t load_word(const std::byte* from) {
  auto* const word = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(from));
  return std::atomic_ref<std::uint64_t>(*word).load(std::memory_order_acquire);
}

// To 8-aligned memory, the last word filled up with zeros.
inline void store_words(std::byte* to, ConstBytes bytes) {
  const std::size_t whole = bytes.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) store_word(to + i, load<std::uint64_t>(&bytes[i]));
  if (whole == bytes.size()) return;
  std::uint64_t last = 0;
  std::memcpy(&last, bytes.data() + whole, bytes.size() - whole);
  store_word(to + whole, last);
}

// From 8-aligned memory; `to` has room for whole words.
inline void load_words(std::byte* to, const std::byte* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 8) store(to + i, load_word(from + i));
}

}  // namespace spate::core
