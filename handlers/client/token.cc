// What stands where: jwt takes the token apart, jwk and signature_key have the keys, token_claims
// reads what is signed. The JSON of the claims is not looked at before the signature is good.
#include "handlers/client/token.h"

#include <utility>

#include "handlers/client/jwk.h"
#include "handlers/client/jwt.h"
#include "handlers/client/signature_key.h"
#include "handlers/client/token_claims.h"

namespace spate::handlers::client {

struct TokenVerifier::Keys {
  struct Entry {
    std::unique_ptr<SignatureKey> key;
    std::int64_t valid_until = 0;  // Unix seconds; 0: for ever
  };

  std::optional<TokenSettingsFault> load(const TokenSettings& settings);
  std::string_view authenticate(const Jwt& jwt, std::int64_t now) const;
  // The way of every token: its fate, and its claims when it is good.
  Verified<TokenClaims> verify(std::string_view token, TokenKind kind, std::int64_t now) const;

  std::vector<Entry> entries;
  bool by_kid = false;
  ClaimRules rules;
};

std::optional<TokenSettingsFault> TokenVerifier::Keys::load(const TokenSettings& settings) {
  rules = {settings.audience, settings.issuer, settings.user_id_claim};
  if (!settings.jwks.empty()) {
    by_kid = true;
    auto keys = keys_from_jwks(settings.jwks);
    if (!keys) return TokenSettingsFault{TokenSetting::jwks, keys.error()};
    for (auto& key : *keys) entries.push_back({std::move(key)});
    return {};
  }
  if (!settings.hmac_secret.empty()) entries.push_back({hmac_key(settings.hmac_secret)});
  if (!settings.hmac_previous_secret.empty())
    entries.push_back(
        {hmac_key(settings.hmac_previous_secret), settings.hmac_previous_valid_until});
  for (const auto& [setting, text, family] :
       {std::tuple{TokenSetting::rsa_public_key, &settings.rsa_public_key, KeyFamily::rsa},
        std::tuple{TokenSetting::ecdsa_public_key, &settings.ecdsa_public_key, KeyFamily::ec}}) {
    if (text->empty()) continue;
    auto key = key_from_pem(*text, family);
    if (!key) return TokenSettingsFault{setting, key.error()};
    entries.push_back({std::move(*key)});
  }
  return {};
}

// Every key that may be the one is tried: two of a set may share a kid, and a secret has a
// predecessor.
std::string_view TokenVerifier::Keys::authenticate(const Jwt& jwt, std::int64_t now) const {
  std::string_view why = "alg has no key";
  for (const Entry& entry : entries) {
    if (!entry.key->fits(jwt.algorithm)) continue;
    if (by_kid && jwt.kid && entry.key->kid() != jwt.kid) {
      if (why == "alg has no key") why = "kid names no key of that alg";
      continue;
    }
    if (entry.valid_until != 0 && now > entry.valid_until) continue;
    if (entry.key->verify(jwt.algorithm, jwt.signed_text, jwt.signature())) return {};
    why = "signature is wrong";
  }
  return why;
}

Verified<TokenClaims> TokenVerifier::Keys::verify(std::string_view token, TokenKind kind,
                                                  std::int64_t now) const {
  Verified<TokenClaims> out;
  Jwt jwt;
  out.why = parse_jwt(token, jwt);
  if (out.why.empty()) out.why = authenticate(jwt, now);
  if (out.why.empty()) out.why = read_claims(jwt.claims, kind, rules, out.claims);
  if (out.why.empty() && !rules.issuer.empty() && !out.claims.has_issuer)
    out.why = "iss is not the one expected";
  if (out.why.empty() && !rules.audience.empty() && !out.claims.has_audience)
    out.why = "aud is not the one expected";
  if (!out.why.empty()) {
    out.error = TokenError::invalid;
  } else if (out.claims.exp && now >= *out.claims.exp) {
    out.error = TokenError::expired;
    out.why = "exp has passed";
  } else if (out.claims.nbf && now < *out.claims.nbf) {
    out.error = TokenError::expired;
    out.why = "nbf is still to come";
  }
  return out;
}

TokenVerifier::TokenVerifier(std::unique_ptr<Keys> keys) : keys_(std::move(keys)) {}
TokenVerifier::~TokenVerifier() = default;

std::optional<TokenSettingsFault> TokenVerifier::check(const TokenSettings& settings) {
  return Keys{}.load(settings);
}

core::Result<std::unique_ptr<TokenVerifier>> TokenVerifier::create(const TokenSettings& settings) {
  auto keys = std::make_unique<Keys>();
  if (const auto fault = keys->load(settings))
    return core::Failure{std::string(setting_name(fault->setting)) + ": " + fault->wrong};
  return std::unique_ptr<TokenVerifier>(new TokenVerifier(std::move(keys)));
}

bool TokenVerifier::has_keys() const {
  return !keys_->entries.empty();
}

Verified<ConnectionClaims> TokenVerifier::connection(std::string_view token,
                                                     std::int64_t now) const {
  Verified<TokenClaims> from = keys_->verify(token, TokenKind::connection, now);
  if (from.error != TokenError::none) return {from.error, from.why, {}};
  TokenClaims& claims = from.claims;
  if (claims.subs.empty())
    for (std::string& channel : claims.channels)
      claims.subs.emplace_back(std::move(channel), SubscribeOptions{});
  return {TokenError::none,
          {},
          {.user = std::move(claims.user),
           .expire_at = claims.expire_at.value_or(claims.exp.value_or(0)),
           .info = std::move(claims.options.info),
           .meta = std::move(claims.meta),
           .subs = std::move(claims.subs)}};
}

Verified<SubscriptionClaims> TokenVerifier::subscription(std::string_view token,
                                                         std::int64_t now) const {
  Verified<TokenClaims> from = keys_->verify(token, TokenKind::subscription, now);
  if (from.error != TokenError::none) return {from.error, from.why, {}};
  TokenClaims& claims = from.claims;
  return {TokenError::none,
          {},
          {.user = std::move(claims.user),
           .channel = std::move(claims.channel),
           .client = std::move(claims.client),
           .expire_at = claims.expire_at.value_or(claims.exp.value_or(0)),
           .options = std::move(claims.options)}};
}

}  // namespace spate::handlers::client
