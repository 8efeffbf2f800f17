// The server's side of the opening handshake (RFC 6455 §4.2): is this request head a WebSocket
// upgrade, and the 101 response that accepts it. Pure functions; views alias the head's input; no
// allocation.
//
//   HttpHead -> check_handshake() -> Handshake -> (origin, subprotocol: the server's choice)
//            -> write_handshake_response() -> 101 bytes
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "codec/extensions.h"
#include "codec/http_head.h"
#include "core/base.h"

namespace spate::codec {

enum class HandshakeError : std::uint8_t {
  none,
  upgrade_missing,
  connection_lacks_upgrade,
  not_get,
  not_http11,
  version_missing,
  version_unsupported,
  key_missing,
  key_repeated,
  key_invalid,
  body_announced,
  origin_repeated,
  origin_refused,
  subprotocol_invalid,
  subprotocol_repeated,
  extensions_invalid,
};

struct HandshakeErrorInfo {
  HandshakeError error;
  std::string_view name;    // the enumerator, for logs and metric labels
  int status;               // RFC 9110 §15; write_refusal() adds what a 426 needs
  std::string_view clause;  // where the rule stands
  std::string_view remedy;  // one sentence for the response body and the log
};

inline constexpr auto kHandshakeErrors = std::to_array<HandshakeErrorInfo>({
    {HandshakeError::none, "none", 101, "", ""},
    {HandshakeError::upgrade_missing, "upgrade_missing", 426, "RFC 6455 §4.2.1 (3)",
     "This is a WebSocket endpoint: connect with a WebSocket client, and let proxies pass the "
     "Upgrade "
     "header on."},
    {HandshakeError::connection_lacks_upgrade, "connection_lacks_upgrade", 400,
     "RFC 6455 §4.2.1 (4)",
     "The Connection header does not list upgrade: let proxies pass Connection: upgrade on."},
    {HandshakeError::not_get, "not_get", 405, "RFC 6455 §4.2.1 (1)",
     "A WebSocket handshake is a GET request."},
    {HandshakeError::not_http11, "not_http11", 400, "RFC 6455 §4.2.1 (1)",
     "A WebSocket handshake needs HTTP/1.1: let proxies use HTTP/1.1 towards this server."},
    {HandshakeError::version_missing, "version_missing", 426, "RFC 6455 §4.2.1 (6)",
     "Send Sec-WebSocket-Version: 13."},
    {HandshakeError::version_unsupported, "version_unsupported", 426, "RFC 6455 §4.2.2 (4), §4.4",
     "The only WebSocket version understood is 13."},
    {HandshakeError::key_missing, "key_missing", 400, "RFC 6455 §4.2.1 (5)",
     "Send a Sec-WebSocket-Key."},
    {HandshakeError::key_repeated, "key_repeated", 400, "RFC 6455 §11.3.1",
     "Send exactly one Sec-WebSocket-Key."},
    {HandshakeError::key_invalid, "key_invalid", 400, "RFC 6455 §4.2.1 (5)",
     "Sec-WebSocket-Key must be the base64 form of 16 bytes."},
    {HandshakeError::body_announced, "body_announced", 400, "RFC 6455 §4.1",
     "A WebSocket handshake has no body: leave out Content-Length and Transfer-Encoding."},
    {HandshakeError::origin_repeated, "origin_repeated", 400, "RFC 6454 §7.3",
     "Send at most one Origin."},
    {HandshakeError::origin_refused, "origin_refused", 403, "RFC 6455 §4.2.2 (4), §10.2",
     "Pages of this origin may not connect: add it to the server's allowed origins."},
    {HandshakeError::subprotocol_invalid, "subprotocol_invalid", 400, "RFC 6455 §4.1 (10)",
     "Each value of Sec-WebSocket-Protocol must be a token."},
    {HandshakeError::subprotocol_repeated, "subprotocol_repeated", 400, "RFC 6455 §4.1 (10)",
     "The values of Sec-WebSocket-Protocol must differ from each other."},
    {HandshakeError::extensions_invalid, "extensions_invalid", 400, "RFC 6455 §9.1",
     "Sec-WebSocket-Extensions must be a list of tokens with parameters."},
});

constexpr const HandshakeErrorInfo& describe(HandshakeError error) {
  return kHandshakeErrors[static_cast<std::size_t>(error)];
}

static_assert(
    [] {
      for (std::size_t i = 0; i < kHandshakeErrors.size(); ++i) {
        if (static_cast<std::size_t>(kHandshakeErrors[i].error) != i) return false;
      }
      return kHandshakeErrors.back().error == HandshakeError::extensions_invalid;
    }(),
    "the table has one row per error, in the order of the enum");

// The subprotocols a client offers, in its order, over all its Sec-WebSocket-Protocol headers.
//   for (auto name = offers.next(); !name.empty(); name = offers.next()) …
// Reads the head as it goes: valid as long as the head is. Copy it to walk again.
class SubprotocolOffers {
 public:
  SubprotocolOffers() = default;
  explicit SubprotocolOffers(const HttpHead& head);

  // The next offer, empty at the end.
  std::string_view next();

 private:
  const HttpHead* head_ = nullptr;
  const HttpHeader* header_ = nullptr;
  std::string_view rest_;
};

// What a valid handshake says.
struct Handshake {
  std::string_view key;     // Sec-WebSocket-Key, 24 characters
  std::string_view origin;  // empty when has_origin is false: the client is no browser's page
  bool has_origin = false;
  SubprotocolOffers offers;    // tokens, each once
  ExtensionOffers extensions;  // well-formed
};

// Every rule of RFC 6455 §4.2.1 but the server's own choices. `out` is whole only after `none`.
[[nodiscard]] HandshakeError check_handshake(const HttpHead& head, Handshake& out);

// origin_refused, unless the handshake has no Origin or is_origin_allowed() (codec/origin.h).
[[nodiscard]] HandshakeError check_origin(const HttpHead& head, const Handshake& handshake,
                                          std::span<const std::string_view> patterns);

// The first of the server's `preferences` that the client offers, or empty: none in common (RFC
// 6455 §4.2.2 (5): then the response names none). Compared with case. The result aliases
// `preferences`.
[[nodiscard]] std::string_view select_subprotocol(SubprotocolOffers offers,
                                                  std::span<const std::string_view> preferences);

// The 101 response (RFC 6455 §4.2.2 (5)). `subprotocol` and `extensions` are left out when empty.
// Bytes written, or 0 when it did not fit; kHandshakeResponseBytes plus both their sizes always
// suffice.
inline constexpr std::size_t kHandshakeResponseBytes = 192;
[[nodiscard]] std::size_t write_handshake_response(Bytes out, const Handshake& handshake,
                                                   std::string_view subprotocol = {},
                                                   std::string_view extensions = {});

}  // namespace spate::codec
