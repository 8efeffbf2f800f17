// A key that judges signatures (RFC 7515 §5.2). Which algorithms it judges follows from what it is,
// never from what a token says: a public RSA key is no HMAC secret.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "handlers/client/jwt.h"

using EVP_PKEY = struct evp_pkey_st;

namespace spate::handlers::client {

struct PublicKeyFree {
  void operator()(EVP_PKEY* key) const;
};
using PublicKey = std::unique_ptr<EVP_PKEY, PublicKeyFree>;

// OpenSSL's contexts are made once and used again for each signature: one thread at a time.
class SignatureKey {
 public:
  virtual ~SignatureKey() = default;

  bool fits(SignatureAlgorithm algorithm) const {
    return (!only_ || *only_ == algorithm) && judges(algorithm);
  }
  // Whether `signature` is one of `text`; the algorithm fits.
  virtual bool verify(SignatureAlgorithm algorithm, std::string_view text,
                      ConstBytes signature) = 0;

  const std::optional<std::string>& kid() const { return kid_; }
  // What a JWK says of its key: its name, and the one algorithm that it is for (RFC 7517 §4.4–5).
  void set_kid(std::string kid) { kid_ = std::move(kid); }
  void narrow_to(SignatureAlgorithm only) { only_ = only; }

 private:
  virtual bool judges(SignatureAlgorithm algorithm) const = 0;

  std::optional<std::string> kid_;
  std::optional<SignatureAlgorithm> only_;
};

// HS256, HS384 and HS512; `secret` is not empty. Signatures are compared in constant time.
std::unique_ptr<SignatureKey> hmac_key(std::string_view secret);

// RS256, RS384 and RS512, or the one ES algorithm of the curve, or EdDSA with Ed25519. Refuses what
// is none of these or too weak: RSA below 2,048 bits (RFC 7518 §3.3) or with an exponent that is no
// exponent.
core::Result<std::unique_ptr<SignatureKey>> public_key(PublicKey key);

}  // namespace spate::handlers::client
