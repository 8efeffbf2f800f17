// Echo: connections talk, and expect every message back. Mix is the same among connections of which
// most are silent and some come and go.
#include <algorithm>
#include <optional>

#include "tools/spate-bench/arrivals.h"
#include "tools/spate-bench/dialect.h"
#include "tools/spate-bench/reply_judge.h"
#include "tools/spate-bench/script.h"
#include "tools/spate-bench/talk.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

namespace {

class EchoPlayer final : public Player {
 public:
  explicit EchoPlayer(Worker& worker)
      : worker_(worker),
        options_(worker.options()),
        dialect_(dialect_of(worker)),
        script_(options_.sizes, options_.opcode, options_.in_flight,
                dialect_ ? dialect_->envelopes() : std::vector<Envelope>{}, options_.deflate),
        judge_(worker, script_),
        talks_(worker.connections().size()) {
    const std::uint64_t seed = 0x5eed + worker.number();
    if (options_.open_loop())
      arrivals_.emplace(options_.rate / options_.in_flight / options_.procs, options_.poisson,
                        seed);
    if (options_.churn > 0) churn_.emplace(options_.churn / options_.procs, true, ~seed);
  }

  void opened(Connection& connection, std::uint64_t now) override;
  void received(Connection& connection, ConstBytes bytes, std::uint64_t now) override;
  void writable(Connection& connection, std::uint64_t now) override { flush(connection, now); }
  void closed(Connection& connection, std::uint64_t now) override;
  void start(std::uint64_t now) override;
  [[nodiscard]] std::uint64_t due_ns() const override {
    if (open_.empty()) return kNever;
    return std::min(arrivals_ ? arrivals_->due_ns() : kNever, churn_ ? churn_->due_ns() : kNever);
  }
  void run_due(std::uint64_t now) override;
  void sweep(std::uint64_t now) override;
  void stop(std::uint64_t) override { stopped_ = true; }
  [[nodiscard]] bool drained() const override { return outstanding_ == 0; }
  [[nodiscard]] bool silent(const Connection& connection) const override {
    return talks_[connection.index].due == 0;
  }
  void finish(std::uint64_t now) override;

 private:
  static std::unique_ptr<Dialect> dialect_of(Worker& worker);
  void join(Connection& connection, Talk& talk, std::uint64_t now);
  Connection& next_speaker();
  void say(Connection& connection, std::uint64_t count, std::uint64_t due_ns, std::uint64_t now);
  void refill(Connection& connection, Talk& talk, std::uint64_t now);
  void flush(Connection& connection, std::uint64_t now);
  void took(Talk& talk, std::uint32_t id, std::size_t bytes);
  void replace_one(std::uint64_t due_ns);
  void forget(Talk& talk);

  Worker& worker_;
  const Options& options_;
  const std::unique_ptr<Dialect> dialect_;  // none: it is echo and nothing else
  Script script_;
  ReplyJudge judge_;
  std::vector<Talk> talks_;           // by Connection::index
  std::vector<std::uint32_t> open_;   // indices of those that may talk
  std::optional<Arrivals> arrivals_;  // open loop
  std::optional<Arrivals> churn_;
  std::uint32_t next_ = 0;         // constant arrivals go round
  std::uint64_t outstanding_ = 0;  // over all talks
  std::uint64_t overdue_ns_ = 0;   // no message has waited too long before
  bool started_ = false;
  bool stopped_ = false;
};

void EchoPlayer::opened(Connection& connection, std::uint64_t now) {
  Talk& talk = talks_[connection.index];
  judge_.begin(connection, now);
  talk = {};
  if (options_.deflate) talk.reader.allow_compressed();
  if (!dialect_) return join(connection, talk, now);
  const bool ready = dialect_->greet(connection.index, worker_.id_of(connection), talk.controls);
  if (!talk.controls.empty()) flush(connection, now);
  if (ready && connection.open()) join(connection, talk, now);
}

std::unique_ptr<Dialect> EchoPlayer::dialect_of(Worker& worker) {
  if (!worker.options().has_dialect()) return nullptr;
  return std::make_unique<Dialect>(worker.options(), worker.connections().size());
}

// From now on it may talk.
void EchoPlayer::join(Connection& connection, Talk& talk, std::uint64_t now) {
  talk.open_index = static_cast<std::uint32_t>(open_.size());
  open_.push_back(connection.index);
  worker_.stats().ready.add();
  refill(connection, talk, now);
}

void EchoPlayer::closed(Connection& connection, std::uint64_t) {
  Talk& talk = talks_[connection.index];
  worker_.stats().error(Error::lost, talk.outstanding());
  outstanding_ -= talk.outstanding();
  talk.settle(talk.outstanding());
  talk.sent = talk.due;
  forget(talk);
}

// Takes a closed connection out of open_.
void EchoPlayer::forget(Talk& talk) {
  if (talk.open_index == Talk::kSilent) return;
  talks_[open_.back()].open_index = talk.open_index;
  open_[talk.open_index] = open_.back();
  open_.pop_back();
  talk.open_index = Talk::kSilent;
}

void EchoPlayer::start(std::uint64_t now) {
  started_ = true;
  if (churn_) churn_->start(now);
  if (arrivals_) return arrivals_->start(now);
  // Not over open_: a connection that breaks while it is spoken to leaves it.
  for (Connection& connection : worker_.connections())
    if (Talk& talk = talks_[connection.index]; talk.open_index != Talk::kSilent)
      refill(connection, talk, now);
}

void EchoPlayer::run_due(std::uint64_t now) {
  const std::uint64_t due = due_ns();
  if (churn_ && churn_->due_ns() == due) {
    churn_->advance();
    return replace_one(due);
  }
  arrivals_->advance();
  if (worker_.measured(due)) worker_.stats().lateness.record(now - due);
  say(next_speaker(), options_.in_flight, due, now);
}

Connection& EchoPlayer::next_speaker() {
  const double share = options_.talkers * static_cast<double>(open_.size());
  const auto among = static_cast<std::uint32_t>(std::max(1.0, share));
  const std::uint32_t chosen = options_.poisson ? arrivals_->pick(among) : next_++ % among;
  return worker_.connections()[open_[chosen]];
}

// One connection goes in peace and another comes. One that waits for replies is spared.
void EchoPlayer::replace_one(std::uint64_t due_ns) {
  Connection& leaving =
      worker_.connections()[open_[churn_->pick(static_cast<std::uint32_t>(open_.size()))]];
  Talk& talk = talks_[leaving.index];
  if (talk.outstanding() > 0) return;
  forget(talk);
  worker_.say_goodbye(leaving);
  worker_.close(leaving);
  worker_.dial(leaving, due_ns);
}

void EchoPlayer::say(Connection& connection, std::uint64_t count, std::uint64_t due_ns,
                     std::uint64_t now) {
  Talk& talk = talks_[connection.index];
  if (talk.outstanding() + count > Talk::kMostOutstanding)
    return worker_.stats().error(Error::not_sent, count);
  overdue_ns_ = std::min(overdue_ns_, due_ns + worker_.timeout_ns());
  talk.due += count;
  talk.due_times.push(talk.due, due_ns);
  outstanding_ += count;
  flush(connection, now);
}

// Closed loop: as many as came back, or were given up, go out again.
void EchoPlayer::refill(Connection& connection, Talk& talk, std::uint64_t now) {
  if (arrivals_ || !started_ || stopped_) return;
  if (talk.outstanding() < options_.in_flight)
    say(connection, options_.in_flight - talk.outstanding(), now, now);
}

void EchoPlayer::flush(Connection& connection, std::uint64_t now) {
  Talk& talk = talks_[connection.index];
  const std::uint32_t id = worker_.id_of(connection);
  const auto flush_controls = [&] {
    return talk.controls.empty() || talk.sent_part > 0 ||
           talk.controls.flush(worker_, connection, now);
  };
  bool taken = flush_controls();
  while (taken && talk.sent < talk.due) {
    const auto count = std::min<std::uint64_t>(talk.due - talk.sent, script_.max_burst());
    const ConstBytes frames = script_.frames(id, talk.sent, count).subspan(talk.sent_part);
    const std::int64_t sent = worker_.send(connection, frames, now);
    if (sent < 0) return;
    took(talk, id, static_cast<std::size_t>(sent));
    taken = static_cast<std::size_t>(sent) == frames.size() && flush_controls();
  }
  if (connection.open()) worker_.want_write(connection, !taken);
}

void EchoPlayer::took(Talk& talk, std::uint32_t id, std::size_t bytes) {
  bytes += talk.sent_part;
  const Script::Whole whole = script_.whole_frames(id, talk.sent, bytes);
  talk.sent += whole.messages;
  talk.sent_part = bytes - whole.bytes;
  worker_.stats().sent.add(whole.messages);
  worker_.stats().sent_bytes.add(whole.payload_bytes);
}

void EchoPlayer::received(Connection& connection, ConstBytes bytes, std::uint64_t now) {
  Talk& talk = talks_[connection.index];
  if (dialect_) {
    const Dialect::Heard heard = dialect_->hear(connection.index, bytes, talk.controls);
    if (!heard.good) return worker_.fail(connection, Error::protocol_error, now);
    bytes = heard.frames;
    if (heard.ready) join(connection, talk, now);
    if (!connection.open()) return;
  }
  const std::uint64_t before = talk.expected;
  auto verdict = ReplyJudge::Verdict::go_on;
  if (options_.raw)
    judge_.hear_raw(talk, bytes, now);
  else
    verdict = judge_.hear(connection, talk, bytes, now);
  outstanding_ -= talk.expected - before;
  if (verdict == ReplyJudge::Verdict::protocol_error)
    return worker_.fail(connection, Error::protocol_error, now);
  if (verdict == ReplyJudge::Verdict::closing)
    return worker_.fail(connection, Error::closed_by_server, now);
  if (!talk.controls.empty()) flush(connection, now);
  if (connection.open()) refill(connection, talk, now);
}

void EchoPlayer::sweep(std::uint64_t now) {
  // Not before something can be overdue: to look at every connection is dear where there are many.
  if (!started_ || outstanding_ == 0 || now < overdue_ns_) return;
  overdue_ns_ = kNever;
  const std::uint64_t before = now - worker_.timeout_ns();
  for (Connection& connection : worker_.connections()) {
    Talk& talk = talks_[connection.index];
    if (!connection.open() || talk.outstanding() == 0) continue;
    if (talk.sent > talk.expected && talk.oldest().ns < before) {
      const std::uint64_t expected = talk.expected;
      judge_.give_up(connection, talk, before, now);
      outstanding_ -= talk.expected - expected;
      refill(connection, talk, now);
    }
    if (connection.open() && talk.outstanding() > 0)
      overdue_ns_ = std::min(overdue_ns_, talk.oldest().ns + worker_.timeout_ns());
  }
}

void EchoPlayer::finish(std::uint64_t now) {
  for (Connection& connection : worker_.connections()) {
    if (!connection.open()) continue;
    Talk& talk = talks_[connection.index];
    judge_.finish(talk, now);
    if (!options_.raw && talk.sent_part == 0) worker_.say_goodbye(connection);
  }
  judge_.finish_missing(now);
}

}  // namespace

std::unique_ptr<Player> make_echo_player(Worker& worker) {
  return std::make_unique<EchoPlayer>(worker);
}

}  // namespace spate::bench
