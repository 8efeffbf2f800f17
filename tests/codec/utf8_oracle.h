// UTF-8 as RFC 3629 §3 defines it, slowly: decode a character by the bits of its lead, encode the
// number again by the table, and compare. Shares nothing with the validator.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base.h"

namespace spate::test {

enum class Utf8Verdict {
  whole,       // valid, and ends between characters
  incomplete,  // some continuation makes it valid
  invalid,     // none does
};

namespace utf8_oracle {

struct Character {
  std::size_t length = 0;
  std::array<std::uint8_t, 4> octets{};
  bool operator==(const Character&) const = default;
};

inline std::size_t length_by_lead(std::uint8_t lead) {
  if ((lead & 0x80) == 0x00) return 1;
  if ((lead & 0xe0) == 0xc0) return 2;
  if ((lead & 0xf0) == 0xe0) return 3;
  if ((lead & 0xf8) == 0xf0) return 4;
  return 0;
}

inline Character encode(std::uint32_t number) {
  const auto octet = [](std::uint32_t value) { return static_cast<std::uint8_t>(value); };
  const auto low6 = [&](int shift) { return octet(0x80 | ((number >> shift) & 0x3f)); };
  if (number <= 0x7f) return {1, {octet(number)}};
  if (number <= 0x7ff) return {2, {octet(0xc0 | number >> 6), low6(0)}};
  if (number <= 0xffff) return {3, {octet(0xe0 | number >> 12), low6(6), low6(0)}};
  return {4, {octet(0xf0 | number >> 18), low6(12), low6(6), low6(0)}};
}

// All bytes that the lead asks for are there.
inline bool is_valid(const Character& character) {
  const std::uint8_t lead = character.octets[0];
  std::uint32_t number = character.length == 1 ? lead : lead & (0x7fu >> character.length);
  for (std::size_t i = 1; i < character.length; ++i) {
    if ((character.octets[i] & 0xc0) != 0x80) return false;
    number = number << 6 | (character.octets[i] & 0x3fu);
  }
  const bool surrogate = number >= 0xd800 && number <= 0xdfff;
  return number <= 0x10ffff && !surrogate && encode(number) == character;
}

// Is there a valid character with these first `known` bytes? Every value is tried for the next
// byte; those after it may be anything, because what RFC 3629 excludes are whole multiples of 64
// numbers.
inline bool can_be_valid(Character character, std::size_t known) {
  for (std::size_t i = known; i < character.length; ++i) character.octets[i] = 0x80;
  for (int octet = 0; octet < 256; ++octet) {
    character.octets[known] = static_cast<std::uint8_t>(octet);
    if (is_valid(character)) return true;
  }
  return false;
}

}  // namespace utf8_oracle

inline Utf8Verdict utf8_verdict(ConstBytes text) {
  for (std::size_t at = 0; at < text.size();) {
    utf8_oracle::Character character;
    character.length = utf8_oracle::length_by_lead(std::to_integer<std::uint8_t>(text[at]));
    if (character.length == 0) return Utf8Verdict::invalid;
    const std::size_t known = std::min(character.length, text.size() - at);
    for (std::size_t i = 0; i < known; ++i) {
      character.octets[i] = std::to_integer<std::uint8_t>(text[at + i]);
    }
    if (known < character.length) {
      return utf8_oracle::can_be_valid(character, known) ? Utf8Verdict::incomplete
                                                         : Utf8Verdict::invalid;
    }
    if (!utf8_oracle::is_valid(character)) return Utf8Verdict::invalid;
    at += known;
  }
  return Utf8Verdict::whole;
}

}  // namespace spate::test
