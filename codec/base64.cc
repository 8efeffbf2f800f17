// One table look-up a character, four characters a turn. The server codes 20 and decodes 16 bytes
// once in a connection's life, which this does in a few nanoseconds; a vector kernel would be code
// to maintain for nothing that could be measured.
#include "codec/base64.h"

#include <array>

namespace spate::codec {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kOutside = 0x80;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kOutside);
  for (std::uint8_t value = 0; value < 64; ++value) {
    values[static_cast<unsigned char>(kAlphabet[value])] = value;
  }
  return values;
}();

std::uint32_t value_of(char c) {
  return kValues[static_cast<unsigned char>(c)];
}

// A group that holds something outside the alphabet: '=' out of place has its own name.
Base64Error blame(std::string_view group) {
  for (const char c : group) {
    if (value_of(c) == kOutside && c != '=') return Base64Error::character;
  }
  return Base64Error::padding;
}

}  // namespace

std::size_t base64_encode(std::span<char> out, ConstBytes bytes) {
  SPATE_CHECK(out.size() >= base64_encoded_bytes(bytes.size()));
  char* to = out.data();
  const auto octet = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const std::uint32_t group = octet(at) << 16 | octet(at + 1) << 8 | octet(at + 2);
    *to++ = kAlphabet[group >> 18];
    *to++ = kAlphabet[group >> 12 & 63];
    *to++ = kAlphabet[group >> 6 & 63];
    *to++ = kAlphabet[group & 63];
  }
  const std::size_t rest = bytes.size() - at;
  if (rest > 0) {
    const std::uint32_t group = octet(at) << 16 | (rest == 2 ? octet(at + 1) << 8 : 0);
    *to++ = kAlphabet[group >> 18];
    *to++ = kAlphabet[group >> 12 & 63];
    *to++ = rest == 2 ? kAlphabet[group >> 6 & 63] : '=';
    *to++ = '=';
  }
  return static_cast<std::size_t>(to - out.data());
}

Base64Decoded base64_decode(Bytes out, std::string_view text) {
  if (text.size() % 4 != 0) return {Base64Error::length, 0};
  if (text.empty()) return {};
  const std::size_t padding = !text.ends_with('=') ? 0 : !text.ends_with("==") ? 1 : 2;
  const std::size_t bytes = text.size() / 4 * 3 - padding;
  if (bytes > out.size()) return {Base64Error::no_room, 0};

  std::size_t at = 0;
  const std::size_t characters = text.size() - padding;
  std::size_t from = 0;
  for (; from + 4 <= characters; from += 4) {
    const std::uint32_t a = value_of(text[from]), b = value_of(text[from + 1]),
                        c = value_of(text[from + 2]), d = value_of(text[from + 3]);
    if (((a | b | c | d) & kOutside) != 0) return {blame(text.substr(from, 4)), 0};
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    out[at++] = static_cast<std::byte>(group >> 16);
    out[at++] = static_cast<std::byte>(group >> 8);
    out[at++] = static_cast<std::byte>(group);
  }
  if (padding == 0) return {Base64Error::none, bytes};

  const std::string_view last = text.substr(from, 4 - padding);
  const std::uint32_t a = value_of(last[0]), b = value_of(last[1]),
                      c = padding == 1 ? value_of(last[2]) : 0;
  if (((a | b | c) & kOutside) != 0) return {blame(last), 0};
  const std::uint32_t group = a << 18 | b << 12 | c << 6;
  if ((group & (padding == 1 ? 0xffu : 0xffffu)) != 0) return {Base64Error::trailing_bits, 0};
  out[at++] = static_cast<std::byte>(group >> 16);
  if (padding == 1) out[at++] = static_cast<std::byte>(group >> 8);
  return {Base64Error::none, bytes};
}

}  // namespace spate::codec
