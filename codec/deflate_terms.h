// Negotiating permessage-deflate (RFC 7692 §7.1), as a server does it: what a client offers, what
// is agreed, and the answer that says so. Pure functions; no allocation.
//
//   Sec-WebSocket-Extensions -> negotiate_deflate() -> DeflateAgreement -> its text goes into the
//   101
//
// An offer with an unknown or a repeated parameter, or with a value that it may not have, is
// declined; so is one that demands server_max_window_bits=8, which zlib cannot honour (its deflate
// of 8 writes a stream for 9). The first offer that is left is accepted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "codec/extensions.h"

namespace spate::codec {

inline constexpr std::uint8_t kMaxWindowBits = 15;

// What the server would agree to.
struct DeflatePolicy {
  // Contexts from message to message, where the client allows it. Without: neither side keeps one.
  bool context_takeover = false;
  // The largest window of a context that is kept, 9–15, as far as the client lets itself be
  // limited. A window that lives for one message is never limited beyond what was asked for.
  std::uint8_t context_window_bits = kMaxWindowBits;
};

// What both sides agreed to.
struct DeflateTerms {
  bool server_context_takeover = false;
  bool client_context_takeover = false;
  std::uint8_t server_window_bits = kMaxWindowBits;  // 9–15: what we may refer back to
  std::uint8_t client_window_bits = kMaxWindowBits;  // 8–15: what the client may

  bool operator==(const DeflateTerms&) const = default;
};

class DeflateAgreement {
 public:
  DeflateAgreement(const DeflateTerms& terms, bool name_server_window, bool name_client_window);

  const DeflateTerms& terms() const { return terms_; }
  // Sec-WebSocket-Extensions of the response (§7.1).
  std::string_view text() const { return {text_.data(), bytes_}; }

  static constexpr std::size_t kMaxTextBytes = 144;

 private:
  void append(std::string_view text);
  void append_bits(std::string_view name, std::uint8_t bits);

  DeflateTerms terms_;
  std::array<char, kMaxTextBytes> text_;
  std::size_t bytes_ = 0;
};

// Nothing when the client offers no permessage-deflate, or none that can be accepted.
std::optional<DeflateAgreement> negotiate_deflate(ExtensionOffers offers,
                                                  const DeflatePolicy& policy);

// Whether it offers any at all.
bool offers_deflate(ExtensionOffers offers);

}  // namespace spate::codec
