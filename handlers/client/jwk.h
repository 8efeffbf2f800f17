// Public keys out of files: PEM (RFC 7468 §13) and sets of JSON Web Keys (RFC 7517, RFC 8037). At
// start-up and reload. Errors say what is wrong and the remedy.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "handlers/client/signature_key.h"

namespace spate::handlers::client {

// Without a kid a token's signature is tried with each key that fits.
inline constexpr std::size_t kMaxJwks = 32;

core::Result<std::unique_ptr<SignatureKey>> key_from_pem(const std::string& text, KeyFamily family);

// Keys that are for something else (use, key_ops, alg), of another kind or on another curve are
// passed over (RFC 7517 §5); one of ours that is malformed or weak is an error, as is a set without
// any that can be used, and one with a private key.
core::Result<std::vector<std::unique_ptr<SignatureKey>>> keys_from_jwks(std::string_view text);

}  // namespace spate::handlers::client
