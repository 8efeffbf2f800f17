// Every option of a namespace, once: the configuration is read, explained and documented by it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {

// Which member an option is; its type says how it is written.
using ChannelField = std::variant<bool ChannelOptions::*,          // true or false
                                  std::uint32_t HistoryPolicy::*,  // a whole number
                                  std::int64_t HistoryPolicy::*,   // a duration
                                  RecoveryMode ChannelOptions::*,  // one of choices_of()
                                  DataFormat ChannelOptions::*,    //
                                  SlowPolicy ChannelOptions::*,    //
                                  std::string ChannelOptions::*>;  // a regex

struct ChannelOption {
  std::string_view name;
  ChannelField field;
  std::string_view effect;  // a phrase for docs/channels.md
};
std::span<const ChannelOption> channel_option_table();

inline constexpr std::uint32_t kMaxHistorySize = 1'000'000;

// What stands for the enumerators, in their order.
std::span<const std::string_view> choices_of(RecoveryMode);
std::span<const std::string_view> choices_of(DataFormat);
std::span<const std::string_view> choices_of(SlowPolicy);

// "true or false", "number", "duration", "\"stream\" or \"cache\"", "regex".
std::string type_of(const ChannelOption& option);
// The value as the configuration has it, in JSON.
std::string value_of(const ChannelOptions& options, const ChannelOption& option);

// `text` as a JSON string, one line.
std::string json_string(std::string_view text);

}  // namespace spate::handlers::hub
