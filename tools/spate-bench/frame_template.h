// A message as the user writes it on the command line, so that any server's protocol can be spoken:
//
//   {"publish":{"channel":"c","data":"{{payload}}"}}       or      PUB c
//   {{payload_bytes}}\r\n{{payload}}\r\n
//
//   {{payload}} {{payload_bytes}}   what is published, and its length in decimal
//   {{connection}} {{number}}       the connection's number; how many the connection has sent
//   before \r \n \t \0 \\ \xHH             bytes
//
// Anything else, single braces included, stands for itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spate::bench {

class FrameTemplate {
 public:
  // Nothing when a placeholder or an escape is none of the above; `wrong` then quotes it.
  static std::optional<FrameTemplate> parse(std::string_view text, std::string& wrong);

  struct Values {
    std::string_view payload = {};
    std::uint64_t connection = 0;
    std::uint64_t number = 0;
  };
  void render(std::string& to, const Values& values) const;

  [[nodiscard]] bool has_payload() const;

 private:
  enum class Kind : std::uint8_t { text, payload, payload_bytes, connection, number };
  struct Piece {
    Kind kind;
    std::string text;
  };
  std::vector<Piece> pieces_;
};

// The escapes alone. Nothing when one is wrong.
std::optional<std::string> unescape(std::string_view text, std::string& wrong);

}  // namespace spate::bench
