#include "handlers/hub/bus_broker.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "handlers/hub/bus_server.h"

namespace spate::handlers::hub {

using core::RingRead;

namespace {

// Interest is told again when so many channels have gone since the last time.
constexpr std::size_t kMaxUnfollowed = core::BusWorkerWords::kInterestBits / 16;

template <typename... Each>
struct Overloaded : Each... {
  using Each::operator()...;
};
template <typename... Each>
Overloaded(Each...) -> Overloaded<Each...>;

}  // namespace

BusBroker::BusBroker(core::BusView& view, std::uint32_t slot, const core::LogMemory& log,
                     BrokerSink& sink, Home home, BusMetrics* metrics,
                     std::function<std::int64_t()> monotonic_ns)
    : view_(view),
      slot_(slot),
      log_(log),
      sink_(sink),
      home_(std::move(home)),
      metrics_(metrics),
      monotonic_ns_(std::move(monotonic_ns)),
      words_(view.worker(slot)),
      requests_(view.requests_writer(slot)),
      replies_(view.replies_reader(slot)),
      events_(view.events_reader()),
      event_(std::make_unique_for_overwrite<std::byte[]>(view.event_bytes())),
      generation_(view.generations(slot).born.load()) {}

// Who waits for an answer may say something when it hears that none will come.
BusBroker::~BusBroker() {
  closed_ = true;
  const auto unanswered = std::exchange(unanswered_, {});
  const auto waiting = std::exchange(waiting_, {});
  const auto questions = std::exchange(questions_, {});
  const auto not_current = std::exchange(not_current_, {});
}

void BusBroker::open() {
  for (auto& word : words_.interest) word.store(0, std::memory_order_relaxed);
  replies_.skip_to_head();
  events_.skip_to_head();
  words_.reply_cursor.store(replies_.cursor(), std::memory_order_release);
  words_.event_cursor.store(events_.cursor(), std::memory_order_release);
  view_.hook().stored();
  BusWriter(payload_).number(generation_);
  send(BusRequest::hello, 0, {});
  // Nobody is here yet. Should it not have begun, an event will say when it does.
  if (const std::uint64_t broker = view_.broker().generation.load(); broker != 0) started(broker);
}

// --- Asking.

// Room for a place of each publication that may be told.
std::size_t BusBroker::history_reply_bytes(const HistoryRequest& request) {
  std::int64_t most = BusServer::kMaxPlaces;
  if (request.limit >= 0) most = std::min(most, request.limit);
  most = std::min<std::int64_t>(most, request.history.size);
  return BusServer::kReplyRoom + static_cast<std::size_t>(most) * sizeof(core::NamedPlace);
}

// payload_ is what is sent.
void BusBroker::send(BusRequest kind, std::size_t reply_bytes, Answer answer) {
  if (closed_) return;
  Request request{0, monotonic_ns_() + kPatienceNs,
                  reply_bytes == 0 ? 0 : core::ring_record_bytes(reply_bytes), std::move(answer)};
  if (core::ring_record_bytes(payload_.size()) > requests_.capacity() / 2)
    return give_up(request.answer, BrokerError::too_large);
  if (waiting_.empty() && write(kind, as_bytes(payload_), request)) return;
  if (waiting_bytes_ + payload_.size() > kMaxWaitingBytes && request.reserved > 0)
    return give_up(request.answer, BrokerError::unavailable);
  metrics_->overflows.add();
  waiting_bytes_ += payload_.size();
  waiting_.push_back({kind, payload_, std::move(request)});
}

// False: there is no room, in the ring or for the reply.
bool BusBroker::write(BusRequest kind, ConstBytes payload, Request& request) {
  const std::uint64_t read = view_.served(slot_).request_cursor.load(std::memory_order_acquire);
  if (requests_.room(read) < core::ring_record_bytes(payload.size())) return false;
  // What nobody has asked for comes through the same ring, and an answer that is repeated.
  const std::size_t ours = view_.reply_bytes() - BusServer::kUnaskedBytes - 4096;
  if (reserved_ + request.reserved > ours) return false;
  request.begin = requests_.append(raw_kind(kind), generation_, payload);
  reserved_ += request.reserved;
  if (request.reserved > 0) unanswered_.push_back(std::move(request));
  metrics_->waiting.set(unanswered_.size());
  view_.wake_broker();
  return true;
}

void BusBroker::write_waiting() {
  if (waiting_.empty()) return;
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    if (!write(next.kind, as_bytes(next.payload), next.request)) return;
    waiting_bytes_ -= next.payload.size();
    waiting_.pop_front();
  }
  if (on_room) on_room();
}

void BusBroker::publish(const PublishRequest& request, const Done<PublishResult>& done) {
  BusWriter writer(payload_);
  write_publish(writer, request);
  send(BusRequest::publish, BusServer::kReplyRoom, done);
}

void BusBroker::history(const HistoryRequest& request, const Done<HistoryResult>& done) {
  BusWriter writer(payload_);
  write_history(writer, request);
  // The same question, not answered yet: whoever asks now has seen no event behind its answer.
  if (const auto found = readings_.find(payload_); found != readings_.end()) {
    metrics_->shared_readings.add();
    found->second->done.push_back(done);
    return;
  }
  auto pending = std::make_unique<HistoryPending>();
  pending->payload = payload_;
  BusParser parser(as_bytes(pending->payload));
  pending->request = parse_history(parser);
  pending->done.push_back(done);
  readings_.emplace(pending->payload, pending.get());
  send(BusRequest::history, history_reply_bytes(request), std::move(pending));
}

void BusBroker::when_current(std::function<void()> done) {
  if (current()) return done();
  not_current_.emplace_back(events_.head(), std::move(done));
  // Nobody wakes us for events that nobody here was interested in.
  view_.wake(slot_);
}

void BusBroker::remove_history(std::string_view channel, const Done<BrokerError>& done) {
  BusWriter(payload_).text(channel);
  send(BusRequest::remove_history, BusServer::kReplyRoom, done);
}

void BusBroker::presence(std::string_view channel, const Done<PresenceResult>& done) {
  auto pending = std::make_unique<PresencePending>();
  pending->channel = channel;
  pending->done = done;
  BusWriter(payload_).text(channel).text({});
  send(BusRequest::presence, BusServer::kReplyRoom + BusServer::kPresencePageBytes,
       std::move(pending));
}

void BusBroker::presence_stats(std::string_view channel, const Done<PresenceStats>& done) {
  BusWriter(payload_).text(channel);
  send(BusRequest::presence_stats, BusServer::kReplyRoom, done);
}

void BusBroker::user_status(std::string_view user, const Done<UserStatus>& done) {
  BusWriter(payload_).text(user);
  send(BusRequest::user_status, BusServer::kReplyRoom, done);
}

// --- Saying.

void BusBroker::add_presence(std::string_view channel, const ClientInfo& info, bool tells_leave) {
  BusWriter(payload_).number(static_cast<std::uint8_t>(tells_leave)).text(channel).info(info);
  send(BusRequest::add_presence, 0, {});
}

void BusBroker::remove_presence(std::string_view channel, std::string_view client) {
  BusWriter(payload_).text(channel).text(client);
  send(BusRequest::remove_presence, 0, {});
}

void BusBroker::publish_join(std::string_view channel, const ClientInfo& info) {
  BusWriter(payload_).text(channel).info(info);
  send(BusRequest::join, 0, {});
}

void BusBroker::publish_leave(std::string_view channel, const ClientInfo& info) {
  BusWriter(payload_).text(channel).info(info);
  send(BusRequest::leave, 0, {});
}

void BusBroker::user_connected(std::string_view user, std::string_view client,
                               std::uint32_t connections) {
  BusWriter(payload_).text(user).text(client).number(connections);
  send(BusRequest::user, 0, {});
}

void BusBroker::user_gone(std::string_view user, std::string_view client,
                          std::uint32_t connections) {
  user_connected(user, client, connections);
}

// --- Interest.

void BusBroker::follow(std::string_view channel) {
  set_interest(channel);
}

void BusBroker::set_interest(std::string_view channel) {
  const std::uint64_t bit =
      core::siphash64(view_.header().key, channel) % core::BusWorkerWords::kInterestBits;
  auto& word = words_.interest[bit / 64];
  word.store(word.load(std::memory_order_relaxed) | std::uint64_t{1} << bit % 64,
             std::memory_order_seq_cst);
}

void BusBroker::unfollow(std::string_view) {
  ++unfollowed_;
}

// A bit may be several channels'. So none is cleared until all are computed anew.
void BusBroker::tell_interest_again() {
  unfollowed_ = 0;
  std::vector<std::uint64_t> words(words_.interest.size());
  home_.each_channel([&](std::string_view channel) {
    const std::uint64_t bit =
        core::siphash64(view_.header().key, channel) % core::BusWorkerWords::kInterestBits;
    words[bit / 64] |= std::uint64_t{1} << bit % 64;
  });
  for (std::size_t i = 0; i < words.size(); ++i)
    words_.interest[i].store(words[i], std::memory_order_relaxed);
}

// --- Questions.

void BusBroker::ask_all(Topic topic, std::string_view question, const Heard& heard) {
  question_to(kEveryWorker, topic, question, heard);
}

void BusBroker::ask(std::uint32_t slot, Topic topic, std::string_view question,
                    const Heard& heard) {
  question_to(slot, topic, question, heard);
}

void BusBroker::question_to(std::uint32_t slot, Topic topic, std::string_view question,
                            const Heard& heard) {
  if (question.size() > kMaxQuestionBytes) return heard({BrokerError::too_large, {}});
  const std::uint64_t id = next_question_++;
  questions_.emplace(id, Question{heard, {}, monotonic_ns_() + kQuestionPatienceNs});
  BusWriter(payload_).number(id).number(slot).number(topic).text(question);
  send(BusRequest::question, 0, {});
}

// --- Time.

void BusBroker::tick(std::int64_t now_ns) {
  expire(now_ns);
  if (unfollowed_ > kMaxUnfollowed) tell_interest_again();
  write_waiting();
  announce_more();
  words_.waiting.store(unanswered_.size() + waiting_.size(), std::memory_order_relaxed);
}

// They stay where they are: the room for their replies is used when these come.
void BusBroker::expire(std::int64_t now_ns) {
  std::vector<Answer> late;
  for (Request& request : unanswered_) {
    if (request.deadline_ns > now_ns) break;
    if (request.answer.index() != 0) late.push_back(std::exchange(request.answer, {}));
  }
  for (Waiting& each : waiting_) {
    if (each.request.deadline_ns > now_ns) break;
    if (each.request.answer.index() != 0) late.push_back(std::exchange(each.request.answer, {}));
  }
  std::vector<Heard> unheard;
  for (auto at = questions_.begin(); at != questions_.end();) {
    if (at->second.deadline_ns > now_ns) {
      ++at;
      continue;
    }
    unheard.push_back(std::move(at->second.heard));
    at = questions_.erase(at);
  }
  metrics_->unanswered.add(late.size() + unheard.size());
  for (Answer& answer : late) give_up(answer, BrokerError::unavailable);
  for (const Heard& heard : unheard) heard({BrokerError::unavailable, {}});
}

void BusBroker::give_up(Answer& answer, BrokerError error) {
  std::visit(Overloaded{[](const std::monostate&) {},
                        [&](const Done<PublishResult>& done) {
                          done({error, {}, false});
                        },
                        [&](const std::unique_ptr<HistoryPending>& pending) {
                          readings_.erase(pending->payload);
                          HistoryResult result;
                          result.error = error;
                          for (const auto& done : pending->done) done(result);
                        },
                        [&](const Done<BrokerError>& done) { done(error); },
                        [&](const std::unique_ptr<PresencePending>& pending) {
                          pending->done({error, {}});
                        },
                        [&](const Done<PresenceStats>& done) {
                          PresenceStats stats;
                          stats.error = error;
                          done(stats);
                        },
                        [&](const Done<UserStatus>& done) {
                          UserStatus status;
                          status.error = error;
                          done(status);
                        }},
             answer);
}

}  // namespace spate::handlers::hub
