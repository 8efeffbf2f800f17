// The streams of a broker: how they begin, grow, are read, and go.
#include <algorithm>
#include <limits>
#include <utility>

#include "handlers/hub/log_broker.h"

namespace spate::handlers::hub {

namespace {

// A reading renews the stream in memory at once, and in the log when that lags by this part of the
// time to live: a record a reading would make reading as dear as publishing. A stream found in the
// log may have been read so much later than it says.
constexpr std::int64_t kRenewalParts = 8;

// Of a time and how long something lives, which may be anything.
std::int64_t saturating_sum(std::int64_t time, std::int64_t duration) {
  std::int64_t sum = 0;
  if (duration <= 0) return time;
  return __builtin_add_overflow(time, duration, &sum) ? std::numeric_limits<std::int64_t>::max()
                                                      : sum;
}

}  // namespace

Stream* LogBroker::live_stream(std::uint64_t hash, std::string_view channel, std::int64_t now) {
  Stream* const stream = streams_.find(hash, channel);
  return stream != nullptr && expire(*stream, now) ? stream : nullptr;
}

// Its first record is written next.
Stream& LogBroker::begin_stream(std::uint64_t hash) {
  Stream& stream = streams_.create(hash);
  stream.epoch = Epoch::random();
  stream.born = log_.head();
  metrics_->streams.add();
  return stream;
}

void LogBroker::append(Stream& stream, const PublishRequest& request, PublicationRecord& record,
                       std::int64_t now) {
  const std::uint64_t offset = stream.top + 1;
  const std::uint32_t keeps = std::min(stream.kept.count(), request.history.size - 1);
  record.stream.born = stream.born;
  record.stream.epoch = stream.epoch;
  record.stream.offset = offset;
  record.stream.kept_from = offset - keeps;
  record.stream.published_ms = now;
  core::LogPlace place = core::kNoPlace;
  encode_publication(
      log_.stage(raw(RecordKind::publication), publication_bytes(record, request), &place), record,
      request);
  if (before_commit_) before_commit_({BrokerError::none, {offset, stream.epoch}, false});
  log_.commit();

  stream.top = offset;
  stream.kept.push_newest(offset, place);
  stream.history_deadline_ms = saturating_sum(now, request.history.ttl_ms);
  stream.meta_deadline_ms =
      std::max(saturating_sum(now, request.history.meta_ttl_ms), stream.history_deadline_ms);
  stream.recorded_ms = now;
  stream.versioned = record.stream.version != 0;
  set_state(stream, place);
  if (record.key) remember(*record.key, now, place);
  metrics_->kept.add();
  while (stream.kept.oldest() < record.stream.kept_from) drop_oldest(stream);
  streams_.list(stream);
  streams_.arm(stream, now);
}

bool LogBroker::expire(Stream& stream, std::int64_t now) {
  if (now >= stream.meta_deadline_ms) {
    forget(stream);
    return false;
  }
  if (stream.kept.count() > 0 && now >= stream.history_deadline_ms) drop_kept(stream);
  return true;
}

void LogBroker::drop_oldest(Stream& stream) {
  const core::LogPlace place = stream.kept.at(stream.kept.oldest());
  stream.kept.pop_oldest();
  metrics_->kept.sub();
  release(&stream, place);
}

// Oldest first: should we be killed on the way, what is left is still without a hole.
void LogBroker::drop_kept(Stream& stream) {
  while (stream.kept.count() > 0) drop_oldest(stream);
  streams_.list(stream);
}

// The record that tells of it goes last, so that no older one is taken for its state.
void LogBroker::forget(Stream& stream) {
  drop_kept(stream);
  const core::LogPlace state = std::exchange(stream.state, core::kNoPlace);
  release(&stream, state);
  streams_.erase(stream);
  metrics_->streams.sub();
}

// As it is now. The channel's name lies in the record that told of it so far.
StreamRecord LogBroker::record_of(const Stream& stream) const {
  StreamRecord record = decode_at(stream.state).stream;
  record.kept_from = stream.top - stream.kept.count() + 1;
  return record;
}

void LogBroker::write_state(Stream& stream, const StreamRecord& record, std::int64_t now) {
  core::LogPlace place = core::kNoPlace;
  encode_state(log_.stage(raw(RecordKind::state), state_bytes(record), &place), record, now);
  log_.commit();
  stream.recorded_ms = now;
  set_state(stream, place);
}

void LogBroker::set_state(Stream& stream, core::LogPlace place) {
  const core::LogPlace last = std::exchange(stream.state, place);
  if (last != core::kNoPlace) release(&stream, last);
}

// Out of the log, which may not know of the last readings.
void LogBroker::set_deadlines(Stream& stream) {
  const DecodedRecord last = decode_at(stream.state);
  const std::int64_t meta_ttl_ms =
      saturating_sum(last.stream.meta_ttl_ms, last.stream.meta_ttl_ms / kRenewalParts);
  stream.history_deadline_ms = saturating_sum(last.stream.published_ms, last.stream.ttl_ms);
  stream.meta_deadline_ms =
      std::max(saturating_sum(last.used_ms, meta_ttl_ms), stream.history_deadline_ms);
  stream.versioned = last.stream.version != 0;
}

// --- History.

// Calls `take` with the place of each publication that is asked for.
template <typename Take>
void LogBroker::for_range(const Stream& stream, const HistoryRequest& request, Take&& take) {
  std::uint64_t left = request.limit < 0 ? std::numeric_limits<std::uint64_t>::max()
                                         : static_cast<std::uint64_t>(request.limit);
  left = std::min<std::uint64_t>(left, stream.kept.count());
  if (left == 0) return;
  const std::uint64_t oldest = stream.kept.oldest();
  const std::uint64_t newest = stream.kept.newest();
  const auto add = [&](std::uint64_t offset) { take(stream.kept.at(offset)); };
  if (request.reverse) {
    if (request.since && request.since->offset == 0) return;
    std::uint64_t offset = newest;
    if (request.since) offset = std::min(offset, request.since->offset - 1);
    for (; left > 0 && offset >= oldest; --left, --offset) add(offset);
  } else {
    std::uint64_t offset = oldest;
    if (request.since && request.since->offset >= newest) return;
    if (request.since) offset = std::max(offset, request.since->offset + 1);
    for (; left > 0 && offset <= newest; --left, ++offset) add(offset);
  }
}

void LogBroker::history(const HistoryRequest& request, const Done<HistoryResult>& done) {
  HistoryResult result;
  const Stream* const stream = stream_to_read(request, result);
  if (stream == nullptr) return done(result);
  // `done` may ask again: that one gets a reader of its own.
  PublicationReader reader = std::exchange(reader_, {});
  for_range(*stream, request,
            [&](core::LogPlace place) { SPATE_CHECK(reader.add(log_.read(place))); });
  result.publications = reader.finish();
  {
    const Pin pin(pins_);
    done(result);
  }
  reader.clear();
  reader_ = std::move(reader);
}

HistoryResult LogBroker::locate(const HistoryRequest& request,
                                std::vector<core::LogPlace>& places) {
  HistoryResult result;
  if (const Stream* const stream = stream_to_read(request, result))
    for_range(*stream, request, [&](core::LogPlace place) { places.push_back(place); });
  return result;
}

// The position goes into `result`. Null: there is nothing to read besides.
Stream* LogBroker::stream_to_read(const HistoryRequest& request, HistoryResult& result) {
  const std::int64_t now = now_ms();
  StreamRecord record = blank_record(request.channel, request.history);
  const bool room = find_room(state_bytes(record) + kVersionBytes);
  const std::uint64_t hash = streams_.hash(request.channel);
  Stream* stream = live_stream(hash, request.channel, now);
  if (stream == nullptr && !room) {
    result.error = BrokerError::no_room;
    metrics_->refused[0].add();
    return nullptr;
  }
  if (stream == nullptr) {
    stream = &begin_stream(hash);
    record.born = stream->born;
    record.epoch = stream->epoch;
    write_state(*stream, record, now);
    stream->meta_deadline_ms = saturating_sum(now, request.history.meta_ttl_ms);
    streams_.list(*stream);
    streams_.arm(*stream, now);
  } else {
    renew(*stream, request.history.meta_ttl_ms, room, now);
  }
  result.top = stream->position();
  result.wrong_epoch =
      request.since && request.since->epoch && request.since->epoch != stream->epoch;
  return result.wrong_epoch || request.limit == 0 ? nullptr : stream;
}

void LogBroker::renew(Stream& stream, std::int64_t meta_ttl_ms, bool room, std::int64_t now) {
  const std::int64_t deadline = saturating_sum(now, meta_ttl_ms);
  stream.meta_deadline_ms = std::max(stream.meta_deadline_ms, deadline);
  if (stream.kept.count() == 0) streams_.list(stream);
  if (!room || now - stream.recorded_ms <= meta_ttl_ms / kRenewalParts) return;
  StreamRecord record = record_of(stream);
  record.meta_ttl_ms = meta_ttl_ms;
  write_state(stream, record, now);
}

void LogBroker::remove_history(std::string_view channel, const Done<BrokerError>& done) {
  const std::int64_t now = now_ms();
  // One record makes it happen at once. Without room for it, it happens one by one.
  const bool room = find_room(state_bytes(blank_record(channel, {})) + kVersionBytes);
  Stream* const stream = live_stream(streams_.hash(channel), channel, now);
  if (stream != nullptr && stream->kept.count() > 0) {
    StreamRecord record = record_of(*stream);
    record.kept_from = stream->top + 1;
    if (room) write_state(*stream, record, now);
    drop_kept(*stream);
  }
  done(BrokerError::none);
}

}  // namespace spate::handlers::hub
