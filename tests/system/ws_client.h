// The client's side of RFC 6455 for tests, written literally from the text and apart from codec/,
// so that it can judge it: frames are built from explicit bits, legal or not, and the server's
// frames are read strictly, each departure from the RFC named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/system/raw_client.h"

namespace spate::tests {

// RFC 6455 §5.2.
enum Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

// Which of the three forms of §5.2 carries the payload length.
enum class LengthForm { minimal, seven_bits, sixteen_bits, sixty_four_bits };

struct FrameBits {
  bool fin = true;
  bool rsv1 = false;
  bool rsv2 = false;
  bool rsv3 = false;
  std::uint8_t opcode = kText;
  std::string payload = {};
  bool masked = true;
  std::uint32_t masking_key = 0x37fa213d;  // the key of the RFC's own example, §5.7
  LengthForm length_form = LengthForm::minimal;
  std::optional<std::uint64_t> announced_length = {};  // when it is not payload.size()
};

std::string build_frame(const FrameBits& bits);
// The header alone: what build_frame puts in front of the payload.
std::string build_header(const FrameBits& bits);

std::string text_frame(std::string payload);
std::string binary_frame(std::string payload);
std::string ping_frame(std::string payload);
std::string pong_frame(std::string payload);
std::string close_frame();
std::string close_frame(std::uint16_t code, std::string_view reason = {});
// A frame of a fragmented message (§5.4): `opcode` on the first, kContinuation after it.
std::string fragment(std::uint8_t opcode, std::string payload, bool fin);

struct ServerFrame {
  bool fin = true;
  bool rsv1 = false;
  std::uint8_t opcode = 0;
  std::string payload = {};

  // Of a close frame (§5.5.1): its code, if it has a body.
  std::optional<std::uint16_t> close_code() const;
};

// Takes the server's bytes as they come and yields its frames. The first departure from §5 (masked,
// not minimal, reserved bits or opcodes, a control frame fragmented or too long, a close body that
// may not be sent, bytes after a close frame) is kept in violation() and ends the stream of frames.
class FrameReader {
 public:
  void feed(std::string_view bytes);
  // permessage-deflate was negotiated: RSV1 marks the first frame of a message (RFC 7692 §6).
  void allow_rsv1() { rsv1_allowed_ = true; }
  std::optional<ServerFrame> next();
  const std::string& violation() const { return violation_; }
  // Bytes of a frame that has not wholly arrived.
  std::size_t pending_bytes() const { return buffer_.size() - at_; }

 private:
  bool fail(std::string violation);
  bool judge(const ServerFrame& frame);

  std::string buffer_;
  std::size_t at_ = 0;
  bool closed_ = false;
  bool rsv1_allowed_ = false;
  std::string violation_;
};

// An HTTP/1.1 response head, taken apart: names in lower case, values trimmed.
struct ResponseHead {
  std::string status_line;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;

  std::size_t count(std::string_view lower_case_name) const;
  // The first value of that name, or "".
  std::string value(std::string_view lower_case_name) const;
};

// `head` up to and with the empty line; nullopt if it is not one.
std::optional<ResponseHead> parse_response_head(std::string_view head);

// Section 1.3's key, whose accept value the RFC prints.
inline constexpr std::string_view kSampleKey = "dGhlIHNhbXBsZSBub25jZQ==";

// base64(SHA-1(key + GUID)), §4.2.2, by OpenSSL.
std::string accept_value(std::string_view key);

// The opening handshake of §4.1, with `extra` header lines (each with its CRLF) before the empty
// line.
std::string upgrade_request(std::string_view host, std::string_view path = "/echo",
                            std::string_view extra = {}, std::string_view key = kSampleKey);

// What a correct 101 lacks for that key, or "" (§4.2.2 item 5).
std::string complain_about_upgrade(const ResponseHead& head, std::string_view key = kSampleKey);

// A connection that has been upgraded. For tests that want a client, not its bytes.
class WsClient {
 public:
  // Null, with a reason in *why if given, when the server did not answer a correct 101 by the
  // deadline.
  static std::unique_ptr<WsClient> open(const Endpoint& endpoint, Deadline deadline,
                                        std::string_view path = "/echo",
                                        std::string* why = nullptr);

  // Of a connection whose upgrade was answered: the response head is the first `head_bytes` of its
  // inbox.
  static std::unique_ptr<WsClient> adopt(RawClient raw, std::size_t head_bytes);

  bool send(std::string_view frames, Deadline deadline) { return raw_.send(frames, deadline); }
  // The server's next frame; nullopt at the deadline, at the end of the stream, or on a violation.
  std::optional<ServerFrame> receive(Deadline deadline);
  // Sends a text message and waits for exactly it.
  bool echoes(std::string_view text, Deadline deadline);

  RawClient& raw() { return raw_; }
  const std::string& violation() const { return reader_.violation(); }

 private:
  explicit WsClient(RawClient raw) : raw_(std::move(raw)) {}

  RawClient raw_;
  FrameReader reader_;
};

}  // namespace spate::tests
