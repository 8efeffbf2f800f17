// Who signed a token, and with which key.
#include "handlers/client/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "handlers/client/jwt.h"
#include "tests/handlers/client/jwt_vectors.h"
#include "tests/handlers/client/signing.h"

namespace spate::handlers::client {
namespace {

using test::HmacSigner;
using test::jwk_set;
using test::KeySigner;
using test::Signer;
using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000;
const std::string kSecret = "a secret of more than thirty-two bytes";
constexpr const char* kClaims = R"({"sub":"42"})";

std::unique_ptr<TokenVerifier> verifier_of(const TokenSettings& settings) {
  auto made = TokenVerifier::create(settings);
  EXPECT_TRUE(made.ok()) << made.error();
  return std::move(made).value();
}

std::string header_of(std::string_view algorithm, std::string_view more = "") {
  return "{\"alg\":\"" + std::string(algorithm) + "\"" + std::string(more) + "}";
}

// One of each kind, made once: RSA keys take their time.
struct Signers {
  HmacSigner hs256{kSecret, EVP_sha256()};
  HmacSigner hs384{kSecret, EVP_sha384()};
  HmacSigner hs512{kSecret, EVP_sha512()};
  std::shared_ptr<EVP_PKEY> rsa{EVP_RSA_gen(2048), EVP_PKEY_free};
  KeySigner rs256{share(), EVP_sha256()};
  KeySigner rs384{share(), EVP_sha384()};
  KeySigner rs512{share(), EVP_sha512()};
  KeySigner es256{EVP_EC_gen("P-256"), EVP_sha256()};
  KeySigner es384{EVP_EC_gen("P-384"), EVP_sha384()};
  KeySigner es512{EVP_EC_gen("P-521"), EVP_sha512()};
  KeySigner eddsa{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr};

  EVP_PKEY* share() {
    EVP_PKEY_up_ref(rsa.get());
    return rsa.get();
  }
};
Signers& signers() {
  static Signers made;
  return made;
}

struct Row {
  std::string algorithm;
  const Signer* signer;
  TokenSettings settings;
};

std::vector<Row> every_algorithm() {
  Signers& s = signers();
  TokenSettings hmac, rsa, eddsa;
  hmac.hmac_secret = kSecret;
  rsa.rsa_public_key = s.rs256.public_pem();
  eddsa.jwks = jwk_set({s.eddsa.jwk()});
  std::vector<Row> rows = {{"HS256", &s.hs256, hmac}, {"HS384", &s.hs384, hmac},
                           {"HS512", &s.hs512, hmac}, {"RS256", &s.rs256, rsa},
                           {"RS384", &s.rs384, rsa},  {"RS512", &s.rs512, rsa},
                           {"EdDSA", &s.eddsa, eddsa}};
  TokenSettings rsa_set;
  rsa_set.jwks = jwk_set({s.rs256.jwk()});
  for (const auto& [name, signer] :
       {std::pair{"RS256", &s.rs256}, std::pair{"RS384", &s.rs384}, std::pair{"RS512", &s.rs512}})
    rows.push_back({name, signer, rsa_set});
  for (const auto& [name, signer] :
       {std::pair{"ES256", &s.es256}, std::pair{"ES384", &s.es384}, std::pair{"ES512", &s.es512}}) {
    TokenSettings pem, set;
    pem.ecdsa_public_key = signer->public_pem();
    set.jwks = jwk_set({signer->jwk()});
    rows.push_back({name, signer, pem});
    rows.push_back({name, signer, set});
  }
  return rows;
}

TEST(Token, EveryAlgorithmWithPemAndJwk) {
  for (const Row& row : every_algorithm()) {
    const auto verifier = verifier_of(row.settings);
    EXPECT_TRUE(verifier->has_keys());
    // More than once: contexts are used again.
    for (int i = 0; i < 3; ++i) {
      const auto verified =
          verifier->connection(row.signer->token(header_of(row.algorithm), kClaims), kNow);
      EXPECT_EQ(verified.error, TokenError::none) << row.algorithm << ": " << verified.why;
      EXPECT_EQ(verified.claims.user, "42");
      const auto subscription = verifier->subscription(
          row.signer->token(header_of(row.algorithm), R"({"sub":"42","channel":"$a"})"), kNow);
      EXPECT_EQ(subscription.error, TokenError::none) << row.algorithm;
      EXPECT_EQ(subscription.claims.channel, "$a");
    }
  }
}

// Every bit of a token, one at a time.
TEST(Token, NoBitMayChange) {
  for (const Row& row : every_algorithm()) {
    const auto verifier = verifier_of(row.settings);
    const std::string token = row.signer->token(header_of(row.algorithm), kClaims);
    for (std::size_t at = 0; at < token.size(); ++at) {
      for (int bit = 0; bit < 8; bit += row.algorithm.starts_with("HS") ? 1 : 3) {
        std::string tampered = token;
        tampered[at] = static_cast<char>(tampered[at] ^ (1 << bit));
        const auto verified = verifier->connection(tampered, kNow);
        ASSERT_EQ(verified.error, TokenError::invalid)
            << row.algorithm << " at " << at << "/" << bit;
        ASSERT_EQ(verified.claims.user, "");
      }
    }
    EXPECT_EQ(verifier->connection(token, kNow).error, TokenError::none);
  }
}

TEST(Token, SignaturesHaveOneLength) {
  for (const Row& row : every_algorithm()) {
    const auto verifier = verifier_of(row.settings);
    const std::string token = row.signer->token(header_of(row.algorithm), kClaims);
    const std::string text = token.substr(0, token.rfind('.'));
    const std::string signature = row.signer->sign(text);
    const auto error = [&](const std::string& other) {
      return verifier->connection(text + "." + test::base64url(other), kNow).error;
    };
    EXPECT_EQ(error(""), TokenError::invalid) << row.algorithm;
    EXPECT_EQ(error(signature.substr(1)), TokenError::invalid) << row.algorithm;
    EXPECT_EQ(error(signature.substr(0, signature.size() - 1)), TokenError::invalid);
    EXPECT_EQ(error(signature + '\0'), TokenError::invalid) << row.algorithm;
    EXPECT_EQ(error('\0' + signature), TokenError::invalid) << row.algorithm;
    EXPECT_EQ(error(std::string(signature.size(), '\0')), TokenError::invalid) << row.algorithm;
    EXPECT_EQ(error(std::string(kMaxSignatureBytes, 's')), TokenError::invalid) << row.algorithm;
  }
}

// r || s with a zero pushed in between says the same numbers with another width.
TEST(Token, EcdsaHalvesAreAsWideAsTheCurve) {
  TokenSettings settings;
  settings.ecdsa_public_key = signers().es256.public_pem();
  const auto verifier = verifier_of(settings);
  const std::string text = test::base64url(header_of("ES256")) + "." + test::base64url(kClaims);
  const std::string signature = signers().es256.sign(text);
  const std::string wide = '\0' + signature.substr(0, 32) + '\0' + signature.substr(32);
  EXPECT_EQ(verifier->connection(text + "." + test::base64url(wide), kNow).error,
            TokenError::invalid);
}

TEST(Token, OnlyAlgorithmsOfTheKeysThatAreSet) {
  const std::vector<Row> rows = every_algorithm();
  for (const Row& server : rows) {
    const auto verifier = verifier_of(server.settings);
    for (const Row& client : rows) {
      const bool same_family = server.algorithm.substr(0, 2) == client.algorithm.substr(0, 2);
      const bool fits = same_family && (server.algorithm == client.algorithm ||
                                        !server.algorithm.starts_with("ES"));
      const auto verified =
          verifier->connection(client.signer->token(header_of(client.algorithm), kClaims), kNow);
      EXPECT_EQ(verified.error, fits ? TokenError::none : TokenError::invalid)
          << server.algorithm << " meets " << client.algorithm;
      EXPECT_EQ(verified.why, fits ? "" : "alg has no key");
    }
  }
}

// RFC 8725 §2.1: everybody has the public key, so it must not pass for a secret.
TEST(Token, APublicKeyIsNoSecret) {
  TokenSettings settings;
  settings.rsa_public_key = signers().rs256.public_pem();
  const std::string forged =
      HmacSigner(settings.rsa_public_key, EVP_sha256()).token(header_of("HS256"), kClaims);
  EXPECT_EQ(verifier_of(settings)->connection(forged, kNow).error, TokenError::invalid);
  settings.hmac_secret = kSecret;
  EXPECT_EQ(verifier_of(settings)->connection(forged, kNow).why, "signature is wrong");

  TokenSettings with_set;
  with_set.hmac_secret = kSecret;
  with_set.jwks = jwk_set({R"({"kty":"oct","alg":"HS256","k":")" + test::base64url(kSecret) + "\"}",
                           signers().es256.jwk()});
  EXPECT_EQ(verifier_of(with_set)
                ->connection(signers().hs256.token(header_of("HS256"), kClaims), kNow)
                .why,
            "alg has no key");
}

TEST(Token, NoneIsNoAlgorithm) {
  TokenSettings settings;
  settings.hmac_secret = kSecret;
  const auto verifier = verifier_of(settings);
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"NONE"})"}) {
    const std::string text = test::base64url(header) + "." + test::base64url(kClaims) + ".";
    EXPECT_EQ(verifier->connection(text, kNow).error, TokenError::invalid);
    EXPECT_EQ(verifier->connection(signers().hs256.token(header, kClaims), kNow).error,
              TokenError::invalid);
  }
}

TEST(Token, WithoutKeysEveryTokenIsInvalid) {
  const auto verifier = verifier_of({});
  EXPECT_FALSE(verifier->has_keys());
  for (const Row& row : every_algorithm())
    EXPECT_EQ(
        verifier->connection(row.signer->token(header_of(row.algorithm), kClaims), kNow).error,
        TokenError::invalid);
  EXPECT_EQ(
      verifier->connection(HmacSigner("", EVP_sha256()).token(header_of("HS256"), kClaims), kNow)
          .error,
      TokenError::invalid);
}

TEST(Token, ThePreviousSecretCountsUntilItsTime) {
  TokenSettings settings;
  settings.hmac_secret = "the new secret of today and tomorrow";
  settings.hmac_previous_secret = kSecret;
  settings.hmac_previous_valid_until = kNow;
  const auto verifier = verifier_of(settings);
  const std::string old_token = signers().hs256.token(header_of("HS256"), kClaims);
  const std::string new_token =
      HmacSigner(settings.hmac_secret, EVP_sha256()).token(header_of("HS256"), kClaims);
  EXPECT_EQ(verifier->connection(old_token, kNow).error, TokenError::none);
  EXPECT_EQ(verifier->connection(old_token, kNow + 1).error, TokenError::invalid);
  EXPECT_EQ(verifier->connection(new_token, kNow + 1).error, TokenError::none);
  settings.hmac_previous_valid_until = 0;
  EXPECT_EQ(verifier_of(settings)->connection(old_token, kNow * 2).error, TokenError::none);
}

TEST(Token, KidChoosesTheKey) {
  const KeySigner other(EVP_EC_gen("P-256"), EVP_sha256());
  const KeySigner& es256 = signers().es256;
  TokenSettings settings;
  settings.jwks = jwk_set({es256.jwk(R"("kid":"a",)"), other.jwk(R"("kid":"b",)"),
                           signers().rs256.jwk(R"("kid":"b",)")});
  const auto verifier = verifier_of(settings);
  const auto why = [&](const Signer& signer, const char* algorithm, const char* more) {
    return std::string(
        verifier->connection(signer.token(header_of(algorithm, more), kClaims), kNow).why);
  };
  EXPECT_EQ(why(es256, "ES256", R"(,"kid":"a")"), "");
  EXPECT_EQ(why(other, "ES256", R"(,"kid":"b")"), "");
  EXPECT_EQ(why(signers().rs256, "RS256", R"(,"kid":"b")"), "");
  EXPECT_EQ(why(es256, "ES256", R"(,"kid":"b")"), "signature is wrong");
  EXPECT_EQ(why(es256, "ES256", R"(,"kid":"c")"), "kid names no key of that alg");
  EXPECT_EQ(why(es256, "ES256", R"(,"kid":"")"), "kid names no key of that alg");
  EXPECT_EQ(why(es256, "ES256", ""), "");
  EXPECT_EQ(why(other, "ES256", ""), "");
  EXPECT_EQ(why(signers().es384, "ES384", R"(,"kid":"a")"), "alg has no key");
}

TEST(Token, KidMeansNothingOutsideASet) {
  TokenSettings settings;
  settings.hmac_secret = kSecret;
  EXPECT_EQ(
      verifier_of(settings)
          ->connection(signers().hs256.token(header_of("HS256", R"(,"kid":"x")"), kClaims), kNow)
          .error,
      TokenError::none);
}

TEST(Token, TheRfcsTokens) {
  TokenSettings hmac, rsa, ec;
  hmac.hmac_secret = test::from_base64url(test::kRfc7515Secret);
  rsa.jwks = jwk_set({std::string(test::kRfc7515RsaJwk)});
  ec.jwks = jwk_set({std::string(test::kRfc7515EcJwk)});
  for (const auto& [settings, token] :
       {std::pair{hmac, test::kRfc7515Hs256}, std::pair{rsa, test::kRfc7515Rs256},
        std::pair{ec, test::kRfc7515Es256}}) {
    const auto verifier = verifier_of(settings);
    EXPECT_EQ(verifier->connection(token, 1'300'819'379).error, TokenError::none);
    EXPECT_EQ(verifier->connection(token, 1'300'819'380).error, TokenError::expired);
    EXPECT_EQ(verifier->connection(token, 1'300'819'379).claims.expire_at, 1'300'819'380);
  }
}

TEST(Token, SettingsThatAreWrongAreNamed) {
  TokenSettings settings;
  settings.rsa_public_key = signers().es256.public_pem();
  EXPECT_EQ(TokenVerifier::create(settings).error(), "rsa_public_key: not an RSA key; give one");
  ASSERT_TRUE(TokenVerifier::check(settings));
  EXPECT_EQ(TokenVerifier::check(settings)->setting, TokenSetting::rsa_public_key);
  settings = {};
  settings.hmac_secret = kSecret;
  EXPECT_FALSE(TokenVerifier::check(settings));
  settings.ecdsa_public_key = "x";
  EXPECT_THAT(TokenVerifier::create(settings).error(),
              HasSubstr("ecdsa_public_key: no public key in it"));
  settings.jwks = "{}";
  EXPECT_THAT(TokenVerifier::create(settings).error(), HasSubstr("jwks: not a JWK set"));
}

}  // namespace
}  // namespace spate::handlers::client
