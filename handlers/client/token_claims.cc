#include "handlers/client/token_claims.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "codec/base64.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"

namespace spate::handlers::client {
namespace {

using Wrong = std::string_view;  // empty: nothing

// The largest whole number that every JSON library keeps (RFC 8259 §6).
constexpr double kMaxSeconds = 9007199254740991.0;

enum class Claim : std::uint8_t {
  exp,
  nbf,
  iss,
  aud,
  expire_at,
  channel,
  channels,
  subs,
  meta,
  client,
  info,
  b64info,
  data,
  b64data,
  override_,
};

// Where a claim is known.
enum Place : unsigned { kConnection = 1, kSubscription = 2, kOptions = 4 };

struct KnownClaim {
  std::string_view name;
  Claim claim;
  unsigned places;
};

constexpr KnownClaim kKnownClaims[] = {
    {"exp", Claim::exp, kConnection | kSubscription},
    {"nbf", Claim::nbf, kConnection | kSubscription},
    {"iss", Claim::iss, kConnection | kSubscription},
    {"aud", Claim::aud, kConnection | kSubscription},
    {"expire_at", Claim::expire_at, kConnection | kSubscription},
    {"channel", Claim::channel, kConnection | kSubscription},
    {"channels", Claim::channels, kConnection},
    {"subs", Claim::subs, kConnection},
    {"meta", Claim::meta, kConnection},
    {"client", Claim::client, kSubscription},
    {"info", Claim::info, kConnection | kSubscription | kOptions},
    {"b64info", Claim::b64info, kConnection | kSubscription | kOptions},
    {"data", Claim::data, kSubscription | kOptions},
    {"b64data", Claim::b64data, kSubscription | kOptions},
    {"override", Claim::override_, kSubscription | kOptions},
};

// Finds known claims, each once.
class ClaimFinder {
 public:
  explicit ClaimFinder(Place place) : place_(place) {}

  const KnownClaim* find(std::string_view name, Wrong& wrong) {
    const auto* const known = std::ranges::find(kKnownClaims, name, &KnownClaim::name);
    if (known == std::end(kKnownClaims) || (known->places & place_) == 0) return nullptr;
    const unsigned bit = 1u << static_cast<unsigned>(known->claim);
    if ((seen_ & bit) != 0) wrong = "a claim is given twice";
    seen_ |= bit;
    return known;
  }

 private:
  Place place_;
  unsigned seen_ = 0;
};

Wrong take_text(const JsonValue& value, std::string& out, Wrong wrong) {
  if (value.kind == JsonKind::null) return {};
  if (value.kind != JsonKind::string) return wrong;
  out = value.string;
  return {};
}

// As it stands in the source, on one line.
void take_source(const JsonValue& value, std::string& out) {
  out.clear();
  if (value.kind != JsonKind::null) append_one_line(out, value.text);
}

Wrong take_base64(const JsonValue& value, std::string& out, Wrong wrong) {
  if (value.kind != JsonKind::string) return value.kind == JsonKind::null ? Wrong{} : wrong;
  std::string bytes(value.string.size() / 4 * 3, '\0');
  const auto decoded = codec::base64_decode(
      {reinterpret_cast<std::byte*>(bytes.data()), bytes.size()}, value.string);
  if (!decoded.ok()) return wrong;
  bytes.resize(decoded.bytes);
  if (!bytes.empty()) out = std::move(bytes);
  return {};
}

// NumericDate (RFC 7519 §2).
Wrong take_seconds(const JsonValue& value, std::optional<std::int64_t>& out, Wrong wrong) {
  if (value.kind != JsonKind::number) return wrong;
  double seconds = 0;
  const char* const end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, seconds);
  if (stop != end || error != std::errc{} || !(std::abs(seconds) <= kMaxSeconds)) return wrong;
  out = static_cast<std::int64_t>(std::ceil(seconds));
  return {};
}

Wrong take_audience(const JsonValue& value, const std::string& expected, bool& found) {
  constexpr Wrong kWrong = "aud is neither a string nor a list of strings";
  if (value.kind == JsonKind::string) {
    found = value.string == expected;
    return {};
  }
  const bool strings = for_each_item(value.text, [&](const JsonValue& item) {
    found = found || (item.kind == JsonKind::string && item.string == expected);
    return item.kind == JsonKind::string;
  });
  return strings ? Wrong{} : kWrong;
}

constexpr std::pair<std::string_view, std::optional<bool> OptionOverride::*> kOverrides[] = {
    {"presence", &OptionOverride::presence},
    {"join_leave", &OptionOverride::join_leave},
    {"force_push_join_leave", &OptionOverride::force_push_join_leave},
    {"force_recovery", &OptionOverride::force_recovery},
    {"force_positioning", &OptionOverride::force_positioning},
};

// {"presence": {"value": true}, …}
Wrong take_override(const JsonValue& value, OptionOverride& out) {
  constexpr Wrong kWrong = "override is not {\"OPTION\": {\"value\": true or false}, …}";
  if (value.kind == JsonKind::null) return {};
  const bool good = for_each_member(value.text, [&](const JsonValue& option) {
    const auto* const known =
        std::ranges::find_if(kOverrides, [&](const auto& row) { return row.first == option.key; });
    if (known == std::end(kOverrides) || option.kind == JsonKind::null) return true;
    return for_each_member(option.text, [&](const JsonValue& member) {
      if (member.key != "value") return true;
      out.*known->second = member.text == "true";
      return member.kind == JsonKind::boolean;
    });
  });
  return good ? Wrong{} : kWrong;
}

// info, data and override, of a subscription or of a token as a whole.
class OptionsReader {
 public:
  explicit OptionsReader(SubscribeOptions& out) : out_(out) {}

  Wrong take(Claim claim, const JsonValue& value) {
    switch (claim) {
      case Claim::info:
        take_source(value, info_);
        return {};
      case Claim::b64info:
        return take_base64(value, out_.info, "b64info is not a string in base 64");
      case Claim::data:
        take_source(value, data_);
        return {};
      case Claim::b64data:
        return take_base64(value, out_.data, "b64data is not a string in base 64");
      default:
        return take_override(value, out_.override_);
    }
  }

  // Base 64 wins, in whichever order they came.
  void finish() {
    if (out_.info.empty()) out_.info = std::move(info_);
    if (out_.data.empty()) out_.data = std::move(data_);
  }

 private:
  SubscribeOptions& out_;
  std::string info_;
  std::string data_;
};

Wrong take_options(const JsonValue& value, SubscribeOptions& out) {
  if (value.kind == JsonKind::null) return {};
  OptionsReader reader(out);
  ClaimFinder finder(kOptions);
  Wrong wrong;
  const bool whole = for_each_member(value.text, [&](const JsonValue& member) {
    const KnownClaim* const known = finder.find(member.key, wrong);
    if (known != nullptr && wrong.empty()) wrong = reader.take(known->claim, member);
    return wrong.empty();
  });
  reader.finish();
  if (!wrong.empty() || whole) return wrong;
  return "subs has a member that is not an object";
}

// {"CHANNEL": {options}, …}
Wrong take_subs(const JsonValue& value,
                std::vector<std::pair<std::string, SubscribeOptions>>& out) {
  if (value.kind == JsonKind::null) return {};
  Wrong wrong;
  const bool whole = for_each_member(value.text, [&](const JsonValue& sub) {
    if (sub.key.empty()) wrong = "subs has an empty channel";
    wrong = wrong.empty() ? take_options(sub, out.emplace_back(sub.key, SubscribeOptions{}).second)
                          : wrong;
    return wrong.empty();
  });
  if (!wrong.empty()) return wrong;
  if (!whole) return "subs is not an object";
  std::ranges::sort(out, {}, &std::pair<std::string, SubscribeOptions>::first);
  const auto twice =
      std::ranges::adjacent_find(out, {}, &std::pair<std::string, SubscribeOptions>::first);
  return twice == out.end() ? Wrong{} : "subs has a channel twice";
}

Wrong take_channels(const JsonValue& value, std::vector<std::string>& out) {
  if (value.kind == JsonKind::null) return {};
  const bool strings = for_each_item(value.text, [&](const JsonValue& item) {
    out.emplace_back(item.string);
    return item.kind == JsonKind::string && !item.string.empty();
  });
  return strings ? Wrong{} : "channels is not a list of channels";
}

class ClaimsReader {
 public:
  ClaimsReader(TokenKind kind, const ClaimRules& rules, TokenClaims& out)
      : kind_(kind),
        rules_(rules),
        out_(out),
        finder_(kind == TokenKind::connection ? kConnection : kSubscription),
        options_(out.options),
        user_claim_(rules.user_id_claim) {
    if (user_claim_.empty()) user_claim_ = "sub";
  }

  Wrong take(const JsonValue& value) {
    if (value.key == user_claim_) {
      if (has_user_) return "the user's claim is given twice";
      has_user_ = true;
      const Wrong wrong = take_text(value, out_.user, "the user's claim is not a string");
      if (!wrong.empty()) return wrong;
    }
    Wrong wrong;
    const KnownClaim* const known = finder_.find(value.key, wrong);
    return known == nullptr || !wrong.empty() ? wrong : take_known(known->claim, value);
  }

  Wrong finish() {
    options_.finish();
    // That sub may be missing is for anonymous users; a claim that was chosen must be there.
    if (!has_user_ && !rules_.user_id_claim.empty()) return "the user's claim is missing";
    if (kind_ == TokenKind::subscription && out_.channel.empty()) return "channel is missing";
    return {};
  }

 private:
  Wrong take_known(Claim claim, const JsonValue& value) {
    switch (claim) {
      case Claim::exp:
        return take_seconds(value, out_.exp, "exp is not a date in seconds");
      case Claim::nbf:
        return take_seconds(value, out_.nbf, "nbf is not a date in seconds");
      case Claim::expire_at:
        if (value.kind == JsonKind::null) return {};
        return take_seconds(value, out_.expire_at, "expire_at is not a date in seconds");
      case Claim::iss:
        if (value.kind != JsonKind::string) return "iss is not a string";
        out_.has_issuer = value.string == rules_.issuer;
        return {};
      case Claim::aud:
        return take_audience(value, rules_.audience, out_.has_audience);
      case Claim::channel:
        if (kind_ == TokenKind::connection) return "a subscription token, for it names a channel";
        if (value.kind != JsonKind::string) return "channel is not a string";
        out_.channel = value.string;
        return {};
      case Claim::channels:
        return take_channels(value, out_.channels);
      case Claim::subs:
        return take_subs(value, out_.subs);
      case Claim::meta:
        if (value.kind != JsonKind::object && value.kind != JsonKind::null)
          return "meta is not an object";
        take_source(value, out_.meta);
        return {};
      case Claim::client:
        return take_text(value, out_.client, "client is not a string");
      default:
        return options_.take(claim, value);
    }
  }

  TokenKind kind_;
  const ClaimRules& rules_;
  TokenClaims& out_;
  ClaimFinder finder_;
  OptionsReader options_;
  std::string_view user_claim_;
  bool has_user_ = false;
};

}  // namespace

std::string_view read_claims(std::string_view json, TokenKind kind, const ClaimRules& rules,
                             TokenClaims& out) {
  ClaimsReader reader(kind, rules, out);
  Wrong wrong;
  const bool whole = for_each_member(json, [&](const JsonValue& value) {
    wrong = reader.take(value);
    return wrong.empty();
  });
  if (!wrong.empty()) return wrong;
  return whole ? reader.finish() : "claims are not a JSON object";
}

}  // namespace spate::handlers::client
