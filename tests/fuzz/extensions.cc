// Whatever a client offers, the answer is a legal response to one of its offers (RFC 7692 §7.1).
//
// Input: one byte of policy, then the values of Sec-WebSocket-Extensions, one a line.
#include "codec/extensions.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "codec/deflate_terms.h"
#include "codec/http_syntax.h"
#include "tests/codec/http_outline.h"

namespace {

using namespace spate;

// Name to value, unescaped; nothing when a name comes twice.
using Params = std::map<std::string, std::string>;

std::optional<Params> params_of(const codec::ExtensionOffer& offer) {
  Params params;
  std::string_view rest = offer.params;
  for (codec::ExtensionParam param; codec::next_extension_param(rest, param);) {
    SPATE_CHECK(codec::is_token(param.name));
    std::string value(param.value);
    std::erase(value, '\\');
    SPATE_CHECK(value.empty() == !param.has_value());
    SPATE_CHECK(value.empty() || codec::is_token(value));
    if (!params.emplace(param.name, value).second) return {};
  }
  SPATE_CHECK(rest.empty());
  return params;
}

int bits_of(const Params& params, const char* name) {
  const auto found = params.find(name);
  if (found == params.end() || found->second.empty()) return 15;
  const std::string& text = found->second;
  for (int bits = 8; bits <= 15; ++bits)
    if (text == std::to_string(bits)) return bits;
  return 0;
}

// Everything that may be said of an offer without a policy.
bool acceptable(const Params& offer) {
  for (const auto& [name, value] : offer) {
    if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
      if (!value.empty()) return false;
    } else if (name == "server_max_window_bits") {
      if (value.empty() || bits_of(offer, name.c_str()) < 9) return false;
    } else if (name == "client_max_window_bits") {
      if (bits_of(offer, name.c_str()) == 0) return false;
    } else {
      return false;
    }
  }
  return true;
}

bool answers(const Params& answer, const Params& offer) {
  for (const char* name : {"server_no_context_takeover", "server_max_window_bits"})
    if (offer.contains(name) && !answer.contains(name)) return false;
  if (answer.contains("client_max_window_bits") && !offer.contains("client_max_window_bits"))
    return false;
  for (const char* name : {"server_max_window_bits", "client_max_window_bits"})
    if (answer.contains(name) && bits_of(answer, name) > bits_of(offer, name)) return false;
  return true;
}

codec::HttpHead parsed(const test::ExactBlock& block, bool& ok) {
  codec::HttpHead head;
  ok = codec::parse_http_head(block.bytes(), {}, head).status == codec::HttpParse::ok;
  return head;
}

constexpr const char* kStart = "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: ";

void check_answer(const codec::DeflateAgreement& agreement, const Params& accepted) {
  bool ok = false;
  const test::ExactBlock block(kStart + std::string(agreement.text()) + "\r\n\r\n");
  const codec::HttpHead head = parsed(block, ok);
  codec::ExtensionOffers offers(head);
  codec::ExtensionOffer answer, more;
  SPATE_CHECK(ok && offers.next(answer) && !offers.next(more) && !offers.malformed());
  SPATE_CHECK(answer.name == "permessage-deflate");
  const auto params = params_of(answer);
  SPATE_CHECK(params && acceptable(*params) && answers(*params, accepted));
  const codec::DeflateTerms& terms = agreement.terms();
  SPATE_CHECK(terms.server_context_takeover == !params->contains("server_no_context_takeover"));
  SPATE_CHECK(terms.client_context_takeover == !params->contains("client_no_context_takeover"));
  SPATE_CHECK(terms.server_window_bits == bits_of(*params, "server_max_window_bits"));
  SPATE_CHECK(terms.client_window_bits == bits_of(*params, "client_max_window_bits"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const codec::DeflatePolicy policy{
      .context_takeover = (data[0] & 1) != 0,
      .context_window_bits = static_cast<std::uint8_t>(9 + (data[0] >> 1) % 7)};
  std::string request = kStart;
  for (const char c : std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1))
    request += c == '\n' ? "\r\nSec-WebSocket-Extensions: " : std::string(1, c);
  const test::ExactBlock block(request + "\r\n\r\n");
  bool ok = false;
  const codec::HttpHead head = parsed(block, ok);
  if (!ok) return 0;

  std::optional<Params> accepted;
  codec::ExtensionOffers offers(head);
  for (codec::ExtensionOffer offer; offers.next(offer);) {
    SPATE_CHECK(codec::is_token(offer.name));
    const auto params = params_of(offer);
    const bool can = offer.name == "permessage-deflate" && params && acceptable(*params);
    if (can && !accepted) accepted = params;
  }
  if (codec::extensions_well_formed(codec::ExtensionOffers(head))) SPATE_CHECK(!offers.malformed());
  const auto agreement = codec::negotiate_deflate(codec::ExtensionOffers(head), policy);
  SPATE_CHECK(agreement.has_value() == accepted.has_value());
  if (agreement) check_answer(*agreement, *accepted);
  return 0;
}
