#include "tools/spate-cli/signer.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "codec/base64url.h"
#include "handlers/client/json_text.h"

namespace spate::cli {
namespace {

using handlers::client::KeyFamily;
using handlers::client::kSignatureInfo;
using handlers::client::SignatureAlgorithmInfo;

std::string base64url(std::string_view bytes) {
  std::string text(codec::base64url_encoded_bytes(bytes.size()), '\0');
  codec::base64url_encode(text, as_bytes(bytes));
  return text;
}

const unsigned char* uchars(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// An encrypted key is refused instead of asking the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

// r and s as wide as the curve each (RFC 7518 §3.4), of what OpenSSL writes.
std::string raw_of(std::string_view der, std::size_t bytes) {
  const unsigned char* at = uchars(der);
  ECDSA_SIG* const pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  SPATE_CHECK(pair != nullptr);
  std::string raw(bytes, '\0');
  auto* const to = reinterpret_cast<unsigned char*>(raw.data());
  const auto half = static_cast<int>(bytes / 2);
  SPATE_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair), to, half) == half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), to + half, half) == half);
  ECDSA_SIG_free(pair);
  return raw;
}

}  // namespace

Signer Signer::with_secret(std::string secret) {
  Signer signer;
  signer.secret_ = std::move(secret);
  return signer;
}

core::Result<Signer> Signer::with_private_key(const std::string& pem) {
  BIO* const in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Signer signer;
  signer.key_ = {PEM_read_bio_PrivateKey(in, nullptr, no_passphrase, nullptr), EVP_PKEY_free};
  BIO_free(in);
  ERR_clear_error();
  EVP_PKEY* const key = signer.key_.get();
  if (key == nullptr)
    return core::Failure{pem.find("ENCRYPTED") != std::string::npos
                             ? "encrypted; give a key without a passphrase"
                             : "no private key in it; give a PEM file"};
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      signer.algorithm_ = Algorithm::rs256;
      return signer;
    case EVP_PKEY_ED25519:
      signer.algorithm_ = Algorithm::eddsa;
      return signer;
    case EVP_PKEY_EC: {
      char curve[64] = {};
      EVP_PKEY_get_group_name(key, curve, sizeof curve, nullptr);
      for (const SignatureAlgorithmInfo& info : kSignatureInfo) {
        if (info.curve == nullptr || std::string_view(curve) != info.curve) continue;
        signer.algorithm_ = info.algorithm;
        return signer;
      }
      return core::Failure{"a curve that tokens are not signed with; use P-256, P-384 or P-521"};
    }
    default:
      return core::Failure{"neither RSA, EC nor Ed25519; use one of these"};
  }
}

std::string Signer::choose(std::string_view algorithm) {
  const auto chosen = handlers::client::signature_algorithm(algorithm);
  const SignatureAlgorithmInfo& usual = handlers::client::describe(algorithm_);
  // A curve has one algorithm.
  const bool fits = chosen && (usual.family == KeyFamily::hmac || usual.family == KeyFamily::rsa
                                   ? handlers::client::describe(*chosen).family == usual.family
                                   : *chosen == algorithm_);
  if (fits) {
    algorithm_ = *chosen;
    return {};
  }
  std::string names;
  for (const SignatureAlgorithmInfo& info : kSignatureInfo)
    if (info.family == usual.family && (info.curve == nullptr || info.algorithm == algorithm_))
      names.append(names.empty() ? "" : ", ").append(info.name);
  return "the key does not sign with it; write one of " + names;
}

std::string Signer::sign(std::string_view text) const {
  const SignatureAlgorithmInfo& info = handlers::client::describe(algorithm_);
  const EVP_MD* const digest = info.digest != nullptr ? EVP_get_digestbyname(info.digest) : nullptr;
  if (!key_) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int bytes = 0;
    HMAC(digest, secret_.data(), static_cast<int>(secret_.size()), uchars(text), text.size(), mac,
         &bytes);
    return {reinterpret_cast<char*>(mac), bytes};
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::size_t bytes = 0;
  SPATE_CHECK(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &bytes, uchars(text), text.size()) == 1);
  std::string signature(bytes, '\0');
  SPATE_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                             &bytes, uchars(text), text.size()) == 1);
  signature.resize(bytes);
  return info.family == KeyFamily::ec ? raw_of(signature, info.signature_bytes) : signature;
}

std::string Signer::token(std::string_view claims, std::string_view kid) const {
  std::string header = "{\"alg\":\"" + std::string(handlers::client::describe(algorithm_).name) +
                       "\",\"typ\":\"JWT\"";
  if (!kid.empty()) {
    header += ",\"kid\":";
    handlers::client::append_json_string(header, kid);
  }
  const std::string text = base64url(header + "}") + "." + base64url(claims);
  return text + "." + base64url(sign(text));
}

}  // namespace spate::cli
