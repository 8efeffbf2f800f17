// Base 64 with the URL-safe alphabet and without padding (RFC 4648 §5, as RFC 7515 §2 uses it):
// how tokens and keys are written. No allocation; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "codec/base64.h"
#include "core/base.h"

namespace spate::codec {

constexpr std::size_t base64url_encoded_bytes(std::size_t bytes) {
  return bytes / 3 * 4 + (bytes % 3 == 0 ? 0 : bytes % 3 + 1);
}

// Of a text that decodes.
constexpr std::size_t base64url_decoded_bytes(std::size_t characters) {
  return characters / 4 * 3 + (characters % 4 == 0 ? 0 : characters % 4 - 1);
}

// Writes base64url_encoded_bytes(bytes.size()) characters and returns their count. `out` must have
// room for them; a smaller one is a bug of the caller's.
std::size_t base64url_encode(std::span<char> out, ConstBytes bytes);

// Strict: no padding, no white space, one encoding for each byte string. When it fails `out` may
// hold part of the bytes.
Base64Decoded base64url_decode(Bytes out, std::string_view text);

}  // namespace spate::codec
