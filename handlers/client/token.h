// Connection and subscription tokens: JWTs that an application's back end signed, so that clients
// can show who they are and what they may subscribe to (RFC 7519).
//
//   take apart -> signature -> claims well-formed -> iss, aud -> exp, nbf
//                                         invalid <-|-> expired
//
// What failed only by its time is `expired`, so that a client fetches a new one; everything else is
// `invalid`. There is no leeway.
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
  std::string hmac_secret;                     // HS256, HS384, HS512; 32 random bytes are enough
  std::string hmac_previous_secret;            // taken too, until hmac_previous_valid_until
  std::int64_t hmac_previous_valid_until = 0;  // Unix seconds; 0: for ever
  std::string rsa_public_key;                  // PEM text: RS256, RS384, RS512
  std::string ecdsa_public_key;  // PEM text: the one of ES256, ES384, ES512 that its curve is for
  std::string jwks;      // text of a JWK set, EdDSA too; when given, the keys above are not used
  std::string audience;  // empty: any; else aud must be it, or a list with it
  std::string issuer;    // empty: any; else iss must be it
  std::string user_id_claim;  // a string that must be there; empty: sub, which may be missing
};

// The settings that can be wrong.
enum class TokenSetting : std::uint8_t { rsa_public_key, ecdsa_public_key, jwks };
constexpr std::string_view setting_name(TokenSetting setting) {
  constexpr std::string_view kNames[] = {"rsa_public_key", "ecdsa_public_key", "jwks"};
  return kNames[static_cast<std::size_t>(setting)];
}
struct TokenSettingsFault {
  TokenSetting setting;
  std::string wrong;  // and the remedy
};

struct OptionOverride {
  std::optional<bool> presence;
  std::optional<bool> join_leave;
  std::optional<bool> force_push_join_leave;
  std::optional<bool> force_recovery;
  std::optional<bool> force_positioning;
};

// Text of info, data and meta is the token's own, byte for byte but for line breaks between tokens;
// b64info and b64data, which win over info and data, may be any bytes.
struct SubscribeOptions {
  std::string info;
  std::string data;
  OptionOverride override_;
};

struct ConnectionClaims {
  std::string user;
  std::int64_t expire_at = 0;  // Unix seconds, of expire_at or else exp; 0: never
  std::string info;
  std::string meta;
  // Of subs, by name; or else of channels, in their order, without options.
  std::vector<std::pair<std::string, SubscribeOptions>> subs;
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

// Keeps OpenSSL's contexts with the keys set up, so that a token costs little more than its
// signature (bench_token): one verifier for a worker, one thread at a time. Times are Unix seconds.
class TokenVerifier {
 public:
  // What create() would refuse.
  static std::optional<TokenSettingsFault> check(const TokenSettings& settings);
  // The error names the setting and the remedy.
  static core::Result<std::unique_ptr<TokenVerifier>> create(const TokenSettings& settings);
  ~TokenVerifier();

  // Without any, every token is invalid.
  bool has_keys() const;
  // A token that names a channel is none for a connection.
  Verified<ConnectionClaims> connection(std::string_view token, std::int64_t now) const;
  // That user, channel and client are those of the connection is the caller's to check.
  Verified<SubscriptionClaims> subscription(std::string_view token, std::int64_t now) const;

 private:
  struct Keys;
  explicit TokenVerifier(std::unique_ptr<Keys> keys);
  std::unique_ptr<Keys> keys_;
};

}  // namespace spate::handlers::client
