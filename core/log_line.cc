#include "core/log_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/printable.h"

namespace spate::core::log {
namespace {

constexpr std::size_t kMaxNameBytes = 64;       // of a process or a key, which are ours
constexpr std::size_t kMaxMessageBytes = 1024;  // in JSON, where the fields follow

template <typename T>
void append_number(std::string& out, T number) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  out.append(text.data(), end);
}

// Numbers and booleans look the same in text and JSON.
void append_scalar(std::string& out, const Field::Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) append_number(out, *number);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) append_number(out, *number);
  if (const auto* number = std::get_if<double>(&value)) append_number(out, *number);
  if (const auto* flag = std::get_if<bool>(&value)) out += *flag ? "true" : "false";
}

void append_value(std::string& out, const Field& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    append_printable(out, *text, kMaxValueBytes);
  } else {
    append_scalar(out, field.value);
  }
}

// A value behind "key=": in quotes where it would not read as one word.
void append_pair(std::string& out, const Field& field) {
  out += ' ';
  out += field.key;
  out += '=';
  const auto* text = std::get_if<std::string_view>(&field.value);
  const bool word =
      text == nullptr || (!text->empty() && text->find_first_of(" \"=") == std::string_view::npos);
  if (word) return append_value(out, field);
  const std::string shown = printable(*text, kMaxValueBytes);
  out += '"';
  for (const char c : shown) {
    if (c == '"') out += '\\';
    out += c;
  }
  out += '"';
}

const Field* find(Fields fields, std::string_view key) {
  for (const Field& field : fields)
    if (field.key == key) return &field;
  return nullptr;
}

// The field that the "{key}" at the start of `text` names, and how long that is; null when there is
// none.
const Field* placeholder(std::string_view text, Fields fields, std::size_t& bytes) {
  const std::size_t end = text.find('}');
  if (text[0] != '{' || end == std::string_view::npos) return nullptr;
  bytes = end + 1;
  return find(fields, text.substr(1, end - 1));
}

void append_sentence(std::string& out, std::string_view message, Fields fields) {
  const std::size_t enough = out.size() + kMaxLineBytes;
  for (std::size_t at = 0; at < message.size() && out.size() < enough;) {
    std::size_t bytes = 0;
    if (const Field* field = placeholder(message.substr(at), fields, bytes)) {
      append_value(out, *field);
      at += bytes;
    } else {
      const std::size_t next = std::min(message.find('{', at + 1), message.size());
      append_printable(out, message.substr(at, next - at), kMaxLineBytes);
      at = next;
    }
  }
}

bool named(std::string_view message, std::string_view key) {
  for (std::size_t at = message.find(key); at != std::string_view::npos;
       at = message.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    if (at > 0 && message[at - 1] == '{' && end < message.size() && message[end] == '}')
      return true;
  }
  return false;
}

// Cuts what is behind `max_bytes` off, between characters.
void cut(std::string& out, std::size_t max_bytes) {
  constexpr std::string_view kEllipsis = "…";
  if (out.size() <= max_bytes) return;
  std::size_t end = max_bytes - kEllipsis.size();
  while ((static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
  out.resize(end);
  out += kEllipsis;
}

void append_json_string(std::string& out, std::string_view text, std::size_t max_bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = utf8_character_bytes(text.substr(at));
    const auto first = static_cast<unsigned char>(text[at]);
    if (at + bytes > max_bytes) {
      out += "…";
      break;
    }
    if (bytes == 0) {
      out += "\uFFFD";
    } else if (first == '"' || first == '\\') {
      out += '\\';
      out += text[at];
    } else if (first < 0x20) {
      out += "\\u00";
      out += kDigits[first >> 4];
      out += kDigits[first & 15];
    } else {
      out += text.substr(at, bytes);
    }
    at += bytes == 0 ? 1 : bytes;
  }
  out += '"';
}

void append_json_field(std::string& out, const Field& field) {
  out += ',';
  append_json_string(out, field.key, kMaxNameBytes);
  out += ':';
  const auto* number = std::get_if<double>(&field.value);
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    append_json_string(out, *text, kMaxValueBytes);
  } else if (number != nullptr && !std::isfinite(*number)) {
    out += "null";  // JSON has no infinities
  } else {
    append_scalar(out, field.value);
  }
}

}  // namespace

void append_text(std::string& out, const LineParts& parts) {
  const std::size_t start = out.size();
  if (!parts.process.empty()) {
    append_printable(out, parts.process, kMaxNameBytes);
    out += ": ";
  }
  append_sentence(out, parts.message, parts.fields);
  for (const Field& field : parts.fields)
    if (!named(parts.message, field.key)) append_pair(out, field);
  cut(out, start + kMaxRenderedBytes - 64);
  if (parts.suppressed == 0) return;
  out += " (";
  append_number(out, parts.suppressed);
  out += " more like this)";
}

void append_json(std::string& out, const LineParts& parts) {
  constexpr std::size_t kTailBytes = 64;  // "suppressed" and "truncated"
  const std::size_t most = out.size() + kMaxRenderedBytes - kTailBytes;
  if (!parts.process.empty()) {
    out += "\"process\":";
    append_json_string(out, parts.process, kMaxNameBytes);
    out += ',';
  }
  out += "\"message\":";
  std::string sentence;
  append_sentence(sentence, parts.message, parts.fields);
  cut(sentence, kMaxMessageBytes);
  append_json_string(out, sentence, sentence.size());
  bool truncated = false;
  for (const Field& field : parts.fields) {
    const std::size_t before = out.size();
    append_json_field(out, field);
    if (out.size() <= most) continue;
    out.resize(before);
    truncated = true;
  }
  if (parts.suppressed != 0) append_json_field(out, {"suppressed", parts.suppressed});
  if (truncated) append_json_field(out, {"truncated", true});
}

}  // namespace spate::core::log
