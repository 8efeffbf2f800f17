#include "tools/spate-cli/text.h"

#include <cmath>
#include <ctime>

namespace spate::cli {

std::string duration(std::int64_t seconds) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  for (const Unit unit : {Unit{31'557'600, "year"}, Unit{86'400, "day"}, Unit{3'600, "hour"},
                          Unit{60, "minute"}, Unit{1, "second"}}) {
    const std::int64_t count = seconds / unit.seconds;
    if (count > 0) return std::to_string(count) + " " + unit.name + (count > 1 ? "s" : "");
  }
  return "0 seconds";
}

std::string time_and_distance(double seconds, std::int64_t now) {
  constexpr double kEndOfYear9999 = 253'402'300'800.0;
  if (!(std::abs(seconds) < kEndOfYear9999)) return "no date";
  const auto at = static_cast<std::time_t>(std::floor(seconds));
  std::tm parts{};
  char text[64];
  if (gmtime_r(&at, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
    return "no date";
  return std::string(text) +
         (at > now ? ", in " + duration(at - now) : ", " + duration(now - at) + " ago");
}

std::string clock_time(std::int64_t unix_ms) {
  const auto at = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  localtime_r(&at, &parts);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(unix_ms % 1000));
  return text;
}

}  // namespace spate::cli
