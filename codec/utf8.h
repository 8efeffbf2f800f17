// UTF-8 (RFC 3629) validated as it arrives, as RFC 6455 §8.1 asks of text messages and close
// reasons.
//
// Fail-fast: the answer is false as soon as the bytes seen so far cannot begin any valid text, even
// when the byte that shows it (F5, or the second of E0 80, ED A0, F4 90) is the last of its chunk.
// A message is valid when every chunk was and utf8_complete() holds at its end.
//
//   Utf8State state;
//   for each chunk: if (!utf8_validate(state, chunk)) -> 1007
//   at the end:     if (!utf8_complete(state)) -> 1007
//
// No allocation; reads nothing outside the chunk and keeps no reference to it; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base.h"

namespace spate::codec {

// Where the text stands: between characters (all zero), or inside one of which `missing` bytes have
// not been seen and the next must lie in [lowest, highest] (RFC 3629 §4). Four bytes to keep with a
// message.
struct Utf8State {
  std::uint8_t missing = 0;
  std::uint8_t lowest = 0;
  std::uint8_t highest = 0;
};

// After false the state means nothing; the message is lost.
[[nodiscard]] bool utf8_validate(Utf8State& state, ConstBytes chunk);

// True between characters: what was seen is a whole text.
[[nodiscard]] inline bool utf8_complete(const Utf8State& state) {
  return state.missing == 0;
}

struct Utf8Kernel {
  const char* name;
  // Is this a whole, valid text?
  bool (*valid)(const std::byte* text, std::size_t bytes);
};

// The kernels that this CPU can run, best first; the last is always the scalar one. Lives for ever.
std::span<const Utf8Kernel> utf8_kernels();

// With a kernel of the caller's choice: for tests and benchmarks.
[[nodiscard]] bool utf8_validate(const Utf8Kernel& kernel, Utf8State& state, ConstBytes chunk);

}  // namespace spate::codec
