#include "core/rate_limit.h"

#include <algorithm>
#include <utility>

namespace spate::core {

std::optional<std::uint64_t> RateLimit::pass(std::string_view key, std::int64_t now_ms, int tag) {
  auto entry = std::ranges::find(entries_, key, &Entry::key);
  if (entry == entries_.end() && entries_.size() < kMaxKeys) {
    const bool last = entries_.size() + 1 == kMaxKeys;
    entries_.push_back({last ? "others" : std::string(key), now_ms, 0, tag});
    return 0;
  }
  if (entry == entries_.end()) --entry;
  entry->tag = tag;
  if (now_ms - entry->spoke_ms < kIntervalMs) {
    ++entry->held;
    return std::nullopt;
  }
  entry->spoke_ms = now_ms;
  return std::exchange(entry->held, 0);
}

std::vector<RateLimit::Held> RateLimit::collect(std::int64_t now_ms) {
  std::vector<Held> out;
  for (Entry& entry : entries_) {
    if (entry.held == 0 || now_ms - entry.spoke_ms < kIntervalMs) continue;
    out.push_back({entry.key, std::exchange(entry.held, 0), entry.tag});
    entry.spoke_ms = now_ms;
  }
  return out;
}

}  // namespace spate::core
