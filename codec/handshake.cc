#include "codec/handshake.h"

#include "codec/accept_key.h"
#include "codec/base64.h"
#include "codec/http_response.h"
#include "codec/http_syntax.h"
#include "codec/origin.h"

namespace spate::codec {
namespace {

constexpr std::string_view kProtocolHeader = "Sec-WebSocket-Protocol";

bool is_valid_key(std::string_view key) {
  constexpr std::size_t kNonceBytes = 16;
  std::array<std::byte, kWebSocketKeyBytes / 4 * 3> nonce;
  if (key.size() != kWebSocketKeyBytes) return false;
  const Base64Decoded decoded = base64_decode(nonce, key);
  return decoded.ok() && decoded.bytes == kNonceBytes;
}

HandshakeError check_version(const HttpHead& head) {
  const HttpHeader* version = head.find("Sec-WebSocket-Version");
  if (version == nullptr) return HandshakeError::version_missing;
  const bool once = head.find("Sec-WebSocket-Version", version) == nullptr;
  return once && version->value == "13" ? HandshakeError::none
                                        : HandshakeError::version_unsupported;
}

HandshakeError check_key(const HttpHead& head, Handshake& out) {
  const HttpHeader* key = head.find("Sec-WebSocket-Key");
  if (key == nullptr) return HandshakeError::key_missing;
  if (head.find("Sec-WebSocket-Key", key) != nullptr) return HandshakeError::key_repeated;
  out.key = key->value;
  return is_valid_key(key->value) ? HandshakeError::none : HandshakeError::key_invalid;
}

HandshakeError take_origin(const HttpHead& head, Handshake& out) {
  const HttpHeader* origin = head.find("Origin");
  out.has_origin = origin != nullptr;
  out.origin = origin == nullptr ? std::string_view{} : origin->value;
  const bool repeated = origin != nullptr && head.find("Origin", origin) != nullptr;
  return repeated ? HandshakeError::origin_repeated : HandshakeError::none;
}

// Quadratic in the offers, which a head's size bounds; a real client sends one or two. More than
// kMaxOffers differ from anything a client does and are refused before they cost.
HandshakeError check_offers(const HttpHead& head, Handshake& out) {
  constexpr std::size_t kMaxOffers = 64;
  out.offers = SubprotocolOffers(head);
  std::array<std::string_view, kMaxOffers> seen;
  std::size_t count = 0;
  SubprotocolOffers offers = out.offers;
  for (auto name = offers.next(); !name.empty(); name = offers.next()) {
    if (!is_token(name) || count == kMaxOffers) return HandshakeError::subprotocol_invalid;
    for (std::size_t i = 0; i < count; ++i) {
      if (seen[i] == name) return HandshakeError::subprotocol_repeated;
    }
    seen[count++] = name;
  }
  const bool header_without_value = count == 0 && head.find(kProtocolHeader) != nullptr;
  return header_without_value ? HandshakeError::subprotocol_invalid : HandshakeError::none;
}

}  // namespace

SubprotocolOffers::SubprotocolOffers(const HttpHead& head)
    : head_(&head), header_(head.find(kProtocolHeader)) {
  if (header_ != nullptr) rest_ = header_->value;
}

std::string_view SubprotocolOffers::next() {
  while (header_ != nullptr) {
    const std::string_view name = next_list_element(rest_);
    if (!name.empty()) return name;
    header_ = head_->find(kProtocolHeader, header_);
    if (header_ != nullptr) rest_ = header_->value;
  }
  return {};
}

HandshakeError check_handshake(const HttpHead& head, Handshake& out) {
  // The order is that of what a person would want to be told first.
  if (head.method != "GET") return HandshakeError::not_get;
  if (!head.upgrade_websocket) return HandshakeError::upgrade_missing;
  if (head.version_minor != 1) return HandshakeError::not_http11;
  if (!head.connection_upgrade) return HandshakeError::connection_lacks_upgrade;
  if (head.body != HttpBodyFraming::none) return HandshakeError::body_announced;
  HandshakeError error = check_version(head);
  if (error == HandshakeError::none) error = check_key(head, out);
  if (error == HandshakeError::none) error = take_origin(head, out);
  if (error == HandshakeError::none) error = check_offers(head, out);
  out.extensions = ExtensionOffers(head);
  if (error == HandshakeError::none && !extensions_well_formed(out.extensions))
    error = HandshakeError::extensions_invalid;
  return error;
}

HandshakeError check_origin(const HttpHead& head, const Handshake& handshake,
                            std::span<const std::string_view> patterns) {
  if (!handshake.has_origin) return HandshakeError::none;
  return is_origin_allowed(handshake.origin, head.host, patterns) ? HandshakeError::none
                                                                  : HandshakeError::origin_refused;
}

std::string_view select_subprotocol(SubprotocolOffers offers,
                                    std::span<const std::string_view> preferences) {
  for (const std::string_view preference : preferences) {
    SubprotocolOffers walk = offers;
    for (auto name = walk.next(); !name.empty(); name = walk.next()) {
      if (name == preference) return preference;
    }
  }
  return {};
}

std::size_t write_handshake_response(Bytes out, const Handshake& handshake,
                                     std::string_view subprotocol, std::string_view extensions) {
  const std::array<char, 28> accept = accept_key(handshake.key);
  HttpResponseWriter response(out, 101);
  response.header("Upgrade", "websocket").header("Connection", "Upgrade");
  response.header("Sec-WebSocket-Accept", {accept.data(), accept.size()});
  if (!subprotocol.empty()) response.header(kProtocolHeader, subprotocol);
  if (!extensions.empty()) response.header("Sec-WebSocket-Extensions", extensions);
  return response.finish();
}

}  // namespace spate::codec
