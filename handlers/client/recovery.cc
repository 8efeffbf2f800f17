#include "handlers/client/recovery.h"

namespace spate::handlers::client {

namespace {

bool too_large(std::span<const hub::KeptPublication> publications, const RecoveryLimits& limits) {
  std::uint64_t bytes = 0;
  for (const auto& kept : publications) bytes += kept.publication.data.size();
  return bytes > limits.max_bytes;
}

}  // namespace

hub::HistoryRequest recovery_request(std::string_view channel, const hub::HistoryPolicy& policy,
                                     hub::RecoveryMode mode, const StreamPosition& asked,
                                     std::uint32_t max_publications) {
  // The epoch is judged here, not by the broker: one that is wrong is an answer, not an error.
  if (mode == hub::RecoveryMode::cache)
    return {.channel = channel, .history = policy, .limit = 1, .since = {}, .reverse = true};
  return {.channel = channel,
          .history = policy,
          .limit = max_publications,
          .since = StreamPosition{.offset = asked.offset, .epoch = {}},
          .reverse = false};
}

RecoveryOutcome recover(hub::RecoveryMode mode, const StreamPosition& asked, bool epoch_known,
                        const hub::HistoryResult& history, const RecoveryLimits& limits) {
  const auto& kept = history.publications;
  const bool same_epoch = epoch_known && (!asked.epoch || asked.epoch == history.top.epoch);
  if (mode == hub::RecoveryMode::cache) {
    if (same_epoch && asked.epoch && asked.offset > 0 && asked.offset == history.top.offset)
      return {.recovered = true, .publications = {}};
    if (kept.empty() || kept[0].publication.offset != history.top.offset) return {};
    if (too_large(kept.first(1), limits)) return {};
    return {.recovered = true, .publications = kept.first(1)};
  }
  if (!same_epoch) return {};
  if (kept.empty()) return {.recovered = history.top.offset == asked.offset, .publications = {}};
  const bool whole = kept.front().publication.offset == asked.offset + 1 &&
                     kept.back().publication.offset == history.top.offset;
  if (!whole || too_large(kept, limits)) return {};
  return {.recovered = true, .publications = kept};
}

}  // namespace spate::handlers::client
