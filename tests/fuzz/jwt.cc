// Tokens: whatever the bytes are, a token is good exactly when a slow reading of it says so, and
// then its text passes on as it was.
//
// Input: one byte of what to do, then a whole token (bit 0 off), or a header and claims with a NUL
// between them, which are signed here (bit 0 on), so that the claims are reached.
#include <openssl/evp.h>
#include <rapidjson/document.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "handlers/client/token.h"
#include "tests/codec/http_outline.h"
#include "tests/handlers/client/signing.h"

namespace {

using namespace spate;
using namespace spate::handlers::client;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr const char* kSecret = "a secret of more than thirty-two bytes";

TokenVerifier& verifier() {
  static const auto made = [] {
    TokenSettings settings;
    settings.hmac_secret = kSecret;
    return TokenVerifier::create(settings).value();
  }();
  return *made;
}

// The slow oracle for what is passed on: a document of the same bytes.
bool is_json(std::string_view text) {
  rapidjson::Document document;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  return text.find('\0') == std::string_view::npos &&
         !document.Parse<kFlags>(text.data(), text.size()).HasParseError();
}

void check_source(std::string_view claims, std::string_view text) {
  SPATE_CHECK(text.find_first_of("\r\n") == std::string_view::npos);
  // Of base 64 it may be anything, and a name may be spelled with escapes.
  if (text.empty() || claims.find("64") != std::string_view::npos ||
      claims.find("\\u") != std::string_view::npos)
    return;
  SPATE_CHECK(is_json(text));
  std::string one_line;
  for (const char c : claims)
    if (c != '\r' && c != '\n') one_line += c;
  SPATE_CHECK(one_line.find(text) != std::string::npos);
}

void check(std::string_view token) {
  const test::ExactBlock block(token);
  const auto connection = verifier().connection(as_text(block.bytes()), kNow);
  const auto subscription = verifier().subscription(as_text(block.bytes()), kNow);
  SPATE_CHECK(connection.why.empty() == (connection.error == TokenError::none));
  SPATE_CHECK(subscription.why.empty() == (subscription.error == TokenError::none));
  // No token is both.
  SPATE_CHECK(connection.error != TokenError::none || subscription.error == TokenError::invalid);
  if (connection.error != TokenError::none && subscription.error != TokenError::none) return;
  const std::string_view text = token.substr(0, token.rfind('.'));
  SPATE_CHECK(token.substr(text.size() + 1) ==
              test::base64url(test::HmacSigner(kSecret, EVP_sha256()).sign(text)));
  const std::string claims = test::from_base64url(text.substr(text.find('.') + 1));
  SPATE_CHECK(is_json(claims));
  if (connection.error == TokenError::none) {
    check_source(claims, connection.claims.info);
    check_source(claims, connection.claims.meta);
  } else {
    SPATE_CHECK(!subscription.claims.channel.empty());
    check_source(claims, subscription.claims.options.info);
    check_source(claims, subscription.claims.options.data);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view rest = all.substr(1);
  if ((data[0] & 1) == 0) {
    check(rest);
    return 0;
  }
  const std::size_t nul = rest.find('\0');
  if (nul == std::string_view::npos) return 0;
  check(test::HmacSigner(kSecret, EVP_sha256()).token(rest.substr(0, nul), rest.substr(nul + 1)));
  return 0;
}
