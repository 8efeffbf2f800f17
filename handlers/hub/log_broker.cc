// Nothing here moves or frees what is in the log but find_room() and tick(). So a request asks for
// room first, for the largest record that may come of it, and looks up its stream afterwards.
#include "handlers/hub/log_broker.h"

#include <algorithm>
#include <utility>

namespace spate::handlers::hub {

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
               on_user_status(user, client, online);
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
    const bool too_large = !log_.can_hold(bytes);
    metrics_->refused[too_large ? 1 : 0].add();
    return {too_large ? BrokerError::too_large : BrokerError::no_room, {}, false};
  }
  if (request.history.on()) return order_kept(request, record, now);
  keep_result({*record.key, now, {}}, false);
  return {};
}

PublishResult LogBroker::order_kept(const PublishRequest& request, PublicationRecord& record,
                                    std::int64_t now) {
  const std::uint64_t hash = streams_.hash(request.channel);
  Stream* stream = live_stream(hash, request.channel, now);
  if (outdated(request, stream)) {
    metrics_->suppressed[1].add();
    if (record.key) keep_result({*record.key, now, stream->position()}, true);
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

void LogBroker::keep_result(const ResultRecord& result, bool suppressed) {
  core::LogPlace place = core::kNoPlace;
  encode_result(log_.stage(raw(RecordKind::result), result_bytes(), &place), result);
  if (before_commit_) before_commit_({BrokerError::none, result.position, suppressed});
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

// --- Presence and users.

void LogBroker::add_presence_of(std::uint32_t owner, std::string_view channel,
                                const ClientInfo& info, bool tells_leave) {
  presence_.add(channel, info, {.slot = owner & 0x7FFFFFFF, .tells_leave = tells_leave});
  metrics_->presence.set(presence_.entries());
}

void LogBroker::remove_presence(std::string_view channel, std::string_view client) {
  presence_.remove(channel, client);
  metrics_->presence.set(presence_.entries());
}

void LogBroker::remove_presence_of(std::uint32_t owner, const Removed& removed) {
  presence_.remove_owner(owner, removed);
  metrics_->presence.set(presence_.entries());
}

void LogBroker::presence(std::string_view channel, const Done<PresenceResult>& done) {
  presence_.list(channel, [&](std::span<const PresenceEntry> entries) {
    done({BrokerError::none, entries});
  });
}

void LogBroker::presence_stats(std::string_view channel, const Done<PresenceStats>& done) {
  done(presence_.stats(channel));
}

void LogBroker::publish_join(std::string_view channel, const ClientInfo& info) {
  if (!join_leave_cap_.pass(channel, clock_.monotonic_ns()))
    return metrics_->count_join(PresenceEvent::dropped);
  sink_.on_join(channel, info);
  metrics_->count_join(PresenceEvent::told);
}

void LogBroker::publish_leave(std::string_view channel, const ClientInfo& info) {
  if (!join_leave_cap_.pass(channel, clock_.monotonic_ns()))
    return metrics_->count_leave(PresenceEvent::dropped);
  sink_.on_leave(channel, info);
  metrics_->count_leave(PresenceEvent::told);
}

void LogBroker::user_connected(std::string_view user, std::string_view client, std::uint32_t) {
  users_.connected(user, client, clock_.wall_ms());
  metrics_->users_online.set(users_.online());
}

void LogBroker::user_gone(std::string_view user, std::string_view client, std::uint32_t) {
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
