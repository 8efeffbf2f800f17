#include "tools/spate-cli/keys.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "core/file.h"
#include "handlers/setting_source.h"

namespace spate::cli {
namespace {

using handlers::client::TokenConfiguration;
using handlers::client::TokenSettingFamily;
using handlers::client::TokenSettings;
using handlers::client::TokenSettingSources;

constexpr std::size_t kMaxFileBytes = 1024 * 1024;
constexpr std::string_view kPrefix = "token-";

constexpr std::pair<std::string_view, std::string TokenSettingFamily::*> kNames[] = {
    {"token-hmac-secret", &TokenSettingFamily::hmac_secret},
    {"token-hmac-secret-file", &TokenSettingFamily::hmac_secret_file},
    {"token-hmac-previous-secret", &TokenSettingFamily::hmac_previous_secret},
    {"token-hmac-previous-secret-file", &TokenSettingFamily::hmac_previous_secret_file},
    {"token-rsa-public-key", &TokenSettingFamily::rsa_public_key},
    {"token-ecdsa-public-key", &TokenSettingFamily::ecdsa_public_key},
    {"token-jwks", &TokenSettingFamily::jwks},
    {"token-audience", &TokenSettingFamily::audience},
    {"token-issuer", &TokenSettingFamily::issuer},
    {"token-user-id-claim", &TokenSettingFamily::user_id_claim},
};

bool has_key(const TokenSettingFamily& family) {
  return !family.hmac_secret.empty() || !family.hmac_secret_file.empty() ||
         !family.rsa_public_key.empty() || !family.ecdsa_public_key.empty() || !family.jwks.empty();
}

core::Result<std::vector<handlers::Assignment>> read_config(const std::string& path) {
  const auto text = core::read_file(path, kMaxFileBytes);
  if (!text) return core::Failure{"--config: " + path + ": cannot be read: " + text.error()};
  auto assignments = handlers::parse_settings_json(*text, path);
  if (!assignments) return core::Failure{"--config: " + assignments.error()};
  return std::move(*assignments);
}

// The family of a configuration file; its other settings are the server's to judge.
core::Result<TokenSettingFamily> from_config(const std::string& path) {
  const auto assignments = read_config(path);
  if (!assignments) return core::Failure{assignments.error()};
  TokenSettingFamily family;
  for (const handlers::Assignment& assignment : *assignments) {
    if (assignment.items.size() != 1) continue;
    const std::string& value = assignment.items.front().text;
    if (assignment.key == "token-hmac-previous-secret-valid-until")
      std::from_chars(value.data(), value.data() + value.size(),
                      family.hmac_previous_secret_valid_until);
    const auto* const known =
        std::ranges::find_if(kNames, [&](const auto& row) { return row.first == assignment.key; });
    if (known != std::end(kNames)) family.*known->second = value;
  }
  if (!has_key(family))
    return core::Failure{"--config: " + path +
                         ": no key for tokens in it; give --hmac-secret or another key"};
  return family;
}

}  // namespace

core::Result<std::string> api_key_of(const std::string& config) {
  const auto assignments = read_config(config);
  if (!assignments) return core::Failure{assignments.error()};
  for (const handlers::Assignment& assignment : *assignments)
    if (assignment.key == "api-key" && assignment.items.size() == 1)
      return assignment.items.front().text;
  return core::Failure{"--config: " + config + ": no api-key in it; give --api-key"};
}

core::Result<TokenSettings> server_keys(const KeyOptions& options) {
  TokenSettingSources sources;
  sources.connection = options.family;
  const bool by_flag = has_key(options.family);
  if (!by_flag && !options.config.empty()) {
    auto family = from_config(options.config);
    if (!family) return core::Failure{family.error()};
    sources.connection = std::move(*family);
  } else if (!by_flag) {
    if (const char* const secret = std::getenv("SPATE_TOKEN_HMAC_SECRET"))
      sources.connection.hmac_secret = secret;
  }
  // Expectations without a key expect nothing.
  if (!has_key(sources.connection)) return TokenSettings{};
  auto read = handlers::client::read_token_settings(sources);
  if (read) return std::move(read->connection);
  const handlers::Complaint& complaint = read.error();
  const std::string name =
      by_flag ? "--" + complaint.setting.substr(kPrefix.size()) : complaint.setting;
  return core::Failure{name + ": " + complaint.wrong};
}

}  // namespace spate::cli
