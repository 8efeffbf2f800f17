#include "tools/spate-bench/handshake.h"

#include <algorithm>

#include "codec/accept_key.h"
#include "codec/base64.h"
#include "core/base.h"

namespace spate::bench {

namespace {

using Key = std::array<char, codec::kWebSocketKeyBytes>;

Key key_of(std::uint32_t id, std::uint32_t attempt) {
  std::byte nonce[16];
  std::uint64_t mixed = (std::uint64_t{id} << 32 | attempt) * 0x9e3779b97f4a7c15 + 1;
  store(nonce, mixed);
  store(nonce + 8, (mixed ^ mixed >> 31) * 0x94d049bb133111eb);
  Key key;
  codec::base64_encode(key, nonce);
  return key;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The value of a header that must be there once.
std::string_view header(std::string_view head, std::string_view name) {
  std::string_view value;
  std::size_t line_start = head.find("\r\n") + 2;
  while (line_start < head.size()) {
    const std::size_t line_end = head.find("\r\n", line_start);
    if (line_end == head.npos) break;
    const std::string_view line = head.substr(line_start, line_end - line_start);
    const std::size_t colon = line.find(':');
    if (colon != line.npos && same(line.substr(0, colon), name))
      value = trim(line.substr(colon + 1));
    line_start = line_end + 2;
  }
  return value;
}

}  // namespace

Handshake::Handshake(std::string_view host, std::string_view path,
                     const std::vector<std::string>& headers, bool deflate)
    : deflate_(deflate) {
  request_.append("GET ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  request_ += "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  for (const std::string& line : headers) request_.append(line).append("\r\n");
  if (deflate)
    request_ +=
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
        "client_no_context_takeover\r\n";
  request_ += "Sec-WebSocket-Key: ";
  key_at_ = request_.size();
  request_.append(codec::kWebSocketKeyBytes, '=').append("\r\n\r\n");
}

std::string_view Handshake::request(std::uint32_t id, std::uint32_t attempt) {
  std::ranges::copy(key_of(id, attempt), request_.begin() + static_cast<std::ptrdiff_t>(key_at_));
  return request_;
}

std::optional<Error> Handshake::refuse(std::string_view head, std::uint32_t id,
                                       std::uint32_t attempt) const {
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return Error::handshake_malformed;
  if (head.substr(9, 3) != "101") return Error::handshake_refused;
  if (!same(header(head, "upgrade"), "websocket") || !same(header(head, "connection"), "upgrade"))
    return Error::handshake_malformed;
  const Key key = key_of(id, attempt);
  const auto accept = codec::accept_key({key.data(), key.size()});
  if (header(head, "sec-websocket-accept") != std::string_view(accept.data(), accept.size()))
    return Error::handshake_accept_key;
  // An answer that accepts the offer repeats that the server keeps no context (RFC 7692 §7.1.1.1).
  const std::string_view extensions = header(head, "sec-websocket-extensions");
  if (deflate_ && !(extensions.starts_with("permessage-deflate") &&
                    extensions.find("server_no_context_takeover") != extensions.npos))
    return Error::handshake_no_deflate;
  return std::nullopt;
}

std::optional<std::size_t> head_end(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == bytes.npos) return std::nullopt;
  return end + 4;
}

}  // namespace spate::bench
