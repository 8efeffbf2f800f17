// Keys and expectations as flags, environment and files give them.
#include "handlers/client/token_settings.h"

#include <gtest/gtest.h>

#include "handlers/setting_help.h"
#include "tests/handlers/client/signing.h"
#include "tests/handlers/settings_fixture.h"

namespace spate::handlers::client {
namespace {

const std::string kSecret = "a secret of more than thirty-two bytes";

class TokenSettingsTest : public SettingsFixture {
 protected:
  TokenSettingsTest() { fresh(); }
  ~TokenSettingsTest() override {
    for (const std::string& name : files_) std::remove(name.c_str());
  }

  void fresh() {
    table = std::make_unique<SettingTable>(spate_program());
    sources = {};
    add_token_settings(*table, sources);
  }

  std::string written(std::string_view text) {
    files_.push_back(testing::TempDir() + "token-" + std::to_string(getpid()) + "-" +
                     std::to_string(files_.size()));
    std::ofstream(files_.back(), std::ios::binary) << text;
    return files_.back();
  }

  TokenConfiguration configuration(const std::vector<std::string>& arguments) {
    const Outcome outcome = parse(arguments);
    EXPECT_TRUE(outcome.run()) << outcome.err;
    auto read = read_token_settings(sources);
    EXPECT_TRUE(read.ok());
    fresh();
    return read.ok() ? *read : TokenConfiguration{};
  }

  // As error(), with the name of the last file that was written as FILE.
  std::string complaint(const std::vector<std::string>& arguments) {
    std::string line = error(arguments);
    fresh();
    if (files_.empty()) return line;
    for (std::size_t at; (at = line.find(files_.back())) != std::string::npos;)
      line.replace(at, files_.back().size(), "FILE");
    return line;
  }

  TokenSettingSources sources;

 private:
  std::vector<std::string> files_;
};

TEST_F(TokenSettingsTest, NothingIsSetAtFirst) {
  const TokenConfiguration none = configuration({});
  EXPECT_FALSE(TokenVerifier::create(none.connection).value()->has_keys());
  EXPECT_FALSE(TokenVerifier::create(none.subscription).value()->has_keys());
}

TEST_F(TokenSettingsTest, TheSecretComesFromEachPlace) {
  EXPECT_EQ(configuration({"--token-hmac-secret=" + kSecret}).connection.hmac_secret, kSecret);
  variable("SPATE_TOKEN_HMAC_SECRET=" + kSecret);
  EXPECT_EQ(configuration({}).connection.hmac_secret, kSecret);
  file(R"({"token-hmac-secret": "from the file"})");
  EXPECT_EQ(configuration({}).connection.hmac_secret, "from the file");
  for (const char* end : {"", "\n", "\r\n"})
    EXPECT_EQ(configuration({"--token-hmac-secret-file=" + written(kSecret + end)})
                  .connection.hmac_secret,
              kSecret);
  EXPECT_EQ(
      configuration({"--token-hmac-secret-file=" + written(" a \n\n")}).connection.hmac_secret,
      " a \n");
}

TEST_F(TokenSettingsTest, ConnectionKeysServeBoth) {
  const TokenConfiguration both =
      configuration({"--token-hmac-secret=" + kSecret, "--token-audience=a", "--token-issuer=i",
                     "--token-user-id-claim=uid", "--token-hmac-previous-secret=before",
                     "--token-hmac-previous-secret-valid-until=1700000000"});
  for (const TokenSettings* kind : {&both.connection, &both.subscription}) {
    EXPECT_EQ(kind->hmac_secret, kSecret);
    EXPECT_EQ(kind->audience, "a");
    EXPECT_EQ(kind->issuer, "i");
    EXPECT_EQ(kind->user_id_claim, "uid");
    EXPECT_EQ(kind->hmac_previous_secret, "before");
    EXPECT_EQ(kind->hmac_previous_valid_until, 1'700'000'000);
  }
}

TEST_F(TokenSettingsTest, SubscriptionsMayHaveKeysOfTheirOwn) {
  const TokenConfiguration apart =
      configuration({"--token-hmac-secret=" + kSecret, "--token-audience=a",
                     "--subscription-token-hmac-secret=another"});
  EXPECT_EQ(apart.connection.hmac_secret, kSecret);
  EXPECT_EQ(apart.subscription.hmac_secret, "another");
  EXPECT_EQ(apart.subscription.audience, "");
  const TokenConfiguration alone = configuration({"--subscription-token-hmac-secret=another"});
  EXPECT_FALSE(TokenVerifier::create(alone.connection).value()->has_keys());
  EXPECT_TRUE(TokenVerifier::create(alone.subscription).value()->has_keys());
}

TEST_F(TokenSettingsTest, PublicKeysComeFromFiles) {
  const test::KeySigner rsa(EVP_RSA_gen(2048), EVP_sha256());
  const test::KeySigner ec(EVP_EC_gen("P-256"), EVP_sha256());
  const test::KeySigner ed(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr);
  const auto accepts = [](const TokenSettings& keys, const test::Signer& signer,
                          const char* header) {
    const auto verifier = TokenVerifier::create(keys).value();
    return verifier->connection(signer.token(header, "{}"), 0).error == TokenError::none;
  };
  const TokenSettings pem = configuration({"--token-rsa-public-key", written(rsa.public_pem()),
                                           "--token-ecdsa-public-key", written(ec.public_pem())})
                                .connection;
  EXPECT_TRUE(accepts(pem, rsa, R"({"alg":"RS256"})"));
  EXPECT_TRUE(accepts(pem, ec, R"({"alg":"ES256"})"));
  EXPECT_FALSE(accepts(pem, ed, R"({"alg":"EdDSA"})"));
  const TokenSettings set =
      configuration({"--token-jwks", written(test::jwk_set({ed.jwk()}))}).connection;
  EXPECT_TRUE(accepts(set, ed, R"({"alg":"EdDSA"})"));
}

TEST_F(TokenSettingsTest, ComplaintsNameFlagFileAndRemedy) {
  EXPECT_EQ(complaint({"--token-hmac-secret-file=/no/such/file"}),
            "--token-hmac-secret-file=/no/such/file (flag): /no/such/file: cannot be read: No such "
            "file or directory");
  EXPECT_EQ(complaint({"--token-hmac-secret-file", written("\n")}),
            "--token-hmac-secret-file=FILE (flag): FILE: no secret in it; write one");
  EXPECT_EQ(complaint({"--token-jwks", written("")}),
            "--token-jwks=FILE (flag): FILE: empty; give a file with the key in it");
  EXPECT_EQ(complaint({"--token-hmac-secret=a", "--token-hmac-secret-file", written("a")}),
            "--token-hmac-secret-file=FILE (flag): the secret itself is given too; leave out this "
            "or --token-hmac-secret");
  EXPECT_EQ(complaint({"--subscription-token-hmac-previous-secret=a"}),
            "--subscription-token-hmac-previous-secret=(secret) (flag): no secret follows it; give "
            "--subscription-token-hmac-secret");
  EXPECT_EQ(complaint({"--token-rsa-public-key", written("x")}),
            "--token-rsa-public-key=FILE (flag): FILE: no public key in it; give PEM that begins "
            "with -----BEGIN PUBLIC KEY-----");
  EXPECT_EQ(complaint({"--token-ecdsa-public-key", written("x")}),
            "--token-ecdsa-public-key=FILE (flag): FILE: no public key in it; give PEM that begins "
            "with -----BEGIN PUBLIC KEY-----");
  EXPECT_EQ(complaint({"--subscription-token-jwks", written("{}")}),
            "--subscription-token-jwks=FILE (flag): FILE: not a JWK set; write {\"keys\": "
            "[{\"kty\": …}, …]}");
  for (const char* setting : {"audience", "issuer", "user-id-claim"})
    EXPECT_EQ(complaint({std::string("--token-") + setting + "=a"}),
              std::string("--token-") + setting +
                  "=a (flag): no key to verify tokens with; give --token-hmac-secret, --token-jwks "
                  "or a public key");
  EXPECT_EQ(
      complaint({"--token-hmac-previous-secret-valid-until=-1"}),
      "--token-hmac-previous-secret-valid-until=-1 (flag): out of range; write a whole number "
      "from 0 to 253402300799");
}

TEST_F(TokenSettingsTest, SecretsAreNotPrinted) {
  const Outcome outcome =
      parse({"--check", "--token-hmac-secret=hush", "--token-hmac-previous-secret=hush"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("hush"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("token-hmac-secret=(secret) (flag)"), std::string::npos);
}

TEST_F(TokenSettingsTest, HelpHasAGroupOfThem) {
  const std::string help = help_text(*table);
  EXPECT_NE(help.find("\nTokens:\n  --token-hmac-secret SECRET"), std::string::npos) << help;
}

}  // namespace
}  // namespace spate::handlers::client
