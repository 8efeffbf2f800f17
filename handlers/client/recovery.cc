#include "handlers/client/recovery.h"

namespace spate::handlers::client {

namespace {

// Member names, braces and an offset.
constexpr std::uint64_t kPublicationBytes = 64;
constexpr std::uint64_t kInfoBytes = 32;
constexpr std::uint64_t kTagBytes = 8;

}  // namespace

std::uint64_t bytes_of(std::span<const hub::KeptPublication> publications) {
  std::uint64_t bytes = 0;
  for (const auto& kept : publications) {
    const Publication& publication = kept.publication;
    bytes += kPublicationBytes + publication.data.size();
    for (const hub::Tag& tag : publication.tags)
      bytes += kTagBytes + tag.key.size() + tag.value.size();
    if (const auto& info = publication.info)
      bytes += kInfoBytes + info->user.size() + info->client.size() + info->conn_info.size() +
               info->chan_info.size();
  }
  return bytes;
}

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
    if (bytes_of(kept.first(1)) > limits.max_bytes) return {};
    return {.recovered = true, .publications = kept.first(1)};
  }
  if (!same_epoch) return {};
  if (kept.empty()) return {.recovered = history.top.offset == asked.offset, .publications = {}};
  const bool whole = kept.front().publication.offset == asked.offset + 1 &&
                     kept.back().publication.offset == history.top.offset;
  if (!whole || bytes_of(kept) > limits.max_bytes) return {};
  return {.recovered = true, .publications = kept};
}

}  // namespace spate::handlers::client
