// RSA and ECDSA go through EVP_PKEY_verify over a digest of our own: its context is set up once,
// where EVP_DigestVerify would look up the digest and set up anew for every token. Ed25519 hashes
// the text twice and has no such form (RFC 8032 §5.1.7).
#include "handlers/client/signature_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

namespace spate::handlers::client {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Mac = std::unique_ptr<EVP_MAC, Freed<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD, Freed<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = static_cast<int>(kMaxSignatureBytes) * 8;
// Both numbers, with a header and perhaps a sign byte each, and a header around them.
constexpr std::size_t kMaxEcdsaDerBytes = 132 + 16;

const unsigned char* uchars(const void* bytes) {
  return static_cast<const unsigned char*>(bytes);
}

class HmacKey final : public SignatureKey {
 public:
  explicit HmacKey(std::string_view secret) {
    const Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    SPATE_CHECK(mac != nullptr);
    for (const SignatureAlgorithmInfo& info : kSignatureInfo) {
      if (info.family != KeyFamily::hmac) continue;
      MacContext& context = contexts_[static_cast<std::size_t>(info.algorithm)];
      context.reset(EVP_MAC_CTX_new(mac.get()));
      const OSSL_PARAM parameters[] = {
          OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(info.digest),
                                           0),
          OSSL_PARAM_construct_end()};
      SPATE_CHECK(EVP_MAC_init(context.get(), uchars(secret.data()), secret.size(), parameters) ==
                  1);
    }
  }

  bool verify(SignatureAlgorithm algorithm, std::string_view text, ConstBytes signature) override {
    EVP_MAC_CTX* const context = contexts_[static_cast<std::size_t>(algorithm)].get();
    unsigned char mac[EVP_MAX_MD_SIZE];
    std::size_t bytes = 0;
    // Without a key: that of the last time.
    return EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(context, uchars(text.data()), text.size()) == 1 &&
           EVP_MAC_final(context, mac, &bytes, sizeof mac) == 1 && signature.size() == bytes &&
           CRYPTO_memcmp(mac, signature.data(), bytes) == 0;
  }

 private:
  bool judges(SignatureAlgorithm algorithm) const override {
    return describe(algorithm).family == KeyFamily::hmac;
  }

  std::array<MacContext, 3> contexts_;  // HS256, HS384, HS512
};
static_assert(static_cast<std::size_t>(SignatureAlgorithm::hs512) == 2);

// RSA with PKCS #1 v1.5, or ECDSA.
class DigestKey final : public SignatureKey {
 public:
  // `algorithms` are those that the key judges, a bit each.
  DigestKey(PublicKey key, unsigned algorithms)
      : key_(std::move(key)), algorithms_(algorithms), hash_(EVP_MD_CTX_new()) {
    for (const SignatureAlgorithmInfo& info : kSignatureInfo) {
      if (!judges(info.algorithm)) continue;
      Way& way = ways_[static_cast<std::size_t>(info.algorithm)];
      way.digest.reset(EVP_MD_fetch(nullptr, info.digest, nullptr));
      way.context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
      EVP_PKEY_CTX* const context = way.context.get();
      SPATE_CHECK(EVP_PKEY_verify_init(context) == 1 &&
                  EVP_PKEY_CTX_set_signature_md(context, way.digest.get()) == 1);
      SPATE_CHECK(info.family == KeyFamily::ec ||
                  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1);
    }
  }

  bool verify(SignatureAlgorithm algorithm, std::string_view text, ConstBytes signature) override {
    const Way& way = ways_[static_cast<std::size_t>(algorithm)];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_bytes = 0;
    if (EVP_DigestInit_ex2(hash_.get(), way.digest.get(), nullptr) != 1 ||
        EVP_DigestUpdate(hash_.get(), text.data(), text.size()) != 1 ||
        EVP_DigestFinal_ex(hash_.get(), digest, &digest_bytes) != 1)
      return false;
    unsigned char der[kMaxEcdsaDerBytes];
    if (describe(algorithm).family == KeyFamily::ec) {
      if (signature.size() != describe(algorithm).signature_bytes) return false;
      signature = to_der(signature, der);
    }
    const int outcome = EVP_PKEY_verify(way.context.get(), uchars(signature.data()),
                                        signature.size(), digest, digest_bytes);
    // What is left in the thread's error queue would be taken for a TLS connection's.
    ERR_clear_error();
    return outcome == 1;
  }

 private:
  struct Way {
    Digest digest;
    KeyContext context;
  };

  // r and s, each as wide as the curve's order (RFC 7518 §3.4), as OpenSSL takes them.
  static ConstBytes to_der(ConstBytes signature, unsigned char* der) {
    const int half = static_cast<int>(signature.size() / 2);
    ECDSA_SIG* const pair = ECDSA_SIG_new();
    SPATE_CHECK(pair != nullptr);
    SPATE_CHECK(ECDSA_SIG_set0(pair, BN_bin2bn(uchars(signature.data()), half, nullptr),
                               BN_bin2bn(uchars(signature.data()) + half, half, nullptr)) == 1);
    unsigned char* end = der;
    const int bytes = i2d_ECDSA_SIG(pair, &end);
    ECDSA_SIG_free(pair);
    SPATE_CHECK(bytes > 0 && static_cast<std::size_t>(bytes) <= kMaxEcdsaDerBytes);
    return {reinterpret_cast<const std::byte*>(der), static_cast<std::size_t>(bytes)};
  }

  bool judges(SignatureAlgorithm algorithm) const override {
    return (algorithms_ >> static_cast<unsigned>(algorithm) & 1) != 0;
  }

  PublicKey key_;
  unsigned algorithms_;
  DigestContext hash_;
  std::array<Way, kSignatureAlgorithms> ways_;
};

class Ed25519Key final : public SignatureKey {
 public:
  explicit Ed25519Key(PublicKey key) : key_(std::move(key)), context_(EVP_MD_CTX_new()) {}

  bool verify(SignatureAlgorithm, std::string_view text, ConstBytes signature) override {
    EVP_MD_CTX_reset(context_.get());
    const bool good =
        EVP_DigestVerifyInit(context_.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context_.get(), uchars(signature.data()), signature.size(),
                         uchars(text.data()), text.size()) == 1;
    ERR_clear_error();
    return good;
  }

 private:
  bool judges(SignatureAlgorithm algorithm) const override {
    return algorithm == SignatureAlgorithm::eddsa;
  }

  PublicKey key_;
  DigestContext context_;
};

constexpr unsigned bit(SignatureAlgorithm algorithm) {
  return 1u << static_cast<unsigned>(algorithm);
}

// With an exponent of 1 anybody could sign.
bool has_good_exponent(const EVP_PKEY* key) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &number) != 1) return false;
  const Number exponent(number);
  return BN_is_odd(exponent.get()) == 1 && BN_is_one(exponent.get()) == 0 &&
         BN_num_bits(exponent.get()) <= 64;
}

std::string_view curve_of(const EVP_PKEY* key, std::span<char> name) {
  std::size_t bytes = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &bytes) != 1) return {};
  return {name.data(), bytes};
}

}  // namespace

void PublicKeyFree::operator()(EVP_PKEY* key) const {
  EVP_PKEY_free(key);
}

std::unique_ptr<SignatureKey> hmac_key(std::string_view secret) {
  return std::make_unique<HmacKey>(secret);
}

core::Result<std::unique_ptr<SignatureKey>> public_key(PublicKey key) {
  using Made = std::unique_ptr<SignatureKey>;
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_RSA: {
      const int bits = EVP_PKEY_get_bits(key.get());
      if (bits < kMinRsaBits || bits > kMaxRsaBits)
        return core::Failure{"an RSA key of " + std::to_string(bits) + " bits; use one of " +
                             std::to_string(kMinRsaBits) + " to " + std::to_string(kMaxRsaBits)};
      if (!has_good_exponent(key.get()))
        return core::Failure{"an RSA key with a bad exponent; make one with the usual 65537"};
      return Made(std::make_unique<DigestKey>(std::move(key), bit(SignatureAlgorithm::rs256) |
                                                                  bit(SignatureAlgorithm::rs384) |
                                                                  bit(SignatureAlgorithm::rs512)));
    }
    case EVP_PKEY_EC: {
      char name[64];
      const std::string_view curve = curve_of(key.get(), name);
      for (const SignatureAlgorithmInfo& info : kSignatureInfo)
        if (info.curve != nullptr && curve == info.curve)
          return Made(std::make_unique<DigestKey>(std::move(key), bit(info.algorithm)));
      return core::Failure{
          "an elliptic curve that tokens are not signed with; use P-256, P-384 or "
          "P-521"};
    }
    case EVP_PKEY_ED25519:
      return Made(std::make_unique<Ed25519Key>(std::move(key)));
    default:
      return core::Failure{"neither RSA, ECDSA nor Ed25519; use one of these"};
  }
}

}  // namespace spate::handlers::client
