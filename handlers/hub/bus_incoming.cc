// What comes to a worker over the bus: events and replies in one order, questions of others, and a
// broker that knows nobody.
#include <algorithm>
#include <utility>

#include "handlers/hub/bus_broker.h"
#include "handlers/hub/bus_server.h"

namespace spate::handlers::hub {

using core::RingRead;

namespace {

constexpr std::uint32_t kMaxTries = 5;  // of reading what moves in the log meanwhile

}  // namespace

bool BusBroker::drain(std::size_t most_bytes) {
  std::size_t taken = 0;
  bool more = true;
  while (more && taken < most_bytes) {
    more = false;
    // Replies are looked at after this: none of those in front of these events can be missed.
    const std::uint64_t events_to = events_.head();
    while (taken < most_bytes) {
      core::RingRecord record;
      if (replies_.peek(record) == RingRead::record) {
        BusParser parser(record.payload);
        const auto at = parser.number<std::uint64_t>();
        if (at <= events_.cursor()) {
          take_reply(record);
          taken += record.end - record.begin;
          more = true;
          continue;
        }
        if (events_.cursor() >= events_to) {
          more = true;  // it is about events that came meanwhile
          break;
        }
      }
      if (events_.cursor() >= events_to) break;
      const std::uint64_t before = events_.cursor();
      const RingRead read =
          events_.next(record, event_.get(), [&](std::uint8_t kind, std::uint64_t hash) {
            return kind == raw_kind(BusEvent::started) || view_.interested(slot_, hash);
          });
      if (read != RingRead::record) {
        metrics_->laps.add();
        words_.laps.store(words_.laps.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
        events_.skip_to_head();
        lost_to_ = events_.cursor();
        home_.on_lost();
        // One of them may have said that another broker has started.
        started(view_.broker().generation.load());
        more = true;
        break;
      }
      look_at_numbers(record);
      if (!record.payload.empty()) take_event(record);
      tell_current();
      taken += events_.cursor() - before;
      more = true;
    }
  }
  tell_current();
  words_.event_cursor.store(events_.cursor(), std::memory_order_release);
  // There may be more of it, which waits for what we have read.
  if (std::exchange(took_unasked_, false)) view_.wake_broker();
  write_waiting();
  announce_more();
  return more;
}

void BusBroker::tell_current() {
  while (!not_current_.empty() && not_current_.front().first <= events_.cursor()) {
    const auto done = std::move(not_current_.front().second);
    not_current_.pop_front();
    done();
  }
}

bool BusBroker::may_sleep() {
  view_.wake_word(slot_).arm();
  core::RingRecord record;
  if (events_.cursor() == events_.head() && replies_.peek(record) == RingRead::nothing) return true;
  view_.wake_word(slot_).disarm();
  return false;
}

// How many were lost shows when the next one comes.
void BusBroker::look_at_numbers(const core::RingRecord& record) {
  if (any_event_ && record.number > next_event_) {
    const std::uint64_t lost = record.number - next_event_;
    metrics_->events_lost.add(lost);
    words_.events_lost.store(words_.events_lost.load(std::memory_order_relaxed) + lost,
                             std::memory_order_relaxed);
  }
  any_event_ = true;
  next_event_ = record.number + 1;
}

void BusBroker::take_event(const core::RingRecord& record) {
  BusParser parser(record.payload);
  switch (static_cast<BusEvent>(record.kind)) {
    case BusEvent::publication: {
      const std::string_view channel = parser.text();
      const Publication publication = parser.publication(lists_.tags);
      const StreamPosition position = parser.position();
      parser.texts(lists_.exclude_users);
      parser.texts(lists_.exclude_clients);
      if (parser.done())
        sink_.on_publication(channel, publication, position, lists_.exclude_users,
                             lists_.exclude_clients);
      return;
    }
    case BusEvent::join:
    case BusEvent::leave: {
      const std::string_view channel = parser.text();
      const ClientInfo info = parser.info();
      if (!parser.done()) return;
      if (record.kind == raw_kind(BusEvent::join)) return sink_.on_join(channel, info);
      return sink_.on_leave(channel, info);
    }
    case BusEvent::started:
      // First what the one before ordered and did not say.
      home_.on_lost();
      return started(parser.number<std::uint64_t>());
  }
}

// --- A broker that knows nobody.

void BusBroker::started(std::uint64_t generation) {
  if (generation <= broker_) return;
  broker_ = generation;
  // What the last one had been asked is not known any more.
  const std::int64_t deadline_ns = monotonic_ns_() + kPatienceNs;
  for (auto& [id, question] : questions_)
    question.deadline_ns = std::min(question.deadline_ns, deadline_ns);
  announcing_ = announce_begins_ = true;
  announce_more();
}

void BusBroker::announce_more() {
  if (!announcing_ || !has_room()) return;
  if (!home_.announce(std::exchange(announce_begins_, false))) return;
  announcing_ = false;
  BusWriter(payload_).number(broker_);
  send(BusRequest::announced, 0, {});
}

// --- Replies.

void BusBroker::take_reply(const core::RingRecord& record) {
  BusParser parser(record.payload);
  const auto at = parser.number<std::uint64_t>();
  const auto kind = static_cast<BusReply>(record.kind);
  Answer answer;
  if (record.kind < raw_kind(BusReply::question)) {
    // What was asked before this and has no answer never gets one.
    while (!unanswered_.empty() && unanswered_.front().begin <= record.tag) {
      Request request = std::move(unanswered_.front());
      unanswered_.pop_front();
      reserved_ -= request.reserved;
      if (request.begin == record.tag)
        answer = std::move(request.answer);
      else
        give_up(request.answer, BrokerError::unavailable);
    }
    metrics_->waiting.set(unanswered_.size());
  }
  // The payload lies in the ring: the cursor moves when it has been taken.
  replies_.pass(record);
  // What it says of a stream holds for where the events were; some behind that have been lost.
  const bool stale = at < lost_to_;
  took_unasked_ = took_unasked_ || record.kind >= raw_kind(BusReply::question);
  take_answer(kind, parser, answer, stale);
  words_.reply_cursor.store(replies_.cursor(), std::memory_order_release);
  view_.hook().stored();
}

void BusBroker::take_answer(BusReply kind, BusParser& parser, Answer& answer, bool stale) {
  switch (kind) {
    case BusReply::published:
      if (auto* const done = std::get_if<Done<PublishResult>>(&answer)) {
        PublishResult result;
        result.error = parser.number<BrokerError>();
        result.suppressed = parser.number<std::uint8_t>() != 0;
        result.position = parser.position();
        (*done)(result);
      }
      return;
    case BusReply::history:
      if (auto* const pending = std::get_if<std::unique_ptr<HistoryPending>>(&answer))
        take_history(parser, std::move(*pending), stale);
      return;
    case BusReply::history_removed:
      if (auto* const done = std::get_if<Done<BrokerError>>(&answer))
        (*done)(parser.number<BrokerError>());
      return;
    case BusReply::presence:
      if (auto* const pending = std::get_if<std::unique_ptr<PresencePending>>(&answer))
        take_presence(parser, std::move(*pending));
      return;
    case BusReply::presence_stats:
      if (auto* const done = std::get_if<Done<PresenceStats>>(&answer))
        (*done)(parser.number<PresenceStats>());
      return;
    case BusReply::user_status:
      if (auto* const done = std::get_if<Done<UserStatus>>(&answer))
        (*done)(parser.number<UserStatus>());
      return;
    case BusReply::question:
      return take_question(parser);
    case BusReply::answer: {
      const auto found = questions_.find(parser.number<std::uint64_t>());
      if (found == questions_.end()) return;
      const auto slot = parser.number<std::uint32_t>();
      found->second.answers[slot].append(parser.text());
      return;
    }
    case BusReply::answered: {
      const auto found = questions_.find(parser.number<std::uint64_t>());
      if (found == questions_.end()) return;
      const Question question = std::move(found->second);
      questions_.erase(found);
      std::vector<std::string> answers;
      for (const auto& [slot, text] : question.answers) answers.push_back(text);
      question.heard({BrokerError::none, answers});
      return;
    }
  }
}

void BusBroker::take_history(BusParser& parser, std::unique_ptr<HistoryPending> pending,
                             bool stale) {
  if (stale) return ask_again(std::move(pending));
  HistoryResult result;
  result.error = parser.number<BrokerError>();
  result.wrong_epoch = parser.number<std::uint8_t>() != 0;
  result.top = parser.position();
  records_.clear();
  struct Copy {
    std::size_t end;
    core::RecordLog::Kind kind;
  };
  std::vector<Copy> copies;
  bool whole = true;
  for (auto left = parser.number<std::uint32_t>(); left > 0 && whole && parser.ok(); --left) {
    const auto named = parser.number<core::NamedPlace>();
    core::RecordLog::Kind kind = 0;
    whole = log_.copy(named, records_, &kind);
    copies.push_back({records_.size(), kind});
  }
  reader_.clear();
  std::size_t begin = 0;
  for (const Copy& copy : copies) {
    if (!whole) break;
    core::RecordLog::Record record;
    record.kind = copy.kind;
    record.payload = {records_.data() + begin, copy.end - begin};
    begin = copy.end;
    whole = channel_of(record) == pending->request.channel && reader_.add(record);
  }
  // The log has moved on since: asked again, it names what is there now.
  if (!whole && ++pending->tries < kMaxTries) return ask_again(std::move(pending));
  readings_.erase(pending->payload);
  if (whole)
    result.publications = reader_.finish();
  else
    result = {BrokerError::unavailable, {}, false, {}};
  // Whoever is told may ask again, and that must not touch what the others are told.
  PublicationReader reader = std::exchange(reader_, {});
  std::vector<std::byte> records = std::exchange(records_, {});
  for (const auto& done : pending->done) done(result);
  reader.clear();
  reader_ = std::move(reader);
  records_ = std::move(records);
}

void BusBroker::ask_again(std::unique_ptr<HistoryPending> pending) {
  metrics_->rereads.add();
  payload_ = pending->payload;
  const std::size_t reply_bytes = history_reply_bytes(pending->request);
  send(BusRequest::history, reply_bytes, std::move(pending));
}

void BusBroker::take_presence(BusParser& parser, std::unique_ptr<PresencePending> pending) {
  if (const auto error = parser.number<BrokerError>(); error != BrokerError::none)
    return pending->done({error, {}});
  const bool more = parser.number<std::uint8_t>() != 0;
  const auto count = parser.number<std::uint32_t>();
  std::string& page = pending->pages.emplace_back();
  BusWriter writer(page);
  writer.number(count);
  std::string_view last;
  for (std::uint32_t i = 0; i < count && parser.ok(); ++i) {
    const ClientInfo info = parser.info();
    writer.info(info);
    last = info.client;
  }
  if (more && parser.ok()) {
    BusWriter(payload_).text(pending->channel).text(last);
    return send(BusRequest::presence, BusServer::kReplyRoom + BusServer::kPresencePageBytes,
                std::move(pending));
  }
  std::vector<PresenceEntry> entries;
  for (const std::string& each : pending->pages) {
    BusParser infos(as_bytes(each));
    for (auto left = infos.number<std::uint32_t>(); left > 0; --left)
      entries.push_back({infos.info()});
  }
  pending->done({BrokerError::none, entries});
}

void BusBroker::take_question(BusParser& parser) {
  const auto generation = parser.number<std::uint64_t>();
  const auto key = parser.number<std::uint64_t>();
  const auto topic = parser.number<Topic>();
  const std::string_view question = parser.text();
  if (!parser.done()) return;
  Workers::take_question(topic, question, [this, generation, key](const std::string& answer) {
    send_answer(generation, key, answer);
  });
}

void BusBroker::send_answer(std::uint64_t generation, std::uint64_t key, std::string_view answer) {
  for (bool last = false; !last;) {
    const std::string_view piece = answer.substr(0, kAnswerPieceBytes);
    answer.remove_prefix(piece.size());
    last = answer.empty();
    BusWriter(payload_)
        .number(generation)
        .number(key)
        .number(static_cast<std::uint8_t>(last))
        .text(piece);
    send(BusRequest::answer, 0, {});
  }
}

}  // namespace spate::handlers::hub
