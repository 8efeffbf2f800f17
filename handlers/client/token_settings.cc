#include "handlers/client/token_settings.h"

#include "core/file.h"
#include "core/printable.h"

namespace spate::handlers::client {
namespace {

constexpr std::size_t kMaxFileBytes = 256 * 1024;
constexpr std::size_t kMaxShownBytes = 200;
constexpr std::int64_t kMaxSeconds = 253'402'300'799;  // the end of the year 9999

constexpr const char* kConnectionPrefix = "token-";
constexpr const char* kSubscriptionPrefix = "subscription-token-";

void add_secrets(SettingTable& table, TokenSettingFamily& family, const std::string& prefix,
                 const std::string& whose) {
  const char* group = "Tokens";
  table.add({.name = prefix + "hmac-secret",
             .group = group,
             .help = "secret that " + whose +
                     " are signed with (HS256, HS384, HS512); 32 random bytes or more",
             .value = text_value(family.hmac_secret, {"SECRET", {}}),
             .secret = true});
  table.add({prefix + "hmac-secret-file", group,
             "file with that secret; a line break at its end does not count",
             text_value(family.hmac_secret_file, {"FILE", {}})});
  table.add({.name = prefix + "hmac-previous-secret",
             .group = group,
             .help = "the secret before, for as long as tokens signed with it are about",
             .value = text_value(family.hmac_previous_secret, {"SECRET", {}}),
             .secret = true});
  table.add({prefix + "hmac-previous-secret-file", group, "file with the secret before",
             text_value(family.hmac_previous_secret_file, {"FILE", {}})});
  table.add({prefix + "hmac-previous-secret-valid-until", group,
             "Unix time until which the secret before is taken; 0 takes it for ever",
             integer_value(family.hmac_previous_secret_valid_until, 0, kMaxSeconds, "SECONDS")});
}

void add_family(SettingTable& table, TokenSettingFamily& family, const std::string& prefix,
                const std::string& whose) {
  const char* group = "Tokens";
  add_secrets(table, family, prefix, whose);
  table.add({prefix + "rsa-public-key", group,
             "PEM file of the RSA key for " + whose + " (RS256, RS384, RS512)",
             text_value(family.rsa_public_key, {"FILE", {}})});
  table.add(
      {prefix + "ecdsa-public-key", group,
       "PEM file of the key on P-256, P-384 or P-521 for " + whose + " (ES256, ES384 or ES512)",
       text_value(family.ecdsa_public_key, {"FILE", {}})});
  table.add({prefix + "jwks", group,
             "file with a JSON Web Key Set for " + whose +
                 " (RS, ES, EdDSA); the keys above are then not used",
             text_value(family.jwks, {"FILE", {}})});
  table.add({prefix + "audience", group, "what aud must be, or list; empty takes any",
             text_value(family.audience, {})});
  table.add({prefix + "issuer", group, "what iss must be; empty takes any",
             text_value(family.issuer, {})});
  table.add({prefix + "user-id-claim", group, "claim with the user's id; empty is sub",
             text_value(family.user_id_claim, {"NAME", {}})});
}

// One family, with its files read.
class FamilyReader {
 public:
  FamilyReader(const TokenSettingFamily& from, std::string prefix)
      : from_(from), prefix_(std::move(prefix)) {}

  core::Result<TokenSettings, Complaint> read() {
    out_.hmac_previous_valid_until = from_.hmac_previous_secret_valid_until;
    out_.audience = from_.audience;
    out_.issuer = from_.issuer;
    out_.user_id_claim = from_.user_id_claim;
    read_secret("hmac-secret", from_.hmac_secret, from_.hmac_secret_file, out_.hmac_secret);
    read_secret("hmac-previous-secret", from_.hmac_previous_secret, from_.hmac_previous_secret_file,
                out_.hmac_previous_secret);
    read_file("rsa-public-key", from_.rsa_public_key, out_.rsa_public_key);
    read_file("ecdsa-public-key", from_.ecdsa_public_key, out_.ecdsa_public_key);
    read_file("jwks", from_.jwks, out_.jwks);
    if (!complaint_) check();
    if (complaint_) return core::Failure{*complaint_};
    return std::move(out_);
  }

 private:
  void complain(const std::string& setting, std::string wrong) {
    if (!complaint_) complaint_ = Complaint{prefix_ + setting, std::move(wrong)};
  }
  static std::string shown(const std::string& file) {
    return core::printable(file, kMaxShownBytes);
  }

  void read_file(const std::string& setting, const std::string& file, std::string& out) {
    if (file.empty()) return;
    const core::Result<std::string> text = core::read_file(file, kMaxFileBytes);
    if (!text)
      complain(setting, shown(file) + ": cannot be read: " + text.error());
    else if (text->empty())
      complain(setting, shown(file) + ": empty; give a file with the key in it");
    else
      out = *text;
  }

  void read_secret(const std::string& setting, const std::string& secret, const std::string& file,
                   std::string& out) {
    if (!secret.empty() && !file.empty())
      return complain(setting + "-file",
                      "the secret itself is given too; leave out this or --" + prefix_ + setting);
    out = secret;
    read_file(setting + "-file", file, out);
    if (file.empty()) return;
    if (out.ends_with('\n')) out.pop_back();
    if (out.ends_with('\r')) out.pop_back();
    if (out.empty()) complain(setting + "-file", shown(file) + ": no secret in it; write one");
  }

  void check() {
    if (!out_.hmac_previous_secret.empty() && out_.hmac_secret.empty())
      return complain(
          from_.hmac_previous_secret.empty() ? "hmac-previous-secret-file" : "hmac-previous-secret",
          "no secret follows it; give --" + prefix_ + "hmac-secret");
    if (const auto fault = TokenVerifier::check(out_)) return complain_of(*fault);
    const bool has_key = !out_.hmac_secret.empty() || !out_.rsa_public_key.empty() ||
                         !out_.ecdsa_public_key.empty() || !out_.jwks.empty();
    if (has_key) return;
    for (const auto& [setting, given] :
         {std::pair{"audience", !out_.audience.empty()}, std::pair{"issuer", !out_.issuer.empty()},
          std::pair{"user-id-claim", !out_.user_id_claim.empty()},
          std::pair{"hmac-previous-secret-valid-until", out_.hmac_previous_valid_until != 0}})
      if (given)
        complain(setting, "no key to verify tokens with; give --" + prefix_ + "hmac-secret, --" +
                              prefix_ + "jwks or a public key");
  }

  void complain_of(const TokenSettingsFault& fault) {
    switch (fault.setting) {
      case TokenSetting::rsa_public_key:
        return complain("rsa-public-key", shown(from_.rsa_public_key) + ": " + fault.wrong);
      case TokenSetting::ecdsa_public_key:
        return complain("ecdsa-public-key", shown(from_.ecdsa_public_key) + ": " + fault.wrong);
      case TokenSetting::jwks:
        return complain("jwks", shown(from_.jwks) + ": " + fault.wrong);
    }
  }

  const TokenSettingFamily& from_;
  const std::string prefix_;
  TokenSettings out_;
  std::optional<Complaint> complaint_;
};

}  // namespace

void add_token_settings(SettingTable& table, TokenSettingSources& sources) {
  add_family(table, sources.connection, kConnectionPrefix, "tokens");
  add_family(table, sources.subscription, kSubscriptionPrefix, "subscription tokens");
  table.add_check([&sources]() -> std::optional<Complaint> {
    const auto read = read_token_settings(sources);
    if (read) return {};
    return read.error();
  });
}

core::Result<TokenConfiguration, Complaint> read_token_settings(
    const TokenSettingSources& sources) {
  TokenConfiguration made;
  auto connection = FamilyReader(sources.connection, kConnectionPrefix).read();
  if (!connection) return core::Failure{connection.error()};
  made.connection = std::move(*connection);
  made.subscription = made.connection;
  if (sources.subscription == TokenSettingFamily{}) return made;
  auto subscription = FamilyReader(sources.subscription, kSubscriptionPrefix).read();
  if (!subscription) return core::Failure{subscription.error()};
  made.subscription = std::move(*subscription);
  return made;
}

}  // namespace spate::handlers::client
