// Connection and subscription tokens: JWTs that an application's back end signed, so that clients
// can show who they are and what they may subscribe to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace spate::handlers::client {

// Keys and claims that are expected. Which algorithms are accepted follows from the keys that are
// set; "none" never is.
struct TokenSettings {
  std::string hmac_secret;                     // HS256, HS384, HS512
  std::string hmac_previous_secret;            // taken too, until previous_valid_until
  std::int64_t hmac_previous_valid_until = 0;  // Unix seconds; 0: for ever
  std::string rsa_public_key;                  // PEM text: RS256, RS384, RS512
  std::string ecdsa_public_key;                // PEM text: ES256, ES384, ES512
  std::string jwks;  // text of a JWK set; when given, the keys above are not used
  std::string audience;
  std::string issuer;
  std::string user_id_claim;  // empty: sub
};

struct OptionOverride {
  std::optional<bool> presence;
  std::optional<bool> join_leave;
  std::optional<bool> force_push_join_leave;
  std::optional<bool> force_recovery;
  std::optional<bool> force_positioning;
};

struct SubscribeOptions {
  std::string info;  // b64info decoded, or info
  std::string data;
  OptionOverride override_;
};

struct ConnectionClaims {
  std::string user;
  std::int64_t expire_at = 0;  // Unix seconds; 0: never
  std::string info;
  std::string meta;
  std::vector<std::pair<std::string, SubscribeOptions>> subs;  // of subs, or else channels
};

struct SubscriptionClaims {
  std::string user;
  std::string channel;
  std::string client;          // empty: any
  std::int64_t expire_at = 0;  // Unix seconds; 0: never
  SubscribeOptions options;
};

enum class TokenError : std::uint8_t { none, invalid, expired };

template <typename Claims>
struct Verified {
  TokenError error = TokenError::none;
  std::string_view why;  // for the log: which rule refused it
  Claims claims;
};

class TokenVerifier {
 public:
  // The error names the setting and the remedy.
  static core::Result<std::unique_ptr<TokenVerifier>> create(const TokenSettings& settings);
  ~TokenVerifier();

  // No key at all: every token is invalid.
  bool has_keys() const;
  // `now`: Unix seconds.
  Verified<ConnectionClaims> connection(std::string_view token, std::int64_t now) const;
  Verified<SubscriptionClaims> subscription(std::string_view token, std::int64_t now) const;

 private:
  struct Keys;
  explicit TokenVerifier(std::unique_ptr<Keys> keys);
  std::unique_ptr<Keys> keys_;
};

}  // namespace spate::handlers::client
