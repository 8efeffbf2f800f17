#include "handlers/hub/bus_server.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/log_reader.h"

namespace spate::handlers::hub {

using core::RingRead;

namespace {

// Of one slot, before the next one is looked at.
constexpr std::size_t kTurnRequests = 64;

}  // namespace

BusServer::BusServer(core::BusView& view, core::LogMemory& memory, Options options,
                     BrokerMetrics* broker_metrics, BusMetrics* metrics, BrokerClock clock)
    : view_(view),
      memory_(memory),
      options_(std::move(options)),
      clock_(clock),
      broker_metrics_(broker_metrics),
      metrics_(metrics),
      broker_(memory, *this, options_.log, broker_metrics_.operator->(), std::move(clock)),
      events_(view.events_writer()) {
  for (std::uint32_t i = 0; i < view_.slot_count(); ++i)
    slots_.push_back(std::make_unique<Slot>(view_.requests_reader(i), view_.replies_writer(i)));
  broker_.set_before_commit(
      [this](const PublishResult& result) { intend(core::BusIntent::Commits::log, result); });
}

BusServer::~BusServer() = default;

// --- Serving.

bool BusServer::serve(std::size_t most_requests) {
  std::size_t left = most_requests;
  bool more = false;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const auto index = static_cast<std::uint32_t>((next_slot_ + i) % slots_.size());
    more = serve_slot(index, left) || more;
    tell_queued(index);
  }
  next_slot_ = static_cast<std::uint32_t>((next_slot_ + 1) % slots_.size());
  wake_those_behind();
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (std::exchange(slots_[i]->wake, false)) view_.wake(i);
  return more;
}

// Whether more waits.
bool BusServer::serve_slot(std::uint32_t index, std::size_t& left) {
  Slot& slot = *slots_[index];
  core::BusServedWords& words = view_.served(index);
  std::size_t turn = std::min(left, kTurnRequests);
  core::RingRecord record;
  for (;; --turn, --left) {
    const RingRead read = slot.requests.peek(record);
    if (read == RingRead::nothing) {
      // All that the last process there has left is served.
      const std::uint64_t ended = view_.generations(index).ended.load(std::memory_order_acquire);
      if (slot.generation != 0 && slot.generation <= ended &&
          slot.requests.cursor() == slot.requests.head())
        end_generation(index, 0);
      return false;
    }
    if (read != RingRead::record) {
      core::log::error("a worker's requests cannot be read: they are passed over",
                       {{"worker", index}});
      slot.requests.skip_to_head();
      words.request_cursor.store(slot.requests.cursor(), std::memory_order_release);
      return false;
    }
    if (turn == 0) return true;
    if (record.tag != slot.generation) end_generation(index, record.tag);
    in_hand_ = {&slot, index, record, false};
    handle(record);
    in_hand_ = {};
    slot.requests.pass(record);
    words.request_cursor.store(record.end, std::memory_order_release);
    view_.hook().stored();
    metrics_->requests.add();
  }
}

void BusServer::handle(const core::RingRecord& record) {
  BusParser parser(record.payload);
  switch (static_cast<BusRequest>(record.kind)) {
    case BusRequest::publish:
      return publish(parser);
    case BusRequest::history:
      return history(parser);
    case BusRequest::remove_history: {
      BrokerError error = BrokerError::none;
      broker_.remove_history(parser.text(), [&](BrokerError given) { error = given; });
      return reply(BusReply::history_removed, BusWriter(payload_).number(error));
    }
    case BusRequest::presence:
      return presence(parser);
    case BusRequest::presence_stats: {
      PresenceStats stats;
      stats.error = BrokerError::unavailable;
      if (!syncing_)
        broker_.presence_stats(parser.text(), [&](const PresenceStats& given) { stats = given; });
      return reply(BusReply::presence_stats, BusWriter(payload_).number(stats));
    }
    case BusRequest::user_status: {
      UserStatus status;
      status.error = BrokerError::unavailable;
      if (!syncing_)
        broker_.user_status(parser.text(), [&](const UserStatus& given) { status = given; });
      return reply(BusReply::user_status, BusWriter(payload_).number(status));
    }
    case BusRequest::hello:
      return;
    case BusRequest::announced:
      in_hand_.slot->announced = parser.number<std::uint64_t>();
      return check_synced();
    case BusRequest::add_presence: {
      const bool tells_leave = parser.number<std::uint8_t>() != 0;
      const std::string_view channel = parser.text();
      return broker_.add_presence_of(in_hand_.index, channel, parser.info(), tells_leave);
    }
    case BusRequest::remove_presence: {
      const std::string_view channel = parser.text();
      return broker_.remove_presence(channel, parser.text());
    }
    case BusRequest::join: {
      const std::string_view channel = parser.text();
      return join(channel, parser.info());
    }
    case BusRequest::leave: {
      const std::string_view channel = parser.text();
      return leave(in_hand_.index, channel, parser.info());
    }
    case BusRequest::user:
      return user(parser);
    case BusRequest::question:
      return question(parser);
    case BusRequest::answer:
      return answer(parser);
  }
}

void BusServer::publish(BusParser& parser) {
  const PublishRequest request = parse_publish(parser, lists_);
  if (!parser.done()) return reply_published({BrokerError::too_large, {}, false});
  broker_.publish(request, [this](const PublishResult& result) { reply_published(result); });
}

void BusServer::history(BusParser& parser) {
  HistoryRequest request = parse_history(parser);
  // As much as the asker has kept room for.
  if (request.limit < 0) request.limit = kMaxPlaces;
  request.limit = std::min({request.limit, static_cast<std::int64_t>(kMaxPlaces),
                            static_cast<std::int64_t>(request.history.size)});
  places_.clear();
  const HistoryResult result = broker_.locate(request, places_);
  BusWriter writer(payload_);
  writer.number(events_.head())
      .number(result.error)
      .number(static_cast<std::uint8_t>(result.wrong_epoch))
      .position(result.top)
      .number(static_cast<std::uint32_t>(places_.size()));
  for (const core::LogPlace place : places_) writer.number(core::LogReader::name(memory_, place));
  in_hand_.slot->replies.append(raw_kind(BusReply::history), in_hand_.record.begin, writer.bytes());
  in_hand_.slot->wake = true;
}

// A page: in the order of the clients' ids, from behind the one that the last page ended with.
void BusServer::presence(BusParser& parser) {
  const std::string_view channel = parser.text();
  const std::string_view after = parser.text();
  BusWriter writer(payload_);
  writer.number(events_.head());
  if (syncing_) {
    writer.number(BrokerError::unavailable);
  } else {
    broker_.presence(channel, [&](const PresenceResult& result) {
      std::vector<PresenceEntry> entries;
      for (const PresenceEntry& entry : result.entries)
        if (entry.info.client > after) entries.push_back(entry);
      std::ranges::sort(entries, {}, [](const PresenceEntry& entry) { return entry.info.client; });
      const auto bytes_of = [](const ClientInfo& info) {
        return 16 + info.user.size() + info.client.size() + info.conn_info.size() +
               info.chan_info.size();
      };
      std::size_t count = 0;
      for (std::size_t bytes = 0; count < entries.size(); ++count) {
        ClientInfo& info = entries[count].info;
        // What would fill a page by itself is not what anybody looks at in a list.
        if (bytes_of(info) > kPresencePageBytes) info.conn_info = info.chan_info = {};
        bytes += bytes_of(info);
        if (bytes > kPresencePageBytes) break;
      }
      writer.number(BrokerError::none)
          .number(static_cast<std::uint8_t>(count < entries.size()))
          .number(static_cast<std::uint32_t>(count));
      for (std::size_t i = 0; i < count; ++i) writer.info(entries[i].info);
    });
  }
  in_hand_.slot->replies.append(raw_kind(BusReply::presence), in_hand_.record.begin,
                                writer.bytes());
  in_hand_.slot->wake = true;
}

// `payload` begins with where the events are: what is answered holds from there on.
void BusServer::reply(BusReply kind, BusWriter& payload) {
  std::string framed;
  BusWriter writer(framed);
  writer.number(events_.head());
  framed.append(as_text(payload.bytes()));
  in_hand_.slot->replies.append(raw_kind(kind), in_hand_.record.begin, as_bytes(framed));
  in_hand_.slot->wake = true;
}

void BusServer::reply_published(const PublishResult& result) {
  BusWriter writer(payload_);
  writer.number(events_.head())
      .number(result.error)
      .number(static_cast<std::uint8_t>(result.suppressed))
      .position(result.position);
  in_hand_.slot->replies.append(raw_kind(BusReply::published), in_hand_.record.begin,
                                writer.bytes());
  view_.hook().stored();
  in_hand_.slot->wake = true;
}

// --- Joins and leaves.

void BusServer::join(std::string_view channel, const ClientInfo& info) {
  auto& joined = view_.served(in_hand_.index).joined;
  joined.store(joined.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (syncing_) return broker_.metrics().count_join(PresenceEvent::suppressed);
  broker_.publish_join(channel, info);
}

void BusServer::leave(std::uint32_t index, std::string_view channel, const ClientInfo& info) {
  auto& joined = view_.served(index).joined;
  joined.store(joined.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  if (syncing_) return broker_.metrics().count_leave(PresenceEvent::suppressed);
  broker_.publish_leave(channel, info);
}

// --- Users.

void BusServer::user(BusParser& parser) {
  const std::string_view user = parser.text();
  const std::string_view client = parser.text();
  set_connections(in_hand_.index, user, client, parser.number<std::uint32_t>());
}

// A worker says how many there are, not that one came or went: said twice it changes nothing.
void BusServer::set_connections(std::uint32_t index, std::string_view user, std::string_view client,
                                std::uint32_t count) {
  auto& users = slots_[index]->users;
  const auto found = users.find(std::string(user));
  const std::uint32_t before = found == users.end() ? 0 : found->second;
  if (count == 0 && found != users.end()) users.erase(found);
  if (count > 0) users[std::string(user)] = count;
  for (std::uint32_t i = before; i < count; ++i) broker_.user_connected(user, client, count);
  for (std::uint32_t i = count; i < before; ++i) broker_.user_gone(user, client, count);
}

void BusServer::on_user_status(std::string_view user, std::string_view client, bool online) {
  if (options_.on_user) options_.on_user(user, client, online);
}

// --- Events.

void BusServer::on_publication(std::string_view channel, const Publication& publication,
                               StreamPosition position,
                               std::span<const std::string_view> exclude_users,
                               std::span<const std::string_view> exclude_clients) {
  BusWriter(event_)
      .text(channel)
      .publication(publication)
      .position(position)
      .texts(exclude_users)
      .texts(exclude_clients);
  emit(BusEvent::publication, channel, core::siphash64(view_.header().key, channel));
}

void BusServer::on_join(std::string_view channel, const ClientInfo& info) {
  BusWriter(event_).text(channel).info(info);
  emit(BusEvent::join, channel, core::siphash64(view_.header().key, channel));
}

void BusServer::on_leave(std::string_view channel, const ClientInfo& info) {
  BusWriter(event_).text(channel).info(info);
  emit(BusEvent::leave, channel, core::siphash64(view_.header().key, channel));
}

void BusServer::emit(BusEvent kind, std::string_view, std::uint64_t hash) {
  // Of a request that has committed nothing yet this is what it commits.
  if (in_hand_.slot != nullptr && !in_hand_.intended) intend(core::BusIntent::Commits::events, {});
  events_.append(raw_kind(kind), hash, as_bytes(event_));
  metrics_->events.add();
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    slots_[i]->wake = slots_[i]->wake || kind == BusEvent::started || view_.interested(i, hash);
}

// Who is not interested in anything is left to sleep, but not until it is lapped.
void BusServer::wake_those_behind() {
  const std::uint64_t head = events_.head();
  const std::uint64_t step = events_.capacity() / 16;
  if (head - looked_behind_ < step) return;
  looked_behind_ = head;
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (head - view_.worker(i).event_cursor.load(std::memory_order_relaxed) > 4 * step)
      slots_[i]->wake = true;
}

bool BusServer::may_sleep() {
  view_.broker_wake_word().arm();
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const core::BusGenerations& generations = view_.generations(i);
    const Slot& slot = *slots_[i];
    const bool ended = slot.generation != 0 && slot.generation <= generations.ended.load();
    if (slot.requests.cursor() == slot.requests.head() && !ended && !can_tell(i)) continue;
    view_.broker_wake_word().disarm();
    return false;
  }
  return true;
}

void BusServer::tick(std::int64_t now_ns) {
  check_synced();
  for (auto at = questions_.begin(); at != questions_.end();) {
    const auto next = std::next(at);
    if (now_ns - at->second.asked_ns > kQuestionPatienceNs) questions_.erase(at);
    at = next;
  }
  // Who was online before and has not been announced yet has not gone.
  if (!syncing_) broker_.tick(now_ns);
  metrics_->syncing.set(syncing_ ? 1 : 0);
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (std::exchange(slots_[i]->wake, false)) view_.wake(i);
}

}  // namespace spate::handlers::hub
