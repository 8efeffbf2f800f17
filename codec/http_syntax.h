// The lexical rules that heads, bodies and handshakes share (RFC 9110 §5.6): character classes in
// one 256-entry table, comparison without case, white space, and comma-separated lists. No
// allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spate::codec {

// Classes of a byte; a byte may be in several.
inline constexpr std::uint8_t kTokenChar = 1;    // RFC 9110 §5.6.2 tchar
inline constexpr std::uint8_t kTargetChar = 2;   // visible ASCII but '#': a fragment is never sent
inline constexpr std::uint8_t kValueChar = 4;    // RFC 9110 §5.5: VCHAR, obs-text, SP, HTAB
inline constexpr std::uint8_t kRegNameChar = 8;  // RFC 3986 §3.2.2 reg-name, '%' included
inline constexpr std::uint8_t kDigitChar = 16;
inline constexpr std::uint8_t kHexChar = 32;

inline constexpr std::array<std::uint8_t, 256> kHttpChars = [] {
  std::array<std::uint8_t, 256> table{};
  const auto add = [&table](std::string_view characters, std::uint8_t classes) {
    for (const char c : characters) {
      table[static_cast<unsigned char>(c)] |= classes;
    }
  };
  for (unsigned c = 0; c < 256; ++c) {
    if ((c > 0x20 && c != 0x7f) || c == ' ' || c == '\t') table[c] |= kValueChar;
    if (c > 0x20 && c < 0x7f && c != '#') table[c] |= kTargetChar;
  }
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kTokenChar | kRegNameChar);
  add("0123456789", kTokenChar | kRegNameChar | kDigitChar | kHexChar);
  add("abcdefABCDEF", kHexChar);
  add("!#$%&'*+-.^_`|~", kTokenChar);
  add("-._~!$&'()*+,;=%", kRegNameChar);
  return table;
}();

constexpr bool is_http_char(char c, std::uint8_t classes) {
  return (kHttpChars[static_cast<unsigned char>(c)] & classes) != 0;
}

constexpr bool all_http_chars(std::string_view text, std::uint8_t classes) {
  for (const char c : text) {
    if (!is_http_char(c, classes)) return false;
  }
  return true;
}

constexpr bool is_token(std::string_view text) {
  return !text.empty() && all_http_chars(text, kTokenChar);
}

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// ASCII case is ignored, every other byte must be equal.
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

// Without the optional white space (SP, HTAB) at both ends.
constexpr std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the next non-empty element off a comma-separated list (RFC 9110 §5.6.1.2: empty elements
// are ignored); an empty view means that the list is at its end. Elements are trimmed and alias the
// list.
constexpr std::string_view next_list_element(std::string_view& list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim_ows(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!element.empty()) return element;
  }
  return {};
}

}  // namespace spate::codec
