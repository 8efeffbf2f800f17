// Base 64 (RFC 4648 §4) into and out of spans of the caller's. No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base.h"

namespace spate::codec {

constexpr std::size_t base64_encoded_bytes(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}

// Writes base64_encoded_bytes(bytes.size()) characters, padding included, and returns their count.
// `out` must have room for them; a smaller one is a bug of the caller's.
std::size_t base64_encode(std::span<char> out, ConstBytes bytes);

enum class Base64Error : std::uint8_t {
  none,
  length,         // not a multiple of four characters
  character,      // outside the alphabet, white space included
  padding,        // '=' anywhere but as the last one or two characters
  trailing_bits,  // bits that encode nothing are not zero
  no_room,        // `out` is smaller than what the text decodes to
};

struct Base64ErrorInfo {
  Base64Error error;
  std::string_view name;
  std::string_view clause;
};

inline constexpr Base64ErrorInfo kBase64Errors[] = {
    {Base64Error::none, "none", "RFC 4648 §4"},
    {Base64Error::length, "length", "RFC 4648 §3.2"},
    {Base64Error::character, "character", "RFC 4648 §3.3"},
    {Base64Error::padding, "padding", "RFC 4648 §3.2"},
    {Base64Error::trailing_bits, "trailing_bits", "RFC 4648 §3.5"},
    {Base64Error::no_room, "no_room", ""},
};

struct [[nodiscard]] Base64Decoded {
  Base64Error error = Base64Error::none;
  std::size_t bytes = 0;  // written to `out`; 0 unless error is none

  bool ok() const { return error == Base64Error::none; }
};

// Strict: padding required, no white space, one encoding for each byte string. When it fails `out`
// may hold part of the bytes.
Base64Decoded base64_decode(Bytes out, std::string_view text);

}  // namespace spate::codec
