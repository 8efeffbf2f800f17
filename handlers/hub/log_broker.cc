// Nothing here moves or frees what is in the log but find_room() and tick(). So a request asks for
// room first, for the largest record that may come of it, and looks up its stream afterwards.
#include "handlers/hub/log_broker.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace spate::handlers::hub {

namespace {

// A reading renews the stream in memory at once, and in the log when that lags by this part of the
// time to live: a record a reading would make reading as dear as publishing. A stream found in the
// log may have been read so much later than it says.
constexpr std::int64_t kRenewalParts = 8;

constexpr std::size_t kVersionBytes = 16;

std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
  return b > std::numeric_limits<std::int64_t>::max() - a ? std::numeric_limits<std::int64_t>::max()
                                                          : a + std::max<std::int64_t>(b, 0);
}

// What is known before the stream is.
StreamRecord blank_record(std::string_view channel, const HistoryPolicy& policy) {
  StreamRecord record;
  record.channel = channel;
  record.ttl_ms = policy.ttl_ms;
  record.meta_ttl_ms = policy.meta_ttl_ms;
  return record;
}

}  // namespace

LogBroker::LogBroker(core::LogMemory& memory, BrokerSink& sink, const LogBrokerOptions& options,
                     BrokerMetrics* metrics, BrokerClock clock)
    : clock_(std::move(clock)),
      sink_(sink),
      metrics_(metrics),
      log_(memory),
      streams_(log_, now_ms()),
      presence_(log_.salt()),
      users_(log_.salt(), options.presence_grace_ms,
             [this](std::string_view user, std::string_view client, bool online) {
               sink_.on_user_status(user, client, online);
             }),
      join_leave_cap_(log_.salt()) {}

// --- Publishing.

void LogBroker::publish(const PublishRequest& request, const Done<PublishResult>& done) {
  PublishResult result;
  const bool logged = request.history.on() || !request.idempotency_key.empty();
  if (logged) result = order(request);
  if (result.error == BrokerError::none && !result.suppressed) {
    Publication publication = request.publication;
    publication.offset = result.position.offset;
    metrics_->publications[request.history.on() ? 0 : 1].add();
    sink_.on_publication(request.channel, publication, result.position, request.exclude_users,
                         request.exclude_clients);
  }
  done(result);
}

PublishResult LogBroker::order(const PublishRequest& request) {
  const std::int64_t now = now_ms();
  PublicationRecord record{blank_record(request.channel, request.history), std::nullopt};
  if (!request.idempotency_key.empty()) {
    record.key = key_of(log_.salt(), request.channel, request.idempotency_key);
    if (const auto* const earlier = results_.find(*record.key, now)) {
      metrics_->suppressed[0].add();
      return {BrokerError::none, decode_at(earlier->place).result->position, true};
    }
  }
  const std::size_t bytes =
      request.history.on() ? publication_bytes(record, request) + kVersionBytes : result_bytes();
  if (!find_room(std::max(bytes, result_bytes()))) {
    metrics_->refused.add();
    return {BrokerError::no_room, {}, false};
  }
  if (request.history.on()) return order_kept(request, record, now);
  keep_result({*record.key, now, {}});
  return {};
}

PublishResult LogBroker::order_kept(const PublishRequest& request, PublicationRecord& record,
                                    std::int64_t now) {
  const std::uint64_t hash = streams_.hash(request.channel);
  Stream* stream = live_stream(hash, request.channel, now);
  if (outdated(request, stream)) {
    metrics_->suppressed[1].add();
    if (record.key) keep_result({*record.key, now, stream->position()});
    return {BrokerError::none, stream->position(), true};
  }
  if (request.version > 0) {
    record.stream.version = request.version;
    record.stream.version_epoch_hash = core::siphash64(log_.salt(), request.version_epoch);
  } else if (stream != nullptr && stream->versioned) {
    const StreamRecord last = decode_at(stream->state).stream;
    record.stream.version = last.version;
    record.stream.version_epoch_hash = last.version_epoch_hash;
  }
  if (stream == nullptr) stream = &begin_stream(hash);
  append(*stream, request, record, now);
  return {BrokerError::none, stream->position(), false};
}

bool LogBroker::outdated(const PublishRequest& request, const Stream* stream) const {
  if (request.version == 0 || stream == nullptr || !stream->versioned) return false;
  const StreamRecord last = decode_at(stream->state).stream;
  if (request.version > last.version) return false;
  return request.version_epoch.empty() ||
         core::siphash64(log_.salt(), request.version_epoch) == last.version_epoch_hash;
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

void LogBroker::keep_result(const ResultRecord& result) {
  core::LogPlace place = core::kNoPlace;
  encode_result(log_.stage(raw(RecordKind::result), result_bytes(), &place), result);
  log_.commit();
  remember(result.key, result.time_ms, place);
}

// An older answer of the same key, whose time is over but which nobody has removed yet, goes.
void LogBroker::remember(const KeyHash& key, std::int64_t time, core::LogPlace place) {
  core::LogPlace replaced = core::kNoPlace;
  if (ResultTable::Entry* const entry = results_.find(key)) {
    replaced = entry->place;
    results_.erase(*entry);
  }
  results_.insert(key, time, place);
  metrics_->results.set(results_.count());
  if (replaced != core::kNoPlace) release(stream_of(replaced), replaced);
}

// --- Streams.

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

void LogBroker::history(const HistoryRequest& request, const Done<HistoryResult>& done) {
  const std::int64_t now = now_ms();
  StreamRecord record = blank_record(request.channel, request.history);
  const bool room = find_room(state_bytes(record) + kVersionBytes);
  const std::uint64_t hash = streams_.hash(request.channel);
  Stream* stream = live_stream(hash, request.channel, now);
  HistoryResult result;
  if (stream == nullptr && !room) {
    result.error = BrokerError::no_room;
    metrics_->refused.add();
    return done(result);
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
  if (result.wrong_epoch || request.limit == 0) return done(result);

  // `done` may ask again: that one gets a reader of its own.
  PublicationReader reader = std::exchange(reader_, {});
  read_range(*stream, request, reader);
  result.publications = reader.finish();
  {
    const Pin pin(pins_);
    done(result);
  }
  reader.clear();
  reader_ = std::move(reader);
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

void LogBroker::read_range(const Stream& stream, const HistoryRequest& request,
                           PublicationReader& reader) const {
  std::uint64_t left = request.limit < 0 ? std::numeric_limits<std::uint64_t>::max()
                                         : static_cast<std::uint64_t>(request.limit);
  left = std::min<std::uint64_t>(left, stream.kept.count());
  if (left == 0) return;
  const std::uint64_t oldest = stream.kept.oldest();
  const std::uint64_t newest = stream.kept.newest();
  const auto add = [&](std::uint64_t offset) {
    SPATE_CHECK(reader.add(log_.read(stream.kept.at(offset))));
  };
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

// --- Presence and users.

void LogBroker::add_presence(std::string_view channel, const ClientInfo& info) {
  presence_.add(channel, info);
  metrics_->presence.set(presence_.entries());
}

void LogBroker::remove_presence(std::string_view channel, std::string_view client) {
  presence_.remove(channel, client);
  metrics_->presence.set(presence_.entries());
}

void LogBroker::presence(std::string_view channel,
                         const Done<std::span<const PresenceEntry>>& done) {
  presence_.list(channel, done);
}

void LogBroker::presence_stats(std::string_view channel, const Done<PresenceStats>& done) {
  done(presence_.stats(channel));
}

void LogBroker::publish_join(std::string_view channel, const ClientInfo& info) {
  if (join_leave_cap_.pass(channel, clock_.monotonic_ns()))
    sink_.on_join(channel, info);
  else
    metrics_->joins_leaves_dropped.add();
}

void LogBroker::publish_leave(std::string_view channel, const ClientInfo& info) {
  if (join_leave_cap_.pass(channel, clock_.monotonic_ns()))
    sink_.on_leave(channel, info);
  else
    metrics_->joins_leaves_dropped.add();
}

void LogBroker::user_connected(std::string_view user, std::string_view client) {
  users_.connected(user, client, clock_.wall_ms());
  metrics_->users_online.set(users_.online());
}

void LogBroker::user_gone(std::string_view user, std::string_view client) {
  users_.gone(user, client, now_ms(), clock_.wall_ms());
  metrics_->users_online.set(users_.online());
}

void LogBroker::user_status(std::string_view user, const Done<UserStatus>& done) {
  done(users_.status(user));
}

void LogBroker::tick(std::int64_t now_ns) {
  const std::int64_t now = now_ns / 1'000'000;
  users_.advance(now, clock_.wall_ms());
  metrics_->users_online.set(users_.online());
  join_leave_cap_.advance(now_ns);
  streams_.advance(now, [&](Stream& stream) {
    if (expire(stream, now)) streams_.arm(stream, now);
  });
  expire_results(now);
  tidy();
}

}  // namespace spate::handlers::hub
