// Tokens as an application's back end makes them, with keys made on the spot.
#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/base64url.h"
#include "core/base.h"

namespace spate::test {

inline std::string base64url(std::string_view bytes) {
  std::string text(codec::base64url_encoded_bytes(bytes.size()), '\0');
  codec::base64url_encode(text, as_bytes(bytes));
  return text;
}

inline std::string from_base64url(std::string_view text) {
  std::string bytes(codec::base64url_decoded_bytes(text.size()), '\0');
  SPATE_CHECK(
      codec::base64url_decode({reinterpret_cast<std::byte*>(bytes.data()), bytes.size()}, text)
          .ok());
  return bytes;
}

inline const unsigned char* uchars(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

class Signer {
 public:
  virtual ~Signer() = default;
  virtual std::string sign(std::string_view text) const = 0;

  // `header` and `claims` are JSON.
  std::string token(std::string_view header, std::string_view claims) const {
    const std::string text = base64url(header) + "." + base64url(claims);
    return text + "." + base64url(sign(text));
  }
};

class HmacSigner : public Signer {
 public:
  HmacSigner(std::string secret, const EVP_MD* digest)
      : secret_(std::move(secret)), digest_(digest) {}
  std::string sign(std::string_view text) const override {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int bytes = 0;
    HMAC(digest_, secret_.data(), static_cast<int>(secret_.size()), uchars(text), text.size(), mac,
         &bytes);
    return {reinterpret_cast<char*>(mac), bytes};
  }

 private:
  std::string secret_;
  const EVP_MD* digest_;
};

class KeySigner : public Signer {
 public:
  // Takes the key over. `digest` is null for Ed25519.
  KeySigner(EVP_PKEY* key, const EVP_MD* digest) : key_(key, EVP_PKEY_free), digest_(digest) {
    SPATE_CHECK(key != nullptr);
  }

  std::string sign(std::string_view text) const override {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    std::size_t bytes = 0;
    SPATE_CHECK(EVP_DigestSignInit(context, nullptr, digest_, nullptr, key_.get()) == 1);
    SPATE_CHECK(EVP_DigestSign(context, nullptr, &bytes, uchars(text), text.size()) == 1);
    std::string signature(bytes, '\0');
    SPATE_CHECK(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &bytes,
                               uchars(text), text.size()) == 1);
    EVP_MD_CTX_free(context);
    signature.resize(bytes);
    return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC ? raw_of(signature) : signature;
  }

  std::string public_pem() const {
    return pem([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key_.get()); });
  }
  std::string private_pem() const {
    return pem([&](BIO* out) {
      return PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  // {"kty":…}, with `more` members in front: R"("kid":"a",)".
  std::string jwk(std::string_view more = {}) const {
    switch (EVP_PKEY_get_base_id(key_.get())) {
      case EVP_PKEY_RSA:
        return "{" + std::string(more) + R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) +
               R"(","e":")" + number(OSSL_PKEY_PARAM_RSA_E) + "\"}";
      case EVP_PKEY_EC:
        return "{" + std::string(more) + R"("kty":"EC","crv":")" + curve() + R"(","x":")" +
               number(OSSL_PKEY_PARAM_EC_PUB_X) + R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y) +
               "\"}";
      default:
        return "{" + std::string(more) + R"("kty":"OKP","crv":"Ed25519","x":")" + raw_public() +
               "\"}";
    }
  }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  std::size_t order_bytes() const {
    return static_cast<std::size_t>(EVP_PKEY_get_bits(key_.get()) + 7) / 8;
  }
  std::string curve() const { return "P-" + std::to_string(EVP_PKEY_get_bits(key_.get())); }

  std::string number(const char* name) const {
    BIGNUM* number = nullptr;
    SPATE_CHECK(EVP_PKEY_get_bn_param(key_.get(), name, &number) == 1);
    const bool rsa = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA;
    std::string bytes(rsa ? static_cast<std::size_t>(BN_num_bytes(number)) : order_bytes(), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(bytes.size()));
    BN_free(number);
    return base64url(bytes);
  }
  std::string raw_public() const {
    unsigned char bytes[32];
    std::size_t count = sizeof bytes;
    SPATE_CHECK(EVP_PKEY_get_raw_public_key(key_.get(), bytes, &count) == 1);
    return base64url({reinterpret_cast<char*>(bytes), count});
  }
  std::string raw_of(std::string_view der) const {
    const unsigned char* at = uchars(der);
    ECDSA_SIG* const pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    const auto half = static_cast<int>(order_bytes());
    std::string raw(order_bytes() * 2, '\0');
    auto* const to = reinterpret_cast<unsigned char*>(raw.data());
    SPATE_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair), to, half) == half &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), to + half, half) == half);
    ECDSA_SIG_free(pair);
    return raw;
  }
  static std::string pem(auto write) {
    BIO* const out = BIO_new(BIO_s_mem());
    SPATE_CHECK(write(out) == 1);
    char* text = nullptr;
    const long bytes = BIO_get_mem_data(out, &text);
    std::string copy(text, static_cast<std::size_t>(bytes));
    BIO_free(out);
    return copy;
  }

  std::shared_ptr<EVP_PKEY> key_;
  const EVP_MD* digest_;
};

inline std::string jwk_set(const std::vector<std::string>& keys) {
  std::string set = R"({"keys":[)";
  for (const std::string& key : keys) set += (set.ends_with('[') ? "" : ",") + key;
  return set + "]}";
}

}  // namespace spate::test
