// Frames as a client sees them (RFC 6455 §5.2): masked frames out, unmasked frames in.
//
// FrameReader takes any chunking of the byte stream and reports messages piecewise, so a connection
// never holds a payload. State per connection: 40 bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base.h"

namespace spate::bench {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

inline constexpr std::size_t kMaxHeaderBytes = 14;
inline constexpr std::size_t kMaxControlPayloadBytes = 125;

constexpr std::size_t server_header_bytes(std::uint64_t payload_bytes) {
  return payload_bytes < 126 ? 2 : payload_bytes < 65536 ? 4 : 10;
}
constexpr std::size_t client_header_bytes(std::uint64_t payload_bytes) {
  return server_header_bytes(payload_bytes) + 4;
}

// A masking key is never zero in any byte, or a server that forgets to unmask would not be noticed.
std::uint32_t random_masking_key(std::uint64_t& seed);

// Write the header of a whole message; return its length. `key` is in memory order.
std::size_t write_server_header(std::byte* to, Opcode opcode, std::uint64_t payload_bytes);
std::size_t write_client_header(std::byte* to, Opcode opcode, std::uint64_t payload_bytes,
                                std::uint32_t key);

// XORs with the key as it falls on payload bytes from `offset` on.
void apply_mask(Bytes payload, std::uint32_t key, std::uint64_t offset = 0);

// A whole client frame: for control frames and templates, not for the measured path.
std::string client_frame(Opcode opcode, std::string_view payload, std::uint32_t key);

// Sink: message_begin(Opcode), message_bytes(ConstBytes), message_end(), control(Opcode,
// ConstBytes). Spans die when the call returns.
class FrameReader {
 public:
  // False: a frame that RFC 6455 forbids; the connection cannot go on.
  template <class Sink>
  [[nodiscard]] bool feed(ConstBytes bytes, Sink& sink);

  // From now on RSV1 marks compressed messages (RFC 7692 §6).
  void allow_compressed() { compressed_allowed_ = true; }
  // Whether the message that is reported is one.
  [[nodiscard]] bool compressed() const { return compressed_; }

  // Between two messages: the next byte is a header's first.
  [[nodiscard]] bool between_messages() const {
    return head_bytes_ == 0 && !in_payload_ && !in_message_;
  }

 private:
  // Completes head_; returns how many bytes of `bytes` belong to it. bad_ is set for a forbidden
  // one.
  std::size_t take_header(ConstBytes bytes);
  void header_known();

  template <class Sink>
  ConstBytes take_control(ConstBytes bytes, Sink& sink);

  std::uint64_t payload_left_ = 0;
  std::unique_ptr<std::string> control_;  // a control payload that came in pieces; rare
  std::byte head_[10] = {};
  std::uint8_t head_bytes_ = 0;
  Opcode opcode_ = Opcode::continuation;
  bool fin_ = false;
  bool in_payload_ = false;
  bool in_message_ = false;
  bool bad_ = false;
  bool compressed_allowed_ = false;
  bool compressed_ = false;
};

template <class Sink>
bool FrameReader::feed(ConstBytes bytes, Sink& sink) {
  for (;;) {
    if (!in_payload_) {
      if (bytes.empty()) return true;
      bytes = bytes.subspan(take_header(bytes));
      if (bad_) return false;
      if (!in_payload_) return true;
      if (opcode_ == Opcode::text || opcode_ == Opcode::binary) sink.message_begin(opcode_);
    }
    if (static_cast<std::uint8_t>(opcode_) >= 8) {
      bytes = take_control(bytes, sink);
      if (in_payload_) return true;
      continue;
    }
    const std::size_t take =
        payload_left_ < bytes.size() ? static_cast<std::size_t>(payload_left_) : bytes.size();
    if (take > 0) sink.message_bytes(bytes.first(take));
    bytes = bytes.subspan(take);
    payload_left_ -= take;
    if (payload_left_ > 0) return true;
    in_payload_ = false;
    in_message_ = !fin_;
    if (fin_) sink.message_end();
  }
}

template <class Sink>
ConstBytes FrameReader::take_control(ConstBytes bytes, Sink& sink) {
  if (!control_ && bytes.size() >= payload_left_) {
    const std::size_t whole = static_cast<std::size_t>(payload_left_);
    in_payload_ = false;
    sink.control(opcode_, bytes.first(whole));
    return bytes.subspan(whole);
  }
  if (!control_) control_ = std::make_unique<std::string>();
  const std::size_t take =
      payload_left_ < bytes.size() ? static_cast<std::size_t>(payload_left_) : bytes.size();
  control_->append(as_text(bytes.first(take)));
  payload_left_ -= take;
  if (payload_left_ == 0) {
    in_payload_ = false;
    const std::unique_ptr<std::string> whole = std::move(control_);
    sink.control(opcode_, as_bytes(*whole));
  }
  return bytes.subspan(take);
}

}  // namespace spate::bench
