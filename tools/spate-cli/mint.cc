#include "tools/spate-cli/mint.h"

#include <cstdio>
#include <ctime>

#include "core/file.h"
#include "handlers/client/json_text.h"
#include "handlers/client/reader.h"
#include "tools/spate-cli/keys.h"

namespace spate::cli {
namespace {

using handlers::client::append_json_string;

constexpr std::size_t kMaxKeyBytes = 64 * 1024;
// RFC 7518 §3.2 asks for as many as the digest has.
constexpr std::size_t kGoodSecretBytes = 32;

void add_name(std::string& json, std::string_view name) {
  json += json.size() > 1 ? ",\"" : "\"";
  json.append(name).append("\":");
}

void add_text(std::string& json, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  add_name(json, name);
  append_json_string(json, value);
}

void add_number(std::string& json, std::string_view name, std::int64_t value) {
  add_name(json, name);
  json += std::to_string(value);
}

bool add_subs(std::string& json, const std::vector<std::string>& subs) {
  if (subs.empty()) return true;
  if (subs.size() == 1 && subs.front().starts_with('{')) {
    add_name(json, "subs");
    json += subs.front();
    return handlers::client::is_json_object(subs.front());
  }
  add_name(json, "channels");
  json += '[';
  for (const std::string& channel : subs) {
    if (json.back() != '[') json += ',';
    append_json_string(json, channel);
  }
  json += ']';
  return true;
}

}  // namespace

core::Result<std::optional<Signer>> signer_of(const Options& options) {
  std::optional<Signer> signer;
  const std::string& file = options.token.private_key;
  if (!file.empty()) {
    const auto pem = core::read_file(file, kMaxKeyBytes);
    if (!pem) return core::Failure{"--private-key: " + file + ": cannot be read: " + pem.error()};
    auto made = Signer::with_private_key(*pem);
    if (!made) return core::Failure{"--private-key: " + file + ": " + made.error()};
    signer = std::move(*made);
  } else {
    const auto keys = server_keys(options.keys);
    if (!keys) return core::Failure{keys.error()};
    if (keys->hmac_secret.empty()) return signer;
    if (keys->hmac_secret.size() < kGoodSecretBytes)
      std::fprintf(stderr,
                   "spate-cli: the secret has %zu bytes; 32 random ones cannot be guessed\n",
                   keys->hmac_secret.size());
    signer = Signer::with_secret(keys->hmac_secret);
  }
  if (options.token.algorithm.empty()) return signer;
  if (const std::string wrong = signer->choose(options.token.algorithm); !wrong.empty())
    return core::Failure{"--algorithm=" + options.token.algorithm + ": " + wrong};
  return signer;
}

core::Result<std::string> claims_of(const TokenOptions& token, std::int64_t now) {
  std::string json = "{";
  add_text(json, "sub", token.user);
  add_text(json, "channel", token.channel);
  if (!token.info.empty()) {
    if (!handlers::client::is_json(token.info))
      return core::Failure{
          "--info: not JSON; quote it for the shell, such as '{\"name\": \"Al\"}'"};
    add_name(json, "info");
    json += token.info;
  }
  if (!add_subs(json, token.subs))
    return core::Failure{"--subs: not JSON; write channels, or '{\"CHANNEL\": {…}, …}'"};
  add_text(json, "aud", token.audience);
  add_text(json, "iss", token.issuer);
  add_number(json, "iat", now);
  if (token.ttl_seconds > 0) add_number(json, "exp", now + token.ttl_seconds);
  return json + "}";
}

int mint(const Options& options) {
  const auto refuse = [](const std::string& why) {
    std::fprintf(stderr, "spate-cli: %s\n", why.c_str());
    return kUsage;
  };
  const auto signer = signer_of(options);
  if (!signer) return refuse(signer.error());
  if (!*signer)
    return refuse(
        "nothing to sign with; give --hmac-secret, --config or --private-key, or set "
        "SPATE_TOKEN_HMAC_SECRET");
  const auto claims = claims_of(options.token, std::time(nullptr));
  if (!claims) return refuse(claims.error());
  const std::string token = signer.value()->token(*claims, options.token.kid);
  if (options.json)
    std::printf("{\"token\":\"%s\",\"claims\":%s}\n", token.c_str(), claims->c_str());
  else
    std::printf("%s\n", token.c_str());
  return kDone;
}

}  // namespace spate::cli
