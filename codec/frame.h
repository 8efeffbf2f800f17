// The base framing protocol (RFC 6455 §5.2), as a server sees it: parse the header of a client's
// frame, build the header of a server's.
//
//    0               1               2 … 9                    4 bytes
//   +-+-----+-------+-+-------------+------------------------+-------------+---------
//   |F| RSV |opcode |M| length (7)  | extended length (0,2,8)| masking key | payload
//   +-+-----+-------+-+-------------+------------------------+-------------+---------
//
// Pure functions over bytes; no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/close_code.h"
#include "core/base.h"

namespace spate::codec {

enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

constexpr bool is_control(Opcode opcode) {
  return (static_cast<unsigned>(opcode) & 0x8) != 0;
}

// One per clause that a client can break. kFrameErrors gives each its close code.
enum class FrameError : std::uint8_t {
  none,
  reserved_bits,            // an RSV bit that no extension negotiated
  reserved_opcode,          // 3–7, B–F
  fragmented_control,       // a control frame without FIN
  control_too_long,         // a control frame of more than 125 bytes
  unmasked,                 // a client's frame without a masking key
  non_minimal_length,       // a longer length field than needed
  length_out_of_range,      // the most significant bit of a 64-bit length is set
  unexpected_continuation,  // a continuation with nothing to continue
  expected_continuation,    // a new data frame inside a fragmented message
  message_too_big,          // over the configured limit, known from the header
  invalid_utf8,             // a text message that is not UTF-8
  close_payload_too_short,  // a close payload of one byte
  close_code_reserved,      // a code that must not be on the wire
  close_reason_not_utf8,
  invalid_deflate,  // a compressed message that does not inflate
};

struct FrameErrorInfo {
  FrameError error;
  const char* name;
  CloseCode close_code;
  const char* clause;
};

inline constexpr std::array<FrameErrorInfo, 16> kFrameErrors{{
    {FrameError::none, "none", kCloseNormal, ""},
    {FrameError::reserved_bits, "reserved bits set", kCloseProtocolError, "RFC 6455 §5.2"},
    {FrameError::reserved_opcode, "reserved opcode", kCloseProtocolError, "RFC 6455 §5.2"},
    {FrameError::fragmented_control, "fragmented control frame", kCloseProtocolError,
     "RFC 6455 §5.5"},
    {FrameError::control_too_long, "control frame too long", kCloseProtocolError, "RFC 6455 §5.5"},
    {FrameError::unmasked, "unmasked client frame", kCloseProtocolError, "RFC 6455 §5.1"},
    {FrameError::non_minimal_length, "non-minimal length", kCloseProtocolError, "RFC 6455 §5.2"},
    {FrameError::length_out_of_range, "length out of range", kCloseProtocolError, "RFC 6455 §5.2"},
    {FrameError::unexpected_continuation, "unexpected continuation", kCloseProtocolError,
     "RFC 6455 §5.4"},
    {FrameError::expected_continuation, "expected continuation", kCloseProtocolError,
     "RFC 6455 §5.4"},
    {FrameError::message_too_big, "message too big", kCloseMessageTooBig, "RFC 6455 §7.4.1"},
    {FrameError::invalid_utf8, "invalid UTF-8", kCloseInvalidPayload, "RFC 6455 §8.1"},
    {FrameError::close_payload_too_short, "close payload too short", kCloseProtocolError,
     "RFC 6455 §5.5.1"},
    {FrameError::close_code_reserved, "reserved close code", kCloseProtocolError,
     "RFC 6455 §7.4.2"},
    {FrameError::close_reason_not_utf8, "close reason not UTF-8", kCloseInvalidPayload,
     "RFC 6455 §5.5.1"},
    {FrameError::invalid_deflate, "invalid DEFLATE data", kCloseInvalidPayload, "RFC 7692 §7.2.2"},
}};

constexpr const FrameErrorInfo& describe(FrameError error) {
  return kFrameErrors[static_cast<std::size_t>(error)];
}

inline constexpr std::size_t kMaxClientHeaderBytes = 14;
inline constexpr std::size_t kMaxServerHeaderBytes = 10;
inline constexpr std::size_t kMaxControlPayloadBytes = 125;

struct FrameHeader {
  std::uint64_t payload_bytes;
  std::uint32_t masking_key;  // wire order, as unmask() takes it
  Opcode opcode;
  std::uint8_t header_bytes;  // 6, 8 or 14
  std::uint8_t rsv;           // RSV1 = 4, RSV2 = 2, RSV3 = 1
  bool fin;
};

enum class ParseStatus : std::uint8_t { ok, need_more, bad };

struct [[nodiscard]] FrameHeaderResult {
  ParseStatus status;
  FrameError error;
};

// Parses the header at the front of `in`. Fails as soon as the bytes present are wrong: two are
// enough for everything but the length. `allowed_rsv` holds the RSV bits that extensions
// negotiated. When more is needed, `out` already says what is known, so that a caller can refuse
// early: opcode and fin from two bytes on, and payload_bytes once header_bytes is not 0.
FrameHeaderResult parse_frame_header(ConstBytes in, std::uint8_t allowed_rsv, FrameHeader& out);

// Bytes of a server's header for this payload: 2, 4 or 10.
constexpr std::size_t server_header_bytes(std::uint64_t payload_bytes) {
  return payload_bytes < 126 ? 2 : payload_bytes <= 0xFFFF ? 4 : 10;
}

// Writes a server's (unmasked) header; `to` has room for server_header_bytes(). Returns its size.
inline std::size_t build_server_header(std::byte* to, Opcode opcode, std::uint64_t payload_bytes,
                                       bool fin = true, std::uint8_t rsv = 0) {
  const unsigned first =
      (fin ? 0x80u : 0u) | static_cast<unsigned>(rsv) << 4 | static_cast<unsigned>(opcode);
  to[0] = static_cast<std::byte>(first);
  if (payload_bytes < 126) {
    to[1] = static_cast<std::byte>(payload_bytes);
    return 2;
  }
  if (payload_bytes <= 0xFFFF) {
    to[1] = std::byte{126};
    store(to + 2, big_endian(static_cast<std::uint16_t>(payload_bytes)));
    return 4;
  }
  to[1] = std::byte{127};
  store(to + 2, big_endian(payload_bytes));
  return 10;
}

// The payload of a close frame, judged. `code` is kCloseNoStatus when the payload is empty.
struct [[nodiscard]] ClosePayload {
  FrameError error;
  CloseCode code;
  std::string_view reason;  // aliases the payload
};
ClosePayload parse_close_payload(ConstBytes payload);

}  // namespace spate::codec
