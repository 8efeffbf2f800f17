// The opening handshake on any head that parses: an accepted one has what RFC 6455 §4.2.1 asks, and
// its response parses as a head again.
//
// Input: one byte with the length of a glob, the glob, the bytes of the head. The glob is matched
// with the Origin and compared with a table of all partial matches.
#include "codec/handshake.h"

#include <string>
#include <string_view>
#include <vector>

#include "codec/base64.h"
#include "codec/http_response.h"
#include "codec/http_syntax.h"
#include "codec/origin.h"
#include "tests/codec/http_outline.h"

namespace {

using namespace spate;

// match[p][t]: the pattern from p on matches the text from t on.
bool slow_glob(std::string_view pattern, std::string_view text) {
  std::vector<std::vector<bool>> match(pattern.size() + 1, std::vector<bool>(text.size() + 1));
  match[pattern.size()][text.size()] = true;
  for (std::size_t p = pattern.size(); p-- > 0;) {
    for (std::size_t t = text.size() + 1; t-- > 0;) {
      const bool more = t < text.size();
      if (pattern[p] == '*') {
        match[p][t] = match[p + 1][t] || (more && match[p][t + 1]);
      } else {
        match[p][t] = more && codec::ascii_lower(pattern[p]) == codec::ascii_lower(text[t]) &&
                      match[p + 1][t + 1];
      }
    }
  }
  return match[0][0];
}

void check_accepted(const codec::HttpHead& head, const codec::Handshake& handshake) {
  SPATE_CHECK(head.method == "GET" && head.version_minor == 1);
  SPATE_CHECK(head.upgrade_websocket && head.connection_upgrade);
  SPATE_CHECK(head.body == codec::HttpBodyFraming::none);
  std::byte nonce[18];
  const auto decoded = codec::base64_decode(nonce, handshake.key);
  SPATE_CHECK(decoded.ok() && decoded.bytes == 16);

  std::vector<std::string_view> offered;
  codec::SubprotocolOffers offers = handshake.offers;
  for (auto name = offers.next(); !name.empty(); name = offers.next()) {
    SPATE_CHECK(codec::is_token(name));
    for (const std::string_view other : offered) SPATE_CHECK(other != name);
    offered.push_back(name);
  }
  const std::string_view last = offered.empty() ? "none" : offered.back();
  const std::string_view preferences[] = {"not offered?", last};
  const std::string_view selected = codec::select_subprotocol(handshake.offers, preferences);
  SPATE_CHECK(selected == (offered.empty() ? "" : last));

  std::vector<std::byte> out(codec::kHandshakeResponseBytes + selected.size());
  const std::size_t bytes = codec::write_handshake_response(out, handshake, selected);
  SPATE_CHECK(bytes > 0);
  const std::string_view response = as_text(ConstBytes(out).first(bytes));
  constexpr std::string_view kStatusLine = "HTTP/1.1 101 Switching Protocols\r\n";
  SPATE_CHECK(response.starts_with(kStatusLine));
  const std::string as_request =
      "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(response.substr(kStatusLine.size()));
  codec::HttpHead again;
  const auto parsed = codec::parse_http_head(as_bytes(as_request), {}, again);
  SPATE_CHECK(parsed.status == codec::HttpParse::ok && parsed.consumed == as_request.size());
  SPATE_CHECK(again.header_count == (selected.empty() ? 4U : 5U));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] >= size) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view pattern = all.substr(1, data[0]);
  const test::ExactBlock block(all.substr(1 + pattern.size()));

  codec::HttpHead head;
  const auto parsed = codec::parse_http_head(block.bytes(), {}, head);
  if (parsed.status != codec::HttpParse::ok) return 0;
  codec::Handshake handshake;
  const codec::HandshakeError error = codec::check_handshake(head, handshake);
  if (error != codec::HandshakeError::none) {
    std::byte out[codec::kRefusalBytes];
    const auto& info = codec::describe(error);
    SPATE_CHECK(codec::write_refusal(out, {.status = info.status, .remedy = info.remedy}) > 0);
    return 0;
  }
  check_accepted(head, handshake);

  const std::string_view patterns[] = {pattern};
  const bool allowed =
      codec::check_origin(head, handshake, patterns) == codec::HandshakeError::none;
  SPATE_CHECK(allowed == (!handshake.has_origin || slow_glob(pattern, handshake.origin)));
  // Whatever the host is, a page that it served may connect.
  SPATE_CHECK(codec::is_same_origin("http://" + std::string(head.host), head.host));
  SPATE_CHECK(codec::is_same_origin("https://" + std::string(head.host), head.host));
  return 0;
}
