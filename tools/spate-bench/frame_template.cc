#include "tools/spate-bench/frame_template.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace spate::bench {

namespace {

// The lowest seven bits first; the eighth says that more follow.
void put_varint(std::string& to, std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

}  // namespace

std::optional<std::string> unescape(std::string_view text, std::string& wrong) {
  constexpr std::string_view kLetters = "rnt0\\", kMeanings("\r\n\t\0\\", 5);
  std::string bytes;
  while (!text.empty()) {
    if (text.front() != '\\') {
      bytes += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (text.size() > 1 && kLetters.find(text[1]) != kLetters.npos) {
      bytes += kMeanings[kLetters.find(text[1])];
      text.remove_prefix(2);
      continue;
    }
    unsigned value = 0;
    const bool hex =
        text.size() >= 4 && text[1] == 'x' &&
        std::from_chars(text.data() + 2, text.data() + 4, value, 16).ptr == text.data() + 4;
    if (!hex) {
      wrong = text.substr(0, 4);
      return std::nullopt;
    }
    bytes += static_cast<char>(value);
    text.remove_prefix(4);
  }
  return bytes;
}

std::optional<std::pair<FrameTemplate::Piece, std::size_t>> FrameTemplate::placeholder(
    std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Kind>, 6> kPlaceholders = {
      {{"{{payload", Kind::payload},
       {"{{payload_bytes", Kind::payload_bytes},
       {"{{payload_varint", Kind::payload_varint},
       {"{{connection", Kind::connection},
       {"{{number", Kind::number},
       {"{{channel", Kind::channel}}};
  const std::size_t name_end = text.find_first_of("+}");
  const auto* const found = std::ranges::find_if(
      kPlaceholders, [&](const auto& known) { return text.substr(0, name_end) == known.first; });
  if (name_end == text.npos || found == kPlaceholders.end()) return std::nullopt;
  Piece piece{found->second};
  std::size_t end = name_end;
  if (text[name_end] == '+') {
    if (piece.kind != Kind::payload_bytes && piece.kind != Kind::payload_varint)
      return std::nullopt;
    const char* const digits = text.data() + name_end + 1;
    const auto [last, error] = std::from_chars(digits, text.data() + text.size(), piece.more);
    if (error != std::errc{}) return std::nullopt;
    end = static_cast<std::size_t>(last - text.data());
  }
  if (!text.substr(end).starts_with("}}")) return std::nullopt;
  return std::pair{piece, end + 2};
}

std::optional<FrameTemplate> FrameTemplate::parse(std::string_view text, std::string& wrong) {
  FrameTemplate parsed;
  const auto add_text = [&](std::string_view literal) {
    const auto bytes = unescape(literal, wrong);
    if (bytes && !bytes->empty()) parsed.pieces_.push_back({Kind::text, *bytes, 0});
    return bytes.has_value();
  };
  std::size_t literal_start = 0;
  for (std::size_t at = text.find("{{"); at != text.npos; at = text.find("{{", at)) {
    // In {{{payload}} the placeholder is the inner one.
    if (at + 2 < text.size() && text[at + 2] == '{') {
      ++at;
      continue;
    }
    const auto found = placeholder(text.substr(at));
    if (!found) {
      const std::size_t end = text.find("}}", at);
      wrong = text.substr(at, end == text.npos ? end : end + 2 - at);
      return std::nullopt;
    }
    if (!add_text(text.substr(literal_start, at - literal_start))) return std::nullopt;
    parsed.pieces_.push_back(found->first);
    at += found->second;
    literal_start = at;
  }
  if (!add_text(text.substr(literal_start))) return std::nullopt;
  return parsed;
}

void FrameTemplate::render(std::string& to, const Values& values) const {
  for (const Piece& piece : pieces_) {
    switch (piece.kind) {
      case Kind::text:
        to += piece.text;
        break;
      case Kind::payload:
        to += values.payload;
        break;
      case Kind::payload_bytes:
      case Kind::payload_varint:
        put_length(to, piece, values.payload.size());
        break;
      case Kind::connection:
        to += std::to_string(values.connection);
        break;
      case Kind::number:
        to += std::to_string(values.number);
        break;
      case Kind::channel:
        to += std::to_string(values.channel);
        break;
    }
  }
}

void FrameTemplate::put_length(std::string& to, const Piece& piece, std::size_t payload_bytes) {
  if (piece.kind == Kind::payload_bytes)
    to += std::to_string(payload_bytes + piece.more);
  else
    put_varint(to, payload_bytes + piece.more);
}

std::optional<Envelope> FrameTemplate::envelope(std::size_t payload_bytes) const {
  Envelope around;
  bool behind = false;
  for (const Piece& piece : pieces_) {
    std::string& side = behind ? around.after : around.before;
    switch (piece.kind) {
      case Kind::text:
        side += piece.text;
        break;
      case Kind::payload_bytes:
      case Kind::payload_varint:
        put_length(side, piece, payload_bytes);
        break;
      case Kind::payload:
        if (behind) return std::nullopt;
        behind = true;
        break;
      case Kind::connection:
      case Kind::number:
      case Kind::channel:
        return std::nullopt;
    }
  }
  return behind ? std::optional(around) : std::nullopt;
}

bool FrameTemplate::has(Kind kind) const {
  return std::ranges::any_of(pieces_, [&](const Piece& piece) { return piece.kind == kind; });
}

}  // namespace spate::bench
