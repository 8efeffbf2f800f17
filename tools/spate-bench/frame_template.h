// A message as the user writes it on the command line, so that any server's protocol can be spoken:
//
//   {"publish":{"channel":"c","data":"{{payload}}"}}       or      PUB c
//   {{payload_bytes}}\r\n{{payload}}\r\n
//
//   {{payload}} {{payload_bytes}}   what is published, and its length in decimal
//   {{payload_varint}}              its length, seven bits to a byte (MQTT, Protobuf)
//   {{connection}} {{number}}       the connection's number; how many the connection has sent
//   {{channel}}                     the number of the channel that it is about
//   \r \n \t \0 \\ \xHH             bytes
//
// A length may count what else belongs to it: {{payload_bytes+2}}, {{payload_varint+3}}.
// Anything else, single braces included, stands for itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spate::bench {

struct Envelope {
  std::string before, after;
};

class FrameTemplate {
 public:
  // Nothing when a placeholder or an escape is none of the above; `wrong` then quotes it.
  static std::optional<FrameTemplate> parse(std::string_view text, std::string& wrong);

  struct Values {
    std::string_view payload = {};
    std::uint64_t connection = 0;
    std::uint64_t number = 0;
    std::uint64_t channel = 0;
  };
  void render(std::string& to, const Values& values) const;

  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  [[nodiscard]] bool has_payload() const { return has(Kind::payload); }
  [[nodiscard]] bool has_channel() const { return has(Kind::channel); }

  // What stands around a payload of so many bytes, where the payload stands once and its length is
  // all that the rest depends on; nothing elsewhere.
  [[nodiscard]] std::optional<Envelope> envelope(std::size_t payload_bytes) const;

 private:
  enum class Kind : std::uint8_t {
    text,
    payload,
    payload_bytes,
    payload_varint,
    connection,
    number,
    channel
  };
  struct Piece {
    Kind kind;
    std::string text = {};
    std::uint64_t more = 0;  // is added to the payload's length
  };
  // What `text` begins with, and how long it is there; nothing when it is no placeholder.
  static std::optional<std::pair<Piece, std::size_t>> placeholder(std::string_view text);

  [[nodiscard]] bool has(Kind kind) const;
  static void put_length(std::string& to, const Piece& piece, std::size_t payload_bytes);

  std::vector<Piece> pieces_;
};

// The escapes alone. Nothing when one is wrong.
std::optional<std::string> unescape(std::string_view text, std::string& wrong);

}  // namespace spate::bench
