#include "handlers/hub/duration.h"

#include <charconv>
#include <system_error>

namespace spate::handlers::hub {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr Unit kUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t sum = 0;
  while (!text.empty()) {
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    const std::string_view name = text.substr(0, text.find_first_of("0123456789"));
    text.remove_prefix(name.size());
    std::int64_t unit_ms = 0;
    for (const Unit& unit : kUnits)
      if (unit.name == name) unit_ms = unit.ms;
    if (unit_ms == 0 || number > static_cast<std::uint64_t>((kMaxDurationMs - sum) / unit_ms))
      return std::nullopt;
    sum += static_cast<std::int64_t>(number) * unit_ms;
  }
  return sum;
}

std::string format_duration(std::int64_t ms) {
  if (ms == 0) return "0s";
  std::string out;
  for (const Unit& unit : kUnits) {
    if (ms < unit.ms) continue;
    out += std::to_string(ms / unit.ms);
    out += unit.name;
    ms %= unit.ms;
  }
  return out;
}

}  // namespace spate::handlers::hub
