// permessage-deflate as a client has it (RFC 7692 §7.2), over plain zlib and apart from codec/, so
// that it can judge it.
#pragma once

#include <zlib.h>

#include <optional>
#include <string>
#include <string_view>

namespace spate::tests {

// Compresses messages one after the other; each may refer back to those before it.
class Compression {
 public:
  explicit Compression(int window_bits = 15, int level = 6);
  ~Compression();
  Compression(const Compression&) = delete;
  Compression& operator=(const Compression&) = delete;

  std::string deflate(std::string_view message);

 private:
  z_stream stream_{};
};

// One message that refers to nothing before it.
std::string deflated(std::string_view message, int window_bits = 15, int level = 6);

// The server's messages, under the terms of its answer: the window no larger than agreed, and
// nothing remembered unless it may be.
class Inflation {
 public:
  explicit Inflation(std::string_view answer);
  ~Inflation();
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;

  // Nothing when the payload is not exactly one message.
  std::optional<std::string> inflate(std::string_view payload);

 private:
  z_stream stream_{};
  bool remembers_;
};

}  // namespace spate::tests
