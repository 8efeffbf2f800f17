// A broker's records: what they are still needed for, and where the next one finds room.
//
// Room is made a segment at a time. Copying together what is live in the emptiest one is worth it
// while that is at most three quarters of it: then four bytes are copied at worst for one that is
// won. Above that something has to go, a quarter of a segment at a time, or each publication into a
// full log would cost a search for the next victim.
#include <algorithm>
#include <cstring>

#include "core/log.h"
#include "handlers/hub/log_broker.h"

namespace spate::handlers::hub {

namespace {

// A segment with so little in it is copied together in a quiet moment, few of them a second.
constexpr std::size_t kTidyParts = 8;
constexpr int kTidySegments = 4;

}  // namespace

DecodedRecord LogBroker::decode_at(core::LogPlace place) const {
  auto decoded = decode(log_.read(place));
  SPATE_CHECK(decoded.has_value());  // it was well-formed when it was written or first read
  return *decoded;
}

void LogBroker::release(const Stream* stream, core::LogPlace place) {
  const DecodedRecord record = decode_at(place);
  const bool of_state = stream != nullptr && stream->state == place;
  const std::uint64_t offset = record.stream.offset;
  if (stream != nullptr && record.of_history() && stream->kept.holds(offset) &&
      stream->kept.at(offset) == place)
    return;
  const auto* const entry = record.result ? results_.find(record.result->key) : nullptr;
  const bool of_key = entry != nullptr && entry->place == place;
  const std::size_t bytes = log_.read(place).payload.size();
  if (!of_state && !of_key)
    log_.kill(place);
  else if (record.kind == RecordKind::publication && of_state)
    log_.shrink(place, raw(RecordMark::not_kept),
                of_key ? bytes : std::min(bytes, state_bytes(record.stream)));
  else if (record.kind == RecordKind::publication)
    log_.shrink(place, raw(RecordMark::only_key), result_bytes());
}

Stream* LogBroker::stream_of(core::LogPlace place) const {
  const DecodedRecord record = decode_at(place);
  if (!record.of_stream()) return nullptr;
  return streams_.find(streams_.hash(record.stream.channel), record.stream.channel);
}

void LogBroker::expire_results(std::int64_t now) {
  while (ResultTable::Entry* const entry = results_.expired(now)) {
    const core::LogPlace place = entry->place;
    results_.erase(*entry);
    release(stream_of(place), place);
  }
  metrics_->results.set(results_.count());
}

bool LogBroker::find_room(std::size_t payload_bytes) {
  if (!log_.can_hold(payload_bytes)) return false;
  return log_.fits(payload_bytes) || make_room(payload_bytes);
}

bool LogBroker::make_room(std::size_t payload_bytes) {
  if (pins_ > 0) return false;
  // Large records may leave no less of a segment unused than copying them wins.
  bool copying_helps = true;
  bool found = false;
  for (;;) {
    log_.free_dead_segments();
    found = log_.fits(payload_bytes);
    if (found) break;
    const auto emptiest = log_.emptiest();
    if (copying_helps && emptiest && emptiest->live_bytes <= log_.segment_bytes() / 4 * 3 &&
        log_.free_segments() > 0) {
      const std::uint64_t before = log_.room_bytes();
      compact(emptiest->segment);
      copying_helps = log_.room_bytes() > before;
    } else if (!evict()) {
      break;
    }
  }
  count_memory();
  return found;
}

// Whether anything went.
bool LogBroker::evict() {
  const std::uint64_t before = log_.live_bytes();
  bool any = false;
  while (before - log_.live_bytes() < log_.segment_bytes() / 4) {
    if (Stream* const stream = streams_.oldest_keeping()) {
      metrics_->evictions[0].add();
      drop_kept(*stream);
    } else if (Stream* const idle = streams_.oldest_idle()) {
      metrics_->evictions[1].add();
      forget(*idle);
    } else {
      break;
    }
    any = true;
  }
  core::log::limited(core::log::Level::warn, "history-memory",
                     "history is dropped before its time: --history-memory is used up",
                     {{"bytes", log_.segment_count() * std::uint64_t{log_.segment_bytes()}},
                      {"streams", streams_.count()}});
  return any;
}

void LogBroker::compact(std::uint32_t segment) {
  const std::uint64_t before = log_.live_bytes();
  log_.for_each_live(segment,
                     [this](const core::RecordLog::Record& record) { copy_forward(record); });
  metrics_->copied_bytes.add(log_.live_bytes() - before);
  log_.commit();
  log_.free_segment(segment);
}

// Whoever referred to the record refers to its copy from here on: a broker that is killed before
// the commit leaves no reference behind.
void LogBroker::copy_forward(const core::RecordLog::Record& record) {
  const DecodedRecord decoded = decode_at(record.place);
  if (decoded.kind == RecordKind::user) return copy_user_forward(record, decoded.user.name);
  Stream* const stream = stream_of(record.place);
  const std::uint64_t offset = decoded.stream.offset;
  const bool of_state = stream != nullptr && stream->state == record.place;
  const bool of_history = stream != nullptr && decoded.of_history() && stream->kept.holds(offset) &&
                          stream->kept.at(offset) == record.place;
  auto* const entry = decoded.result ? results_.find(decoded.result->key) : nullptr;
  const bool of_key = entry != nullptr && entry->place == record.place;

  core::LogPlace place = core::kNoPlace;
  const bool whole = decoded.kind != RecordKind::publication || of_history ||
                     (of_state && (of_key || state_bytes(decoded.stream) >= record.payload.size()));
  if (whole) {
    std::byte* const to = log_.stage(record.kind, record.payload.size(), &place);
    std::memcpy(to, record.payload.data(), record.payload.size());
    if (record.mark != 0) log_.shrink(place, record.mark, record.payload.size());
  } else if (of_state) {
    const StreamRecord state = record_of(*stream);
    encode_state(log_.stage(raw(RecordKind::state), state_bytes(state), &place), state,
                 decoded.used_ms);
  } else {
    SPATE_CHECK(of_key);
    encode_result(log_.stage(raw(RecordKind::result), result_bytes(), &place), *decoded.result);
  }
  if (of_state) stream->state = place;
  if (of_history) stream->kept.at(offset) = place;
  if (of_key) entry->place = place;
}

void LogBroker::tidy() {
  if (pins_ > 0) return;
  log_.free_dead_segments();
  for (int i = 0; i < kTidySegments && log_.free_segments() > 0; ++i) {
    const auto emptiest = log_.emptiest();
    if (!emptiest || emptiest->live_bytes > log_.segment_bytes() / kTidyParts) break;
    compact(emptiest->segment);
  }
  count_memory();
}

void LogBroker::count_memory() {
  metrics_->log_bytes[0].set(log_.used_bytes());
  metrics_->log_bytes[1].set(log_.live_bytes());
}

}  // namespace spate::handlers::hub
