// Keys out of files, and the signatures that they take.
#include "handlers/client/jwk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/handlers/client/jwt_vectors.h"
#include "tests/handlers/client/signing.h"

namespace spate::handlers::client {
namespace {

using test::jwk_set;
using test::KeySigner;
using testing::HasSubstr;

// Whether the one key of `keys` takes the token.
bool takes(const std::vector<std::unique_ptr<SignatureKey>>& keys, std::string_view token) {
  Jwt jwt;
  EXPECT_EQ(parse_jwt(token, jwt), "");
  EXPECT_EQ(keys.size(), 1u);
  return keys.front()->fits(jwt.algorithm) &&
         keys.front()->verify(jwt.algorithm, jwt.signed_text, jwt.signature());
}

struct Vector {
  const char* clause;
  std::string_view token;
  std::string_view jwk;
};

constexpr Vector kVectors[] = {
    {"RFC 7515 A.2", test::kRfc7515Rs256, test::kRfc7515RsaJwk},
    {"RFC 7515 A.3", test::kRfc7515Es256, test::kRfc7515EcJwk},
    {"RFC 8037 A.4", test::kRfc8037EdDsa, test::kRfc8037Jwk},
};

TEST(Jwk, TheRfcsKeysTakeTheRfcsSignatures) {
  for (const Vector& vector : kVectors) {
    const auto keys = keys_from_jwks(jwk_set({std::string(vector.jwk)}));
    ASSERT_TRUE(keys.ok()) << vector.clause << ": " << keys.error();
    EXPECT_TRUE(takes(*keys, vector.token)) << vector.clause;
    std::string tampered(vector.token);
    tampered[tampered.find('.') + 2] ^= 1;
    EXPECT_FALSE(takes(*keys, tampered)) << vector.clause;
  }
}

TEST(Jwk, TheRfcsSecretTakesTheRfcsSignature) {
  const auto key = hmac_key(test::from_base64url(test::kRfc7515Secret));
  Jwt jwt;
  ASSERT_EQ(parse_jwt(test::kRfc7515Hs256, jwt), "");
  for (int again = 0; again < 3; ++again)
    EXPECT_TRUE(key->verify(jwt.algorithm, jwt.signed_text, jwt.signature()));
  EXPECT_FALSE(key->verify(jwt.algorithm, jwt.signed_text.substr(1), jwt.signature()));
  EXPECT_TRUE(key->verify(jwt.algorithm, jwt.signed_text, jwt.signature()));
}

TEST(Jwk, ACurveIsForOneAlgorithm) {
  const std::pair<const char*, SignatureAlgorithm> curves[] = {
      {"P-256", SignatureAlgorithm::es256},
      {"P-384", SignatureAlgorithm::es384},
      {"P-521", SignatureAlgorithm::es512}};
  for (const auto& [curve, algorithm] : curves) {
    const KeySigner signer(EVP_EC_gen(curve), nullptr);
    const auto pem = key_from_pem(signer.public_pem(), KeyFamily::ec);
    ASSERT_TRUE(pem.ok()) << curve << ": " << pem.error();
    const auto set = keys_from_jwks(jwk_set({signer.jwk()}));
    ASSERT_TRUE(set.ok()) << curve << ": " << set.error();
    for (const SignatureAlgorithmInfo& info : kSignatureInfo) {
      EXPECT_EQ((*pem)->fits(info.algorithm), info.algorithm == algorithm) << curve << info.name;
      EXPECT_EQ(set->front()->fits(info.algorithm), info.algorithm == algorithm) << curve;
    }
  }
}

TEST(Jwk, AlgNarrowsAKeyDown) {
  const KeySigner rsa(EVP_RSA_gen(2048), nullptr);
  const auto keys = keys_from_jwks(jwk_set({rsa.jwk(R"("alg":"RS384","kid":"a",)")}));
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->front()->kid(), "a");
  EXPECT_TRUE(keys->front()->fits(SignatureAlgorithm::rs384));
  EXPECT_FALSE(keys->front()->fits(SignatureAlgorithm::rs256));
  EXPECT_FALSE(keys->front()->fits(SignatureAlgorithm::hs256));
}

TEST(Jwk, WhatIsForSomethingElseIsPassedOver) {
  const KeySigner ec(EVP_EC_gen("P-256"), nullptr);
  for (const std::string& other :
       {std::string(R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"})"),
        std::string(R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})"),
        std::string(R"({"kty":"OKP","crv":"X25519","x":"AA"})"), std::string(R"({"kty":"new"})"),
        std::string("{}"), ec.jwk(R"("use":"enc",)"), ec.jwk(R"("key_ops":["sign"],)"),
        ec.jwk(R"("alg":"ECDH-ES",)")}) {
    EXPECT_THAT(keys_from_jwks(jwk_set({other})).error(), HasSubstr("no key in it")) << other;
    const auto beside = keys_from_jwks(jwk_set({other, ec.jwk(R"("key_ops":["verify"],)")}));
    ASSERT_TRUE(beside.ok()) << other << beside.error();
    EXPECT_EQ(beside->size(), 1u);
  }
}

struct Refusal {
  const char* name;
  std::string set;
  const char* error;
};

TEST(Jwk, Refusals) {
  const KeySigner weak(EVP_RSA_gen(1024), nullptr);
  const std::string n = std::string(341, 'z') + 'w';  // 2048 bits
  const std::string rfc_ec(test::kRfc7515EcJwk);
  const std::string x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string jwk = rfc_ec;
    jwk.replace(jwk.find(from), from.size(), to);
    return jwk_set({jwk});
  };
  const Refusal rows[] = {
      {"weak RSA", jwk_set({weak.jwk(R"("kid":"old",)")}), "key 1 (kid old): an RSA key of 1024"},
      {"exponent 1", jwk_set({R"({"kty":"RSA","n":")" + n + R"(","e":"AQ"})"}), "bad exponent"},
      {"exponent even", jwk_set({R"({"kty":"RSA","n":")" + n + R"(","e":"BA"})"}), "bad exponent"},
      {"exponent wide", jwk_set({R"({"kty":"RSA","n":")" + n + R"(","e":"AQAAAAAAAAAB"})"}),
       "bad exponent"},
      {"RSA without e", jwk_set({R"({"kty":"RSA","n":")" + n + "\"}"}), "make no RSA key"},
      {"RSA too large",
       jwk_set({R"({"kty":"RSA","n":")" + std::string(1368, 'z') + R"(","e":"AQAB"})"}),
       "make no RSA key"},
      {"RSA with padding", jwk_set({R"({"kty":"RSA","n":")" + n + R"(==","e":"AQAB"})"}),
       "make no RSA key"},
      {"not on the curve", changed(x, std::string(43, 'A')), "no point of its curve"},
      {"x too short", changed(x, x.substr(0, 40)), "no point of its curve"},
      {"x too long", changed(x, x + "AAAA"), "no point of its curve"},
      {"another curve's", changed("P-256", "P-384"), "no point of its curve"},
      {"Ed25519 too short", jwk_set({R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})"}),
       "no point of its curve"},
      {"alg of another kind", changed(R"({"kty")", R"({"alg":"RS256","kty")"),
       "alg is RS256, which is not for such a key"},
      {"alg of another curve", changed(R"({"kty")", R"({"alg":"ES512","kty")"),
       "alg is ES512, which is not for such a key"},
      {"private", changed(R"({"kty")", R"({"d":"AA","kty")"), "a private key"},
      {"kty not a string", jwk_set({R"({"kty":1})"}), "key 1: kty is not a string"},
      {"the second is bad", jwk_set({rfc_ec, "[]"}), "key 2: not a JSON object"},
      {"none", jwk_set({}), "no key in it"},
      {"a key alone", rfc_ec, "not a JWK set"},
      {"keys no list", R"({"keys":{}})", "not a JWK set"},
      {"no JSON", "-----BEGIN PUBLIC KEY-----", "not a JWK set"},
      {"cut", jwk_set({rfc_ec}).substr(0, 100), "not a JWK set"},
      {"too many", jwk_set(std::vector<std::string>(kMaxJwks + 1, rfc_ec)), "more than 32 keys"},
  };
  for (const Refusal& row : rows) {
    const auto keys = keys_from_jwks(row.set);
    ASSERT_FALSE(keys.ok()) << row.name;
    EXPECT_THAT(keys.error(), HasSubstr(row.error)) << row.name;
  }
  EXPECT_EQ(keys_from_jwks(jwk_set(std::vector<std::string>(kMaxJwks, rfc_ec)))->size(), kMaxJwks);
}

TEST(Pem, Refusals) {
  const KeySigner rsa(EVP_RSA_gen(2048), nullptr);
  const KeySigner weak(EVP_RSA_gen(1024), nullptr);
  const KeySigner ec(EVP_EC_gen("P-256"), nullptr);
  const KeySigner odd(EVP_EC_gen("secp256k1"), nullptr);
  EXPECT_TRUE(key_from_pem(rsa.public_pem(), KeyFamily::rsa).ok());
  const auto error = [](const std::string& text, KeyFamily family) {
    return key_from_pem(text, family).error();
  };
  EXPECT_THAT(error(rsa.private_pem(), KeyFamily::rsa), HasSubstr("a private key"));
  EXPECT_THAT(error(weak.public_pem(), KeyFamily::rsa), HasSubstr("an RSA key of 1024 bits"));
  EXPECT_THAT(error(ec.public_pem(), KeyFamily::rsa), HasSubstr("not an RSA key"));
  EXPECT_THAT(error(rsa.public_pem(), KeyFamily::ec), HasSubstr("not an elliptic curve's key"));
  EXPECT_THAT(error(odd.public_pem(), KeyFamily::ec), HasSubstr("use P-256, P-384 or P-521"));
  EXPECT_THAT(error("", KeyFamily::ec), HasSubstr("no public key in it"));
  EXPECT_THAT(error("secret", KeyFamily::rsa), HasSubstr("no public key in it"));
}

}  // namespace
}  // namespace spate::handlers::client
