// The settings of tokens: which keys the server knows, and what it expects of claims. One family
// for the tokens of connections and one for those of subscriptions.
#pragma once

#include <string>

#include "core/result.h"
#include "handlers/client/token.h"
#include "handlers/setting_table.h"

namespace spate::handlers::client {

// As they are given: keys that are files are their names.
struct TokenSettingFamily {
  std::string hmac_secret;
  std::string hmac_secret_file;
  std::string hmac_previous_secret;
  std::string hmac_previous_secret_file;
  std::int64_t hmac_previous_secret_valid_until = 0;
  std::string rsa_public_key;
  std::string ecdsa_public_key;
  std::string jwks;
  std::string audience;
  std::string issuer;
  std::string user_id_claim;

  bool operator==(const TokenSettingFamily&) const = default;
};

struct TokenSettingSources {
  TokenSettingFamily connection;    // --token-…
  TokenSettingFamily subscription;  // --subscription-token-…
};

// Adds the rows, and a check that refuses what read_token_settings() refuses.
void add_token_settings(SettingTable& table, TokenSettingSources& sources);

struct TokenConfiguration {
  TokenSettings connection;
  TokenSettings subscription;  // the connection's when nothing of the family is set
};

// Reads the files and judges the keys, at start-up and on reload. The complaint names the setting,
// the file and the remedy, never a secret.
core::Result<TokenConfiguration, Complaint> read_token_settings(const TokenSettingSources& sources);

}  // namespace spate::handlers::client
