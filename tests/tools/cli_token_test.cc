// Tokens that spate-cli makes, as the server's verifier and spate-cli itself see them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "handlers/client/token.h"
#include "tests/handlers/client/signing.h"
#include "tests/tools/cli_run.h"

namespace spate::cli {
namespace {

using namespace handlers::client;
using testing::EndsWith;
using testing::HasSubstr;

const std::string kSecret = "a secret of more than thirty-two bytes";

class CliTokenTest : public testing::Test {
 protected:
  ~CliTokenTest() override {
    for (const std::string& name : files_) std::remove(name.c_str());
  }
  std::string written(std::string_view text) {
    files_.push_back(testing::TempDir() + "cli-token-" + std::to_string(getpid()) + "-" +
                     std::to_string(files_.size()));
    std::ofstream(files_.back(), std::ios::binary) << text;
    return files_.back();
  }

  // What was printed, which is one line.
  static std::string token(std::vector<std::string> arguments,
                           std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), "token");
    const Finished done = spate_cli(std::move(arguments), std::move(environment));
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_THAT(done.out, EndsWith("\n"));
    return done.out.substr(0, done.out.find('\n'));
  }
  static Verified<ConnectionClaims> verified(const std::string& token) {
    TokenSettings settings;
    settings.hmac_secret = kSecret;
    return TokenVerifier::create(settings).value()->connection(token, std::time(nullptr));
  }
  static std::string error(std::vector<std::string> arguments, int status = 2) {
    const Finished done = spate_cli(std::move(arguments));
    EXPECT_EQ(done.status, status) << done.out << done.err;
    EXPECT_EQ(done.out, "");
    EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 1) << done.err;
    EXPECT_TRUE(done.err.starts_with("spate-cli: ")) << done.err;
    return done.err;
  }

 private:
  std::vector<std::string> files_;
};

TEST_F(CliTokenTest, TheServerTakesWhatItMakes) {
  const std::int64_t now = std::time(nullptr);
  const auto claims = verified(token({"--hmac-secret", kSecret, "--user", "42", "--ttl", "60",
                                      "--info", R"({"name": "Al"})", "--subs", "a", "b"}))
                          .claims;
  EXPECT_EQ(claims.user, "42");
  EXPECT_EQ(claims.info, R"({"name": "Al"})");
  EXPECT_GE(claims.expire_at, now + 60);
  EXPECT_LE(claims.expire_at, std::time(nullptr) + 60);
  ASSERT_EQ(claims.subs.size(), 2u);
  EXPECT_EQ(claims.subs[1].first, "b");

  const auto eternal =
      verified(token({"--hmac-secret=" + kSecret, "--ttl=0", "--subs", R"({"c":{"info":1}})"}));
  EXPECT_EQ(eternal.error, TokenError::none);
  EXPECT_EQ(eternal.claims.user, "");
  EXPECT_EQ(eternal.claims.expire_at, 0);
  ASSERT_EQ(eternal.claims.subs.size(), 1u);
  EXPECT_EQ(eternal.claims.subs[0].second.info, "1");
}

TEST_F(CliTokenTest, AChannelMakesItASubscriptions) {
  TokenSettings settings;
  settings.hmac_secret = kSecret;
  const std::string made =
      token({"--hmac-secret", kSecret, "--user", "42", "--channel", "chat:1", "--algorithm=HS512"});
  const auto result =
      TokenVerifier::create(settings).value()->subscription(made, std::time(nullptr));
  EXPECT_EQ(result.error, TokenError::none) << result.why;
  EXPECT_EQ(result.claims.channel, "chat:1");
  EXPECT_EQ(result.claims.user, "42");
  EXPECT_EQ(verified(made).error, TokenError::invalid);
}

TEST_F(CliTokenTest, TheSecretComesFromEachPlace) {
  EXPECT_EQ(verified(token({"--user=a"}, {"SPATE_TOKEN_HMAC_SECRET=" + kSecret})).claims.user, "a");
  const std::string secret_file = written(kSecret + "\n");
  EXPECT_EQ(verified(token({"--user=b", "--hmac-secret-file", secret_file})).claims.user, "b");
  for (const std::string& config : {R"({"workers": 4, "token-hmac-secret": ")" + kSecret + "\"}",
                                    R"({"token-hmac-secret-file": ")" + secret_file + "\"}"})
    EXPECT_EQ(verified(token({"--user=c", "--config", written(config)},
                             {"SPATE_TOKEN_HMAC_SECRET=another"}))
                  .claims.user,
              "c");
}

TEST_F(CliTokenTest, PrivateKeysSignWithTheirAlgorithm) {
  struct Row {
    test::KeySigner key;
    const char* option;
    std::vector<std::string> more;
    std::string algorithm;
  };
  const Row rows[] = {
      {{EVP_RSA_gen(2048), nullptr}, "--rsa-public-key", {}, "RS256"},
      {{EVP_RSA_gen(2048), nullptr}, "--rsa-public-key", {"--algorithm=RS384"}, "RS384"},
      {{EVP_EC_gen("P-256"), nullptr}, "--ecdsa-public-key", {}, "ES256"},
      {{EVP_EC_gen("P-384"), nullptr}, "--ecdsa-public-key", {}, "ES384"},
      {{EVP_EC_gen("P-521"), nullptr}, "--ecdsa-public-key", {}, "ES512"},
      {{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr}, "--jwks", {"--kid=k"}, "EdDSA"}};
  for (const Row& row : rows) {
    const bool set = row.algorithm == "EdDSA";
    std::vector<std::string> arguments = {"--private-key", written(row.key.private_pem())};
    arguments.insert(arguments.end(), row.more.begin(), row.more.end());
    const std::string made = token(arguments);
    const std::string public_key =
        written(set ? test::jwk_set({row.key.jwk(R"("kid":"k",)")}) : row.key.public_pem());
    const Finished done = spate_cli({"token", "inspect", made, "--json", row.option, public_key});
    EXPECT_EQ(done.status, 0) << row.algorithm << done.out << done.err;
    EXPECT_THAT(done.out, HasSubstr("\"alg\":\"" + row.algorithm + "\""));
    EXPECT_THAT(done.out, HasSubstr("\"accepted\":true"));
  }
}

TEST_F(CliTokenTest, InspectTellsPeople) {
  const std::string made = token({"--hmac-secret", kSecret, "--user", "42", "--ttl=7200"});
  const Finished good = spate_cli({"token", "inspect", made, "--hmac-secret", kSecret});
  EXPECT_EQ(good.status, 0);
  EXPECT_THAT(good.out, HasSubstr("  alg  \"HS256\"\n"));
  EXPECT_THAT(good.out, HasSubstr("  sub  \"42\"\n"));
  EXPECT_THAT(good.out,
              testing::ContainsRegex("  exp  [0-9]+  20[0-9-]+ [0-9:]+ UTC, in [12] hour"));
  EXPECT_THAT(good.out, EndsWith("the server takes it for a connection\n"));
  const Finished unknown = spate_cli({"token", "inspect", made});
  EXPECT_EQ(unknown.status, 0);
  EXPECT_THAT(unknown.out, HasSubstr("\nnot verified: give --hmac-secret"));
}

TEST_F(CliTokenTest, InspectSaysWhyTheServerRefuses) {
  const std::string made = token({"--hmac-secret", kSecret});
  const auto refused = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"token", "inspect"});
    const Finished done = spate_cli(std::move(arguments));
    EXPECT_EQ(done.status, 1);
    return done.out.substr(done.out.find("the server"));
  };
  EXPECT_EQ(refused({made, "--hmac-secret=another"}),
            "the server refuses it for a connection: invalid: signature is wrong\n");
  EXPECT_EQ(refused({made, "--hmac-secret", kSecret, "--audience=app"}),
            "the server refuses it for a connection: invalid: aud is not the one expected\n");
  const test::HmacSigner signer(kSecret, EVP_sha256());
  EXPECT_EQ(refused({signer.token(R"({"alg":"HS256"})", R"({"channel":"a","exp":1})"),
                     "--hmac-secret", kSecret}),
            "the server refuses it for a subscription: expired: exp has passed\n");
  EXPECT_EQ(refused({test::base64url(R"({"alg":"none"})") + ".e30.", "--hmac-secret", kSecret}),
            "the server refuses it for a connection: invalid: alg is not supported\n");
  const Finished json = spate_cli({"token", "inspect", made, "--hmac-secret=another", "--json"});
  EXPECT_THAT(json.out, EndsWith("\"kind\":\"connection\",\"accepted\":false,\"error\":\"invalid\","
                                 "\"why\":\"signature is wrong\"}\n"));
}

TEST_F(CliTokenTest, Mistakes) {
  EXPECT_THAT(error({"token"}), HasSubstr("nothing to sign with; give --hmac-secret"));
  EXPECT_THAT(error({"token", "--hmac-secret", kSecret, "--info", "{"}),
              HasSubstr("--info: not JSON"));
  EXPECT_THAT(error({"token", "--hmac-secret", kSecret, "--subs", "{"}),
              HasSubstr("--subs: not JSON"));
  EXPECT_THAT(error({"token", "--hmac-secret", kSecret, "--algorithm=RS256"}),
              HasSubstr("--algorithm=RS256: the key does not sign with it; write one of HS256, "
                        "HS384, HS512"));
  EXPECT_THAT(error({"token", "--private-key=/no/such"}),
              HasSubstr("--private-key: /no/such: cannot be read: No such file"));
  EXPECT_THAT(error({"token", "--private-key", written("x")}), HasSubstr("no private key in it"));
  EXPECT_THAT(error({"token", "--config", written("{}")}), HasSubstr("no key for tokens in it"));
  EXPECT_THAT(error({"token", "--config", written("{")}), HasSubstr("not JSON"));
  EXPECT_THAT(error({"token", "inspect", "abc"}, 1), HasSubstr("not three parts"));
  EXPECT_THAT(error({"token", "inspect", "a.b.c"}, 1), HasSubstr("no JSON object in base64url"));
  EXPECT_THAT(error({"token", "inspect", "e30.e30.", "--jwks", written("x")}),
              HasSubstr("--jwks: "));
  EXPECT_THAT(error({"tokn"}), HasSubstr("tokn: no such subcommand; did you mean token?"));
  EXPECT_THAT(error({}), HasSubstr("--help lists everything"));
  EXPECT_THAT(error({"token", "--ttl=-1"}), HasSubstr("--ttl"));
}

TEST_F(CliTokenTest, HelpIsComplete) {
  const Finished done = spate_cli({"--help"});
  EXPECT_EQ(done.status, 0);
  for (const char* text : {"token", "inspect", "pub", "presence", "history", "info", "channels",
                           "disconnect", "sub", "--hmac-secret", "--api-key", "--since", "--url",
                           "Keys:", "Claims:", "Server:", "Exit status:"})
    EXPECT_THAT(done.out, HasSubstr(text));
  EXPECT_TRUE(spate_cli({"--version"}).out.starts_with("spate-cli 0."));
}

}  // namespace
}  // namespace spate::cli
