#include "tests/system/ws_client.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace spate::tests {
namespace {

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The codes that an endpoint may put into a close frame: §7.4 and IANA's registry of close codes.
bool may_be_sent(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

std::string build_header(const FrameBits& bits) {
  const std::uint64_t length = bits.announced_length.value_or(bits.payload.size());
  LengthForm form = bits.length_form;
  if (form == LengthForm::minimal) {
    form = length < 126     ? LengthForm::seven_bits
           : length < 65536 ? LengthForm::sixteen_bits
                            : LengthForm::sixty_four_bits;
  }
  std::string out;
  out.push_back(static_cast<char>((bits.fin ? 0x80 : 0) | (bits.rsv1 ? 0x40 : 0) |
                                  (bits.rsv2 ? 0x20 : 0) | (bits.rsv3 ? 0x10 : 0) |
                                  (bits.opcode & 0x0f)));
  const int mask_bit = bits.masked ? 0x80 : 0;
  switch (form) {
    case LengthForm::minimal:
    case LengthForm::seven_bits:
      out.push_back(static_cast<char>(mask_bit | static_cast<int>(length & 0x7f)));
      break;
    case LengthForm::sixteen_bits:
      out.push_back(static_cast<char>(mask_bit | 126));
      append_big_endian(out, length, 2);
      break;
    case LengthForm::sixty_four_bits:
      out.push_back(static_cast<char>(mask_bit | 127));
      append_big_endian(out, length, 8);
      break;
  }
  if (bits.masked) append_big_endian(out, bits.masking_key, 4);
  return out;
}

std::string build_frame(const FrameBits& bits) {
  std::string out = build_header(bits);
  const std::size_t start = out.size();
  out += bits.payload;
  if (bits.masked) {
    std::string key;
    append_big_endian(key, bits.masking_key, 4);
    // §5.3: transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4).
    for (std::size_t i = 0; start + i < out.size(); ++i) {
      out[start + i] = static_cast<char>(out[start + i] ^ key[i % 4]);
    }
  }
  return out;
}

std::string text_frame(std::string payload) {
  return build_frame({.opcode = kText, .payload = std::move(payload)});
}

std::string binary_frame(std::string payload) {
  return build_frame({.opcode = kBinary, .payload = std::move(payload)});
}

std::string ping_frame(std::string payload) {
  return build_frame({.opcode = kPing, .payload = std::move(payload)});
}

std::string pong_frame(std::string payload) {
  return build_frame({.opcode = kPong, .payload = std::move(payload)});
}

std::string close_frame() {
  return build_frame({.opcode = kClose});
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
  std::string body;
  append_big_endian(body, code, 2);
  body += reason;
  return build_frame({.opcode = kClose, .payload = std::move(body)});
}

std::string fragment(std::uint8_t opcode, std::string payload, bool fin) {
  return build_frame({.fin = fin, .opcode = opcode, .payload = std::move(payload)});
}

std::optional<std::uint16_t> ServerFrame::close_code() const {
  if (opcode != kClose || payload.size() < 2) return std::nullopt;
  return static_cast<std::uint16_t>(read_big_endian(std::string_view(payload).substr(0, 2)));
}

void FrameReader::feed(std::string_view bytes) {
  if (at_ > 0 && at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  } else if (at_ > (1u << 20)) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_ += bytes;
  if (closed_ && pending_bytes() > 0) fail("bytes after the close frame (§5.5.1)");
}

bool FrameReader::fail(std::string violation) {
  if (violation_.empty()) violation_ = std::move(violation);
  return false;
}

bool FrameReader::judge(const ServerFrame& frame) {
  const bool control = (frame.opcode & 0x8) != 0;
  if (control && !frame.fin) return fail("control frame with fin 0 (§5.5)");
  if (control && frame.payload.size() > 125) return fail("control frame over 125 bytes (§5.5)");
  if (frame.opcode != kClose) return true;
  closed_ = true;
  if (frame.payload.size() == 1) return fail("close body of one byte (§5.5.1)");
  if (const auto code = frame.close_code(); code && !may_be_sent(*code)) {
    return fail("close code " + std::to_string(*code) + " must not be sent (§7.4)");
  }
  if (pending_bytes() > 0) return fail("bytes after the close frame (§5.5.1)");
  return true;
}

std::optional<ServerFrame> FrameReader::next() {
  if (!violation_.empty()) return std::nullopt;
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(rest[0]);
  const auto second = static_cast<unsigned char>(rest[1]);
  ServerFrame frame{.fin = (first & 0x80) != 0,
                    .rsv1 = (first & 0x40) != 0,
                    .opcode = static_cast<std::uint8_t>(first & 0x0f)};
  const bool may_be_compressed =
      rsv1_allowed_ && (frame.opcode == kText || frame.opcode == kBinary);
  if ((first & (may_be_compressed ? 0x30 : 0x70)) != 0)
    return fail("reserved bits set (§5.2)"), std::nullopt;
  if ((frame.opcode & 0x7) > 2) return fail("reserved opcode (§5.2)"), std::nullopt;
  if ((second & 0x80) != 0) return fail("server frame is masked (§5.1)"), std::nullopt;
  std::uint64_t length = second;
  std::size_t header_bytes = 2;
  if (length == 126) {
    header_bytes = 4;
    if (rest.size() < header_bytes) return std::nullopt;
    length = read_big_endian(rest.substr(2, 2));
    if (length < 126) return fail("length is not minimal (§5.2)"), std::nullopt;
  } else if (length == 127) {
    header_bytes = 10;
    if (rest.size() < header_bytes) return std::nullopt;
    length = read_big_endian(rest.substr(2, 8));
    if (length < 65536) return fail("length is not minimal (§5.2)"), std::nullopt;
    if (length >> 63 != 0) return fail("length's high bit is set (§5.2)"), std::nullopt;
  }
  if (rest.size() - header_bytes < length) return std::nullopt;
  frame.payload = rest.substr(header_bytes, length);
  at_ += header_bytes + length;
  if (!judge(frame)) return std::nullopt;
  return frame;
}

std::size_t ResponseHead::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      headers.begin(), headers.end(), [name](const auto& header) { return header.first == name; }));
}

std::string ResponseHead::value(std::string_view name) const {
  for (const auto& [header, value] : headers) {
    if (header == name) return value;
  }
  return {};
}

std::optional<ResponseHead> parse_response_head(std::string_view head) {
  ResponseHead out;
  bool first = true;
  while (!head.starts_with("\r\n")) {
    const std::size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (first) {
      if (!line.starts_with("HTTP/1.1 ") || line.size() < 12) return std::nullopt;
      const char* digits = line.data() + 9;
      const auto parsed = std::from_chars(digits, digits + 3, out.status);
      if (parsed.ec != std::errc() || parsed.ptr != digits + 3) return std::nullopt;
      out.status_line = line;
      first = false;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ')
      return std::nullopt;
    out.headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
  if (first || head.size() != 2) return std::nullopt;
  return out;
}

std::string accept_value(std::string_view key) {
  const std::string both = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(both.data()), both.size(), digest.data());
  std::array<unsigned char, 32> encoded;
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), digest.size());
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::string upgrade_request(std::string_view host, std::string_view path, std::string_view extra,
                            std::string_view key) {
  std::string out;
  out.append("GET ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  out += "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  out.append("Sec-WebSocket-Key: ").append(key).append("\r\n").append(extra).append("\r\n");
  return out;
}

std::string complain_about_upgrade(const ResponseHead& head, std::string_view key) {
  if (head.status != 101) return "status is not 101: " + head.status_line;
  for (const std::string_view name : {"upgrade", "connection", "sec-websocket-accept"}) {
    if (head.count(name) != 1) return std::string(name) + " is not there exactly once";
  }
  if (lower(head.value("upgrade")) != "websocket") return "upgrade is not websocket";
  if (lower(head.value("connection")) != "upgrade") return "connection is not Upgrade";
  if (head.value("sec-websocket-accept") != accept_value(key)) return "accept value is wrong";
  if (head.count("content-length") != 0 || head.count("transfer-encoding") != 0) {
    return "a 101 has no content (RFC 9110 §15.2.2)";
  }
  return {};
}

std::unique_ptr<WsClient> WsClient::open(const Endpoint& endpoint, Deadline deadline,
                                         std::string_view path, std::string* why) {
  const auto refuse = [why](std::string reason) -> std::unique_ptr<WsClient> {
    if (why != nullptr) *why = std::move(reason);
    return nullptr;
  };
  std::unique_ptr<Stream> stream = endpoint.connect(deadline);
  if (stream == nullptr) return refuse("no connection");
  RawClient raw(std::move(stream));
  if (!raw.send(upgrade_request(endpoint.host, path), deadline)) return refuse("request not taken");
  const std::size_t end = raw.receive_through("\r\n\r\n", deadline);
  if (end == std::string::npos) return refuse("no response: " + raw.inbox());
  const auto head = parse_response_head(raw.take(end));
  if (!head) return refuse("malformed response: " + raw.received_first());
  if (std::string complaint = complain_about_upgrade(*head); !complaint.empty()) {
    return refuse(std::move(complaint));
  }
  return std::unique_ptr<WsClient>(new WsClient(std::move(raw)));
}

std::unique_ptr<WsClient> WsClient::adopt(RawClient raw, std::size_t head_bytes) {
  raw.take(head_bytes);
  return std::unique_ptr<WsClient>(new WsClient(std::move(raw)));
}

std::optional<ServerFrame> WsClient::receive(Deadline deadline) {
  for (;;) {
    reader_.feed(raw_.take());
    if (auto frame = reader_.next()) return frame;
    if (!violation().empty() || !raw_.receive(deadline)) return std::nullopt;
  }
}

bool WsClient::echoes(std::string_view text, Deadline deadline) {
  if (!send(text_frame(std::string(text)), deadline)) return false;
  const auto frame = receive(deadline);
  return frame && frame->opcode == kText && frame->fin && frame->payload == text;
}

}  // namespace spate::tests
