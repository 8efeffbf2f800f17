// Durations as people write them in the configuration of channels: "300s", "5m", "1h30m".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spate::handlers::hub {

inline constexpr std::int64_t kMaxDurationMs = std::int64_t{87'600} * 3'600'000;  // ten years

// Whole numbers, each with its unit (h, m, s or ms), added up; at most ten years. Nothing when it
// is not that. A number without a unit is none: to Centrifugo it would be nanoseconds, to others
// seconds.
std::optional<std::int64_t> parse_duration(std::string_view text);

// The shortest such text in descending units: "1h30m", "0s".
std::string format_duration(std::int64_t ms);

}  // namespace spate::handlers::hub
