#include "handlers/hub/channel_value.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "core/printable.h"
#include "handlers/hub/duration.h"

namespace spate::handlers::hub {
namespace {

using rapidjson::Value;

constexpr std::size_t kMaxShownBytes = 80;
constexpr std::size_t kMinNameBytes = 2;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxSymbolBytes = 8;
constexpr std::size_t kMaxRegexBytes = 1024;
constexpr std::int64_t kMaxRegexMemory = 256 << 10;  // of one, with its cache of states

std::string quoted_list(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + json_string(name);
  return out;
}

bool letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Takes a value over into its member. Empty, or what is wrong.
class Setter {
 public:
  Setter(ChannelOptions& options, const Value& value) : options_(options), value_(value) {}

  std::string operator()(bool ChannelOptions::*member) const {
    if (!value_.IsBool()) return "neither true nor false; write one of them";
    options_.*member = value_.GetBool();
    return {};
  }
  std::string operator()(std::uint32_t HistoryPolicy::*member) const {
    if (!value_.IsUint() || value_.GetUint() > kMaxHistorySize)
      return "no size; write a whole number from 0 to " + std::to_string(kMaxHistorySize);
    options_.history.*member = value_.GetUint();
    return {};
  }
  std::string operator()(std::int64_t HistoryPolicy::*member) const {
    return set_duration(value_, options_.history.*member);
  }
  std::string operator()(std::string ChannelOptions::*) const {
    if (!value_.IsString()) return "no regex; write a string, such as \"^[a-z]+$\"";
    if (value_.GetStringLength() > kMaxRegexBytes)
      return "longer than " + std::to_string(kMaxRegexBytes) + " bytes; write a shorter regex";
    options_.channel_regex = text_of(value_);
    options_.compiled_regex = nullptr;
    if (options_.channel_regex.empty()) return {};
    re2::RE2::Options how;
    how.set_log_errors(false);
    how.set_max_mem(kMaxRegexMemory);
    auto regex = std::make_shared<const re2::RE2>(options_.channel_regex, how);
    if (!regex->ok())
      return "no regex that RE2 understands (" + core::printable(regex->error(), kMaxShownBytes) +
             "); correct it";
    options_.compiled_regex = std::move(regex);
    return {};
  }
  template <typename Enum>
  std::string operator()(Enum ChannelOptions::*member) const {
    const auto names = choices_of(Enum{});
    const auto found = value_.IsString() ? std::ranges::find(names, text_of(value_)) : names.end();
    if (found == names.end()) return "no such choice; write one of " + quoted_list(names);
    options_.*member = static_cast<Enum>(found - names.begin());
    return {};
  }

 private:
  ChannelOptions& options_;
  const Value& value_;
};

}  // namespace

std::string_view text_of(const Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

std::string shown(const Value& value) {
  if (value.IsObject()) return "{…}";
  if (value.IsArray()) return "[…]";
  if (value.IsNull()) return "null";
  if (value.IsBool()) return value.GetBool() ? "true" : "false";
  if (value.IsString()) return "\"" + core::printable(text_of(value), kMaxShownBytes) + "\"";
  if (value.IsUint64()) return std::to_string(value.GetUint64());
  if (value.IsInt64()) return std::to_string(value.GetInt64());
  char digits[32];  // the shortest that means the same: 24 at most
  return {digits, std::to_chars(digits, std::end(digits), value.GetDouble()).ptr};
}

std::string set_option(ChannelOptions& options, const ChannelOption& option, const Value& value) {
  return std::visit(Setter(options, value), option.field);
}

std::string set_duration(const Value& value, std::int64_t& ms) {
  const auto duration = value.IsString() ? parse_duration(text_of(value)) : std::nullopt;
  if (!duration)
    return "no duration; write a string with units, such as \"300s\" or \"1h30m\", at most " +
           format_duration(kMaxDurationMs);
  ms = *duration;
  return {};
}

std::string set_symbol(const Value& value, std::string& symbol) {
  const std::string_view text = value.IsString() ? text_of(value) : "";
  const bool plain = std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7F && !letter_or_digit(c) && c != '-' && c != '_';
  });
  if (text.empty() || text.size() > kMaxSymbolBytes || !plain)
    return "no symbol; write a string of 1 to " + std::to_string(kMaxSymbolBytes) +
           " ASCII symbols, other than - and _";
  symbol = text;
  return {};
}

std::string set_name(const Value& value, std::string& name) {
  const std::string_view text = value.IsString() ? text_of(value) : "";
  const bool plain =
      std::ranges::all_of(text, [](char c) { return letter_or_digit(c) || c == '-' || c == '_'; });
  if (text.size() < kMinNameBytes || text.size() > kMaxNameBytes || !plain)
    return "no name of a namespace; write " + std::to_string(kMinNameBytes) + " to " +
           std::to_string(kMaxNameBytes) + " letters, digits, - and _";
  name = text;
  return {};
}

}  // namespace spate::handlers::hub
