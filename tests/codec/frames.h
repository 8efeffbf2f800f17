// Builds what a client sends, frame by frame, byte by byte:
// Frames().first("he").ping("x").last("llo"). Each frame has a masking key of its own, never zero.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spate::test {

class Frames {
 public:
  Frames& text(std::string_view payload) { return raw(0x81, payload); }
  Frames& binary(std::string_view payload) { return raw(0x82, payload); }
  Frames& first(std::string_view payload) { return raw(0x01, payload); }
  Frames& more(std::string_view payload) { return raw(0x00, payload); }
  Frames& last(std::string_view payload) { return raw(0x80, payload); }
  Frames& ping(std::string_view payload) { return raw(0x89, payload); }
  Frames& pong(std::string_view payload) { return raw(0x8A, payload); }
  Frames& close(unsigned code, std::string_view reason) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    return raw(0x88, payload.append(reason));
  }
  // `first_byte` holds FIN, RSV and opcode.
  Frames& raw(unsigned first_byte, std::string_view payload) {
    wire_ += static_cast<char>(first_byte);
    if (payload.size() < 126) {
      wire_ += static_cast<char>(0x80 | payload.size());
    } else if (payload.size() <= 0xFFFF) {
      wire_ += static_cast<char>(0x80 | 126);
      append_big_endian(payload.size(), 2);
    } else {
      wire_ += static_cast<char>(0x80 | 127);
      append_big_endian(payload.size(), 8);
    }
    seed_ = seed_ * 1664525u + 1013904223u;
    const std::uint32_t key = seed_ | 0x01010101u;
    for (unsigned i = 0; i < 4; ++i) wire_ += static_cast<char>(key >> (8 * i));
    for (std::size_t i = 0; i < payload.size(); ++i)
      wire_ += static_cast<char>(static_cast<unsigned char>(payload[i]) ^ (key >> (8 * (i % 4))));
    return *this;
  }
  operator std::string() const { return wire_; }

 private:
  void append_big_endian(std::uint64_t value, unsigned bytes) {
    while (bytes-- > 0) wire_ += static_cast<char>(value >> (8 * bytes));
  }

  std::string wire_;
  std::uint32_t seed_ = 12345;
};

}  // namespace spate::test
