// Signs tokens, as an application's back end does (RFC 7515 §5.1).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "handlers/client/jwt.h"

using EVP_PKEY = struct evp_pkey_st;

namespace spate::cli {

class Signer {
 public:
  using Algorithm = handlers::client::SignatureAlgorithm;

  static Signer with_secret(std::string secret);
  // The error says what is wrong with the text, and the remedy.
  static core::Result<Signer> with_private_key(const std::string& pem);

  // Another algorithm than the key's usual one. Says what is wrong, or nothing.
  std::string choose(std::string_view algorithm);

  // `claims` is JSON; a kid that is empty is left out.
  std::string token(std::string_view claims, std::string_view kid) const;

 private:
  Signer() = default;
  std::string sign(std::string_view text) const;

  Algorithm algorithm_ = Algorithm::hs256;
  std::string secret_;
  std::shared_ptr<EVP_PKEY> key_;  // null: the secret
};

}  // namespace spate::cli
