// What is published in a fan-out, made to be found in whatever envelope a server delivers it in,
// and to tell all that a subscriber of another process needs to know.
//
//   | "spub" | publisher and number: 12 letters | when it was due: 16 letters | filler a … z |
//
// Letters a … p are four bits each; 28 bits of number, 20 of publisher, 64 of monotonic
// nanoseconds. Nothing in it needs an escape in JSON or elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base.h"

namespace spate::bench {

struct Publication {
  static constexpr std::string_view kMarker = "spub";
  static constexpr std::size_t kHeaderBytes = 4 + 12 + 16;
  static constexpr std::uint64_t kNumbers = std::uint64_t{1} << 28;

  std::uint32_t publisher = 0;
  std::uint64_t number = 0;  // modulo kNumbers when read
  std::uint64_t due_ns = 0;

  // Appends a payload of `bytes` ≥ kHeaderBytes.
  void write(std::string& to, std::size_t bytes) const;

  // What begins at the front of `bytes`, where the marker was found; nothing when its letters are
  // none.
  static std::optional<Publication> read(ConstBytes bytes);
  // Whether the filler behind the header is right; `payload` is the whole of it.
  [[nodiscard]] bool filler_matches(ConstBytes payload) const;
};

}  // namespace spate::bench
