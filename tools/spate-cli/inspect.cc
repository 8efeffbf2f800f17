#include "tools/spate-cli/inspect.h"

#include <charconv>
#include <cstdio>
#include <ctime>

#include "codec/base64url.h"
#include "core/printable.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"
#include "handlers/client/jwt.h"
#include "handlers/client/token.h"
#include "tools/spate-cli/keys.h"
#include "tools/spate-cli/text.h"

namespace spate::cli {
namespace {

using namespace handlers::client;

constexpr std::size_t kMaxShownBytes = 1024;

// A part as JSON on one line; empty when it is none.
std::string json_of(std::string_view part) {
  std::string bytes(codec::base64url_decoded_bytes(part.size()), '\0');
  const Bytes room(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  std::string json;
  if (codec::base64url_decode(room, part).ok() &&
      for_each_member(bytes, [](const JsonValue&) { return true; }))
    append_one_line(json, bytes);
  return json;
}

bool is_time(std::string_view claim) {
  return claim == "exp" || claim == "nbf" || claim == "iat" || claim == "expire_at";
}

void print_part(const char* title, const std::string& json, std::int64_t now) {
  std::printf("%s\n", title);
  for_each_member(json, [&](const JsonValue& value) {
    std::string line = "  " + core::printable(value.key, kMaxShownBytes) + "  ";
    line += core::printable(value.text, kMaxShownBytes);
    double seconds = 0;
    if (is_time(value.key) && value.kind == JsonKind::number &&
        std::from_chars(value.text.data(), value.text.data() + value.text.size(), seconds).ec ==
            std::errc{})
      line += "  " + time_and_distance(seconds, now);
    std::printf("%s\n", line.c_str());
    return true;
  });
}

struct Verdict {
  TokenError error = TokenError::none;
  std::string_view why;
  bool subscription = false;
};

Verdict verdict_of(const TokenVerifier& verifier, const std::string& token,
                   const std::string& claims, std::int64_t now) {
  Verdict verdict;
  for_each_member(claims, [&](const JsonValue& value) {
    verdict.subscription = verdict.subscription || value.key == "channel";
    return true;
  });
  if (verdict.subscription) {
    const auto verified = verifier.subscription(token, now);
    verdict.error = verified.error, verdict.why = verified.why;
  } else {
    const auto verified = verifier.connection(token, now);
    verdict.error = verified.error, verdict.why = verified.why;
  }
  return verdict;
}

const char* name_of(TokenError error) {
  return error == TokenError::expired ? "expired" : "invalid";
}

void print_json(const std::string& header, const std::string& claims, const Verdict* verdict) {
  std::string line = "{\"header\":" + header + ",\"claims\":" + claims;
  if (verdict != nullptr) {
    line += std::string(",\"kind\":") +
            (verdict->subscription ? "\"subscription\"" : "\"connection\"") +
            ",\"accepted\":" + (verdict->error == TokenError::none ? "true" : "false");
    if (verdict->error != TokenError::none) {
      line += std::string(",\"error\":\"") + name_of(verdict->error) + "\",\"why\":";
      append_json_string(line, verdict->why);
    }
  }
  std::printf("%s}\n", line.c_str());
}

void print_verdict(const Verdict& verdict) {
  const char* const kind = verdict.subscription ? "subscription" : "connection";
  if (verdict.error == TokenError::none)
    std::printf("the server takes it for a %s\n", kind);
  else
    std::printf("the server refuses it for a %s: %s: %s\n", kind, name_of(verdict.error),
                std::string(verdict.why).c_str());
}

}  // namespace

int inspect(const Options& options) {
  const auto fail = [](int status, const std::string& why) {
    std::fprintf(stderr, "spate-cli: %s\n", why.c_str());
    return status;
  };
  if (options.inspected.size() > kMaxTokenBytes) return fail(kFailed, "TOKEN: too long for one");
  const auto parts = split_jwt(options.inspected);
  if (!parts) return fail(kFailed, "TOKEN: not three parts with points between them");
  const std::string header = json_of(parts->header);
  const std::string claims = json_of(parts->claims);
  if (header.empty() || claims.empty())
    return fail(kFailed, std::string("TOKEN: the ") + (header.empty() ? "header" : "claims") +
                             " are no JSON object in base64url");
  const auto keys = server_keys(options.keys);
  if (!keys) return fail(kUsage, keys.error());
  auto verifier = TokenVerifier::create(*keys);
  if (!verifier) return fail(kUsage, verifier.error());

  const std::int64_t now = std::time(nullptr);
  const bool judged = (*verifier)->has_keys();
  const Verdict verdict =
      judged ? verdict_of(**verifier, options.inspected, claims, now) : Verdict{};
  if (options.json) {
    print_json(header, claims, judged ? &verdict : nullptr);
  } else {
    print_part("header", header, now);
    print_part("claims", claims, now);
    if (judged)
      print_verdict(verdict);
    else
      std::printf("not verified: give --hmac-secret, --config, --jwks or a public key\n");
  }
  return verdict.error == TokenError::none ? kDone : kFailed;
}

}  // namespace spate::cli
