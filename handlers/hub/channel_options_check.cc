#include "handlers/hub/channel_options_check.h"

#include "handlers/hub/channel_option_table.h"
#include "handlers/hub/duration.h"

namespace spate::handlers::hub {
namespace {

struct Flag {
  std::string_view option;
  bool on;
};

OptionsComplaint check_history(const HistoryPolicy& history) {
  const std::string size = std::to_string(history.size);
  const std::string ttl = json_string(format_duration(history.ttl_ms));
  if (history.size > 0 && history.ttl_ms == 0)
    return {"history_size", size, "no history without history_ttl; set that too, or write 0"};
  if (history.size == 0 && history.ttl_ms > 0)
    return {"history_ttl", ttl, "no history without history_size; set that too, or write \"0s\""};
  if (history.on() && history.meta_ttl_ms <= history.ttl_ms)
    return {"history_ttl", ttl,
            "not shorter than history_meta_ttl, " + format_duration(history.meta_ttl_ms) +
                "; lower it, or raise that"};
  return {};
}

}  // namespace

OptionsComplaint check_options(const ChannelOptions& o) {
  if (OptionsComplaint found = check_history(o.history); !found.wrong.empty()) return found;
  const bool cache = o.force_recovery_mode == RecoveryMode::cache;
  const Flag positions[] = {{"force_positioning", o.force_positioning},
                            {"allow_positioning", o.allow_positioning},
                            {"force_recovery", o.force_recovery},
                            {"allow_recovery", o.allow_recovery}};
  for (const Flag& flag : positions) {
    if (!flag.on) continue;
    if (!o.history.on())
      return {flag.option, "true", "needs history; set history_size and history_ttl"};
    // What is left out of a conflated stream would be taken for a loss.
    if (o.slow_policy == SlowPolicy::conflate)
      return {"slow_policy", "\"conflate\"",
              "cannot go with " + std::string(flag.option) + "; turn one of them off"};
  }
  if (cache && !o.history.on())
    return {"force_recovery_mode", "\"cache\"", "needs history; set history_size and history_ttl"};
  if (o.auto_cache_recover && !o.force_recovery)
    return {"auto_cache_recover", "true", "needs force_recovery; set that too"};
  if (o.auto_cache_recover && !cache)
    return {"auto_cache_recover", "true", "needs force_recovery_mode \"cache\"; set that too"};
  return {};
}

std::string check_syntax(const NameSyntax& syntax) {
  struct Symbol {
    std::string_view key;
    std::string_view text;
  };
  const Symbol symbols[] = {{"namespace_boundary", syntax.namespace_boundary},
                            {"private_prefix", syntax.private_prefix},
                            {"user_boundary", syntax.user_boundary},
                            {"user_separator", syntax.user_separator}};
  for (const Symbol& one : symbols)
    for (const Symbol& other : symbols)
      if (one.key != other.key && one.text.find(other.text) != std::string_view::npos)
        return std::string(one.key) + "=" + json_string(one.text) + ": has " +
               std::string(other.key) + ", " + json_string(other.text) +
               ", in it; choose another symbol";
  return {};
}

}  // namespace spate::handlers::hub
