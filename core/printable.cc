// A character at a time and without tables: this runs for log lines and error lines, not for
// messages.
#include "core/printable.h"

namespace spate::core {
namespace {

void append_hex(std::string& out, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

bool continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace

std::size_t utf8_character_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i)
    if (!continuation(text[i])) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || beyond ? 0 : bytes;
}

void append_printable(std::string& out, std::string_view text, std::size_t max_bytes) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t bytes = utf8_character_bytes(text.substr(at));
    const std::size_t step = bytes == 0 ? 1 : bytes;
    if (at + step > max_bytes) {
      out += "…";
      return;
    }
    const auto first = static_cast<unsigned char>(text[at]);
    const bool c1 = bytes == 2 && first == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    if (first == '\n') {
      out += "\\n";
    } else if (first == '\r') {
      out += "\\r";
    } else if (first == '\t') {
      out += "\\t";
    } else if (bytes == 0 || first < 0x20 || first == 0x7F) {
      append_hex(out, first);
    } else if (c1) {
      append_hex(out, static_cast<unsigned char>(text[at + 1]));
    } else {
      out += text.substr(at, bytes);
    }
    at += step;
  }
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  append_printable(out, text, max_bytes);
  return out;
}

}  // namespace spate::core
