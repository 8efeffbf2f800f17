#include "codec/deflate_terms.h"

#include <algorithm>
#include <utility>

#include "core/base.h"

namespace spate::codec {
namespace {

constexpr std::string_view kName = "permessage-deflate";

// Windows are 0 where the parameter is missing.
struct Offer {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::uint8_t server_max_window_bits = 0;
  std::uint8_t client_max_window_bits = 0;  // kMaxWindowBits where it has no value
};

// A decimal number from 8 to 15 without leading zeros (§7.1.2); 0 when it is none.
std::uint8_t window_bits(std::string_view value) {
  unsigned number = 0;
  std::size_t digits = 0;
  for (const char c : value) {
    if (c == '\\') continue;  // of a quoted string; no digit follows from it alone
    if (c < '0' || c > '9' || ++digits > 2 || (digits == 2 && number == 0)) return 0;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number >= 8 && number <= kMaxWindowBits ? static_cast<std::uint8_t>(number) : 0;
}

// A parameter that is there once, without a value.
bool take_flag(const ExtensionParam& param, bool& flag) {
  return !param.has_value() && !std::exchange(flag, true);
}

bool take_window(const ExtensionParam& param, std::uint8_t without_value, std::uint8_t& bits) {
  if (bits != 0) return false;
  bits = param.has_value() ? window_bits(param.value) : without_value;
  return bits != 0;
}

bool take_param(const ExtensionParam& param, Offer& offer) {
  if (param.name == "server_no_context_takeover")
    return take_flag(param, offer.server_no_context_takeover);
  if (param.name == "client_no_context_takeover")
    return take_flag(param, offer.client_no_context_takeover);
  if (param.name == "server_max_window_bits")
    return take_window(param, 0, offer.server_max_window_bits) && offer.server_max_window_bits != 8;
  if (param.name == "client_max_window_bits")
    return take_window(param, kMaxWindowBits, offer.client_max_window_bits);
  return false;
}

bool read(std::string_view params, Offer& offer) {
  for (ExtensionParam param; next_extension_param(params, param);)
    if (!take_param(param, offer)) return false;
  return true;
}

DeflateAgreement agree(const Offer& offer, const DeflatePolicy& policy) {
  DeflateTerms terms;
  terms.server_context_takeover = policy.context_takeover && !offer.server_no_context_takeover;
  terms.client_context_takeover = policy.context_takeover && !offer.client_no_context_takeover;
  if (offer.server_max_window_bits != 0) terms.server_window_bits = offer.server_max_window_bits;
  if (offer.client_max_window_bits != 0) terms.client_window_bits = offer.client_max_window_bits;
  if (terms.server_context_takeover)
    terms.server_window_bits = std::min(terms.server_window_bits, policy.context_window_bits);
  if (terms.client_context_takeover && offer.client_max_window_bits != 0)
    terms.client_window_bits = std::min(terms.client_window_bits, policy.context_window_bits);
  // An offer of server_max_window_bits is accepted by naming it (§7.1.2.1).
  return {terms, offer.server_max_window_bits != 0 || terms.server_window_bits != kMaxWindowBits,
          terms.client_window_bits != kMaxWindowBits};
}

}  // namespace

DeflateAgreement::DeflateAgreement(const DeflateTerms& terms, bool name_server_window,
                                   bool name_client_window)
    : terms_(terms) {
  append(kName);
  if (!terms.server_context_takeover) append("; server_no_context_takeover");
  if (!terms.client_context_takeover) append("; client_no_context_takeover");
  if (name_server_window) append_bits("; server_max_window_bits=", terms.server_window_bits);
  if (name_client_window) append_bits("; client_max_window_bits=", terms.client_window_bits);
}

void DeflateAgreement::append(std::string_view text) {
  SPATE_CHECK(text.size() <= text_.size() - bytes_);
  std::copy(text.begin(), text.end(), text_.begin() + static_cast<std::ptrdiff_t>(bytes_));
  bytes_ += text.size();
}

void DeflateAgreement::append_bits(std::string_view name, std::uint8_t bits) {
  append(name);
  const std::array<char, 2> digits{static_cast<char>('0' + bits / 10),
                                   static_cast<char>('0' + bits % 10)};
  append(std::string_view(digits.data(), 2).substr(bits < 10 ? 1 : 0));
}

std::optional<DeflateAgreement> negotiate_deflate(ExtensionOffers offers,
                                                  const DeflatePolicy& policy) {
  for (ExtensionOffer offered; offers.next(offered);) {
    Offer offer;
    if (offered.name == kName && read(offered.params, offer)) return agree(offer, policy);
  }
  return {};
}

bool offers_deflate(ExtensionOffers offers) {
  for (ExtensionOffer offered; offers.next(offered);)
    if (offered.name == kName) return true;
  return false;
}

}  // namespace spate::codec
