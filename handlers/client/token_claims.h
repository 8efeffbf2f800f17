// What a token claims (RFC 7519 §4), read from the JSON of its middle part once its signature is
// good.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/client/token.h"

namespace spate::handlers::client {

enum class TokenKind : std::uint8_t { connection, subscription };

// What is expected of claims.
struct ClaimRules {
  std::string audience;       // empty: any
  std::string issuer;         // empty: any
  std::string user_id_claim;  // empty: sub
};

// Claims of either kind of token; those that the kind does not know are left as they are.
struct TokenClaims {
  std::string user;
  // Unix seconds; a fraction counts as the next whole second, which is the first in which it has
  // passed.
  std::optional<std::int64_t> exp;
  std::optional<std::int64_t> nbf;
  std::optional<std::int64_t> expire_at;
  bool has_audience = false;  // the one that is expected
  bool has_issuer = false;
  std::vector<std::string> channels;
  std::vector<std::pair<std::string, SubscribeOptions>> subs;
  std::string meta;
  std::string channel;
  std::string client;
  SubscribeOptions options;
};

// Says what is wrong, or nothing. Null is the same as no claim, except where that would open a
// door: exp, nbf, aud, iss, and channel. The kinds' other claims, and those that nobody knows, are
// passed over (RFC 7519 §4); one that is known and given twice is wrong.
std::string_view read_claims(std::string_view json, TokenKind kind, const ClaimRules& rules,
                             TokenClaims& out);

}  // namespace spate::handlers::client
