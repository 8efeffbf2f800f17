// The plain alphabet's coder, a block at a time, with the two characters exchanged that differ: one
// place knows what strict means. Tokens are decoded once in a connection's life.
#include "codec/base64url.h"

#include <algorithm>
#include <array>

namespace spate::codec {
namespace {

constexpr std::size_t kBlockCharacters = 256;  // a multiple of four
constexpr std::size_t kBlockBytes = kBlockCharacters / 4 * 3;

}  // namespace

std::size_t base64url_encode(std::span<char> out, ConstBytes bytes) {
  const std::size_t characters = base64url_encoded_bytes(bytes.size());
  SPATE_CHECK(out.size() >= characters);
  std::array<char, kBlockCharacters> block;
  char* to = out.data();
  while (!bytes.empty()) {
    const ConstBytes part = bytes.first(std::min(bytes.size(), kBlockBytes));
    base64_encode(block, part);
    for (const char c : std::string_view(block.data(), base64url_encoded_bytes(part.size())))
      *to++ = c == '+' ? '-' : c == '/' ? '_' : c;
    bytes = bytes.subspan(part.size());
  }
  return characters;
}

Base64Decoded base64url_decode(Bytes out, std::string_view text) {
  if (text.size() % 4 == 1) return {Base64Error::length, 0};
  if (base64url_decoded_bytes(text.size()) > out.size()) return {Base64Error::no_room, 0};
  std::array<char, kBlockCharacters> block;
  std::size_t bytes = 0;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kBlockCharacters);
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '+' || part[i] == '/') return {Base64Error::character, 0};
      if (part[i] == '=') return {Base64Error::padding, 0};
      block[i] = part[i] == '-' ? '+' : part[i] == '_' ? '/' : part[i];
    }
    const std::size_t padded = (part.size() + 3) / 4 * 4;
    std::fill(block.begin() + part.size(), block.begin() + padded, '=');
    const Base64Decoded decoded = base64_decode(out.subspan(bytes), {block.data(), padded});
    if (!decoded.ok()) return {decoded.error, 0};
    bytes += decoded.bytes;
    text.remove_prefix(part.size());
  }
  return {Base64Error::none, bytes};
}

}  // namespace spate::codec
