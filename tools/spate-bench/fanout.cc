// Fan-out: publishers publish, every subscriber expects every publication, once and in each
// publisher's order. A publication carries its own number and due time, so subscribers in any
// process can judge it.
#include <sys/eventfd.h>

#include <algorithm>
#include <optional>

#include "tools/spate-bench/arrivals.h"
#include "tools/spate-bench/board.h"
#include "tools/spate-bench/channels.h"
#include "tools/spate-bench/delivery_judge.h"
#include "tools/spate-bench/frame_template.h"
#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/publication.h"
#include "tools/spate-bench/whole_message.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

namespace {

constexpr std::uint32_t kMaskingKey = 0x7a3c51e9;
constexpr std::size_t kMostUnsent = std::size_t{16} << 20;

// A publisher or a subscriber.
struct Member {
  FrameReader reader;
  std::unique_ptr<std::string> partial;  // of a message that came in pieces
  std::unique_ptr<std::string> unsent;   // frames the socket has not taken
  std::uint64_t raw_bytes = 0;
  std::uint64_t raw_number = 0;
  std::uint32_t confirmed = 0;  // subscriptions
  bool ready = false;
};

class FanoutPlayer final : public Player {
 public:
  explicit FanoutPlayer(Worker& worker);

  void opened(Connection& connection, std::uint64_t now) override;
  void received(Connection& connection, ConstBytes bytes, std::uint64_t now) override;
  void writable(Connection& connection, std::uint64_t now) override { flush(connection, now); }
  void closed(Connection& connection, std::uint64_t now) override;
  void woken(std::uint64_t now) override { refill(now); }

  void start(std::uint64_t now) override;
  [[nodiscard]] std::uint64_t due_ns() const override {
    return arrivals_ ? arrivals_->due_ns() : kNever;
  }
  void run_due(std::uint64_t now) override;
  void sweep(std::uint64_t now) override;
  void stop(std::uint64_t) override { stopped_ = true; }
  [[nodiscard]] bool drained() const override;
  void finish(std::uint64_t now) override;

 private:
  struct Listener;

  [[nodiscard]] bool publishes(const Connection& connection) const {
    return worker_.id_of(connection) < options_.publishers;
  }
  [[nodiscard]] std::uint64_t published() const;

  void put(Connection& connection, std::string_view frames, std::uint64_t now);
  void flush(Connection& connection, std::uint64_t now);
  void greet(Connection& connection, const std::vector<FrameTemplate>& frames, std::uint64_t now);
  void publish(Connection& publisher, std::uint64_t count, std::uint64_t due, std::uint64_t now);
  void refill(std::uint64_t now);

  void message(Connection& connection, ConstBytes message, std::uint64_t now);
  void other_message(Connection& connection, std::string_view message, std::uint64_t now);
  void raw(Member& member, ConstBytes bytes, std::uint64_t now);
  void settle_completed(std::uint64_t now);
  void become_ready(const Connection& connection);

  Worker& worker_;
  const Options& options_;
  Board& board_;
  DeliveryJudge judge_;
  const Channels channels_;
  const std::uint64_t raw_delivery_bytes_;
  std::vector<Member> members_;             // by Connection::index
  std::vector<std::uint32_t> proc_of_;      // of publishers
  std::uint32_t publishers_here_ = 0;       // connections [0, publishers_here_)
  std::vector<std::uint64_t> given_up_;     // publications no longer waited for
  std::vector<std::uint64_t> last_due_ns_;  // of a publisher's newest publication
  std::optional<Arrivals> arrivals_;
  std::uint32_t next_ = 0;
  std::uint32_t to_confirm_ = 1;  // of a subscriber's subscriptions
  std::string wire_, body_, payload_;
  bool started_ = false;
  bool stopped_ = false;
};

FanoutPlayer::FanoutPlayer(Worker& worker)
    : worker_(worker),
      options_(worker.options()),
      board_(worker.board()),
      judge_(worker),
      channels_(options_),
      raw_delivery_bytes_(options_.delivery_bytes > 0
                              ? options_.delivery_bytes
                              : server_header_bytes(options_.sizes.largest()) +
                                    options_.sizes.largest()),
      members_(worker.connections().size()),
      given_up_(options_.publishers),
      last_due_ns_(options_.publishers) {
  if (std::ranges::any_of(options_.subscribe_frames, &FrameTemplate::has_channel))
    to_confirm_ = options_.subscriptions;
  for (std::uint32_t proc = 0; proc < options_.procs; ++proc)
    for (std::uint32_t id = options_.first_id(proc); id < options_.first_id(proc + 1); ++id)
      if (id < options_.publishers) proc_of_.push_back(proc);
  publishers_here_ = static_cast<std::uint32_t>(std::ranges::count(proc_of_, worker.number()));
  if (options_.open_loop() && publishers_here_ > 0)
    arrivals_.emplace(options_.rate / options_.in_flight * publishers_here_ / options_.publishers,
                      options_.poisson, 0x5eed + worker.number());
}

std::uint64_t FanoutPlayer::published() const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < options_.publishers; ++i) sum += board_.published[i];
  return sum;
}

void FanoutPlayer::opened(Connection& connection, std::uint64_t now) {
  members_[connection.index] = {};
  const bool publisher = publishes(connection);
  if (publisher || options_.ready_when.empty()) become_ready(connection);
  greet(connection, publisher ? options_.publisher_frames : options_.subscribe_frames, now);
}

void FanoutPlayer::become_ready(const Connection& connection) {
  Member& member = members_[connection.index];
  if (member.ready) return;
  member.ready = true;
  worker_.stats().ready.add();
  if (!publishes(connection)) judge_.joined(connection.index);
}

void FanoutPlayer::closed(Connection& connection, std::uint64_t) {
  if (publishes(connection) || !members_[connection.index].ready) return;
  judge_.left(connection.index);
}

void FanoutPlayer::greet(Connection& connection, const std::vector<FrameTemplate>& frames,
                         std::uint64_t now) {
  wire_.clear();
  const std::uint32_t id = worker_.id_of(connection);
  std::uint64_t number = 0;
  for (const FrameTemplate& frame : frames) {
    const std::uint32_t times = frame.has_channel() ? options_.subscriptions : 1;
    for (std::uint32_t i = 0; i < times; ++i) {
      body_.clear();
      frame.render(body_, {.payload = {},
                           .connection = id,
                           .number = number++,
                           .channel = channels_.of(id - options_.publishers, i)});
      wire_ += client_frame(options_.opcode, body_, kMaskingKey);
    }
  }
  if (!wire_.empty()) put(connection, wire_, now);
}

void FanoutPlayer::put(Connection& connection, std::string_view frames, std::uint64_t now) {
  Member& member = members_[connection.index];
  if (member.unsent) {
    member.unsent->append(frames);
    return;
  }
  const std::int64_t sent = worker_.send(connection, as_bytes(frames), now);
  if (sent < 0 || static_cast<std::size_t>(sent) == frames.size()) return;
  member.unsent = std::make_unique<std::string>(frames.substr(static_cast<std::size_t>(sent)));
  worker_.want_write(connection, true);
}

void FanoutPlayer::flush(Connection& connection, std::uint64_t now) {
  Member& member = members_[connection.index];
  if (!member.unsent) return;
  const std::int64_t sent = worker_.send(connection, as_bytes(*member.unsent), now);
  if (sent < 0) return;
  member.unsent->erase(0, static_cast<std::size_t>(sent));
  if (!member.unsent->empty()) return;
  member.unsent.reset();
  worker_.want_write(connection, false);
}

void FanoutPlayer::start(std::uint64_t now) {
  started_ = true;
  if (arrivals_)
    arrivals_->start(now);
  else
    refill(now);
}

void FanoutPlayer::run_due(std::uint64_t now) {
  const std::uint64_t due = arrivals_->due_ns();
  arrivals_->advance();
  if (worker_.measured(due)) worker_.stats().lateness.record(now - due);
  const std::uint32_t chosen =
      options_.poisson ? arrivals_->pick(publishers_here_) : next_++ % publishers_here_;
  publish(worker_.connections()[chosen], options_.in_flight, due, now);
}

// Closed loop: a publisher has --in-flight publications that not all subscribers have.
void FanoutPlayer::refill(std::uint64_t now) {
  if (arrivals_ || !started_ || stopped_) return;
  for (std::uint32_t i = 0; i < publishers_here_; ++i) {
    Connection& publisher = worker_.connections()[i];
    const std::uint32_t id = worker_.id_of(publisher);
    const std::uint64_t settled = std::max<std::uint64_t>(board_.completed[id], given_up_[id]);
    const std::uint64_t under_way =
        board_.published[id] - std::min<std::uint64_t>(settled, board_.published[id]);
    if (under_way < options_.in_flight)
      publish(publisher, options_.in_flight - under_way, now, now);
  }
}

void FanoutPlayer::publish(Connection& publisher, std::uint64_t count, std::uint64_t due,
                           std::uint64_t now) {
  Stats& stats = worker_.stats();
  const Member& member = members_[publisher.index];
  if (!publisher.open() || (member.unsent && member.unsent->size() > kMostUnsent))
    return stats.error(Error::not_sent, count);
  const std::uint32_t id = worker_.id_of(publisher);
  wire_.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t published = board_.published[id];
    const std::uint64_t number = published % channels_.numbers();
    const std::size_t bytes = options_.sizes.distinct()[options_.sizes.index_of(id, number)];
    payload_.clear();
    Publication{id, number, due}.write(payload_, bytes);
    body_.clear();
    options_.publish_frame.render(body_, {.payload = payload_,
                                          .connection = id,
                                          .number = published,
                                          .channel = channels_.channel_of(number)});
    wire_ += client_frame(options_.opcode, body_, kMaskingKey);
    board_.raw_due_ns[published % Board::kSlots].store(due, std::memory_order_relaxed);
    board_.published[id].store(published + 1, std::memory_order_relaxed);
    stats.sent_bytes.add(bytes);
  }
  stats.sent.add(count);
  last_due_ns_[id] = due;
  put(publisher, wire_, now);
}

// Hands whole messages on; one that ends in a later read is kept till then.
struct FanoutPlayer::Listener {
  FanoutPlayer& player;
  Connection& connection;
  Member& member;
  std::uint64_t now;
  WholeMessage whole{member.partial};
  bool closing = false;
  std::string pongs{};

  void message_begin(Opcode) { whole.begin(); }
  void message_bytes(ConstBytes bytes) { whole.add(bytes); }
  void message_end() {
    player.message(connection, whole.get(), now);
    whole.begin();
  }
  void control(Opcode opcode, ConstBytes payload) {
    closing |= opcode == Opcode::close;
    if (opcode == Opcode::ping) pongs += client_frame(Opcode::pong, as_text(payload), kMaskingKey);
  }
};

void FanoutPlayer::received(Connection& connection, ConstBytes bytes, std::uint64_t now) {
  Member& member = members_[connection.index];
  if (options_.raw) return raw(member, bytes, now);
  Listener listener{*this, connection, member, now};
  const bool good = member.reader.feed(bytes, listener);
  if (!connection.open()) return;
  if (!good) return worker_.fail(connection, Error::protocol_error, now);
  if (listener.closing) return worker_.fail(connection, Error::closed_by_server, now);
  listener.whole.keep();
  if (!listener.pongs.empty()) put(connection, listener.pongs, now);
  settle_completed(now);
}

void FanoutPlayer::raw(Member& member, ConstBytes bytes, std::uint64_t now) {
  // What comes before the first publication is a greeting; another process may start before this
  // one.
  if (published() == 0) return;
  for (member.raw_bytes += bytes.size(); member.raw_bytes >= raw_delivery_bytes_;
       member.raw_bytes -= raw_delivery_bytes_)
    judge_.hear_raw(member.raw_number++, now);
  settle_completed(now);
}

void FanoutPlayer::message(Connection& connection, ConstBytes message, std::uint64_t now) {
  if (publishes(connection) || !judge_.hear(connection.index, message, now))
    other_message(connection, as_text(message), now);
}

// Publications that all subscribers have make room for others.
void FanoutPlayer::settle_completed(std::uint64_t now) {
  bool here = false;
  for (const std::uint32_t publisher : judge_.completed()) {
    board_.completed[publisher].fetch_add(1, std::memory_order_relaxed);
    if (proc_of_[publisher] == worker_.number())
      here = true;
    else if (!options_.open_loop())
      eventfd_write(board_.wake_fds[proc_of_[publisher]], 1);
  }
  judge_.clear_completed();
  if (here) refill(now);
}

// Replies, confirmations, pings of the server's own protocol.
void FanoutPlayer::other_message(Connection& connection, std::string_view message,
                                 std::uint64_t now) {
  Member& member = members_[connection.index];
  if (!options_.ready_when.empty() && !member.ready) {
    const std::string& text = options_.ready_when;
    for (std::size_t at = message.find(text); at != message.npos;
         at = message.find(text, at + text.size()))
      ++member.confirmed;
    if (member.confirmed >= to_confirm_) become_ready(connection);
  }
  if (!options_.app_ping.empty() && message == options_.app_ping)
    put(connection, client_frame(options_.opcode, options_.app_pong, kMaskingKey), now);
}

void FanoutPlayer::sweep(std::uint64_t now) {
  if (arrivals_ || !started_) return;
  for (std::uint32_t i = 0; i < publishers_here_; ++i) {
    const std::uint32_t id = worker_.id_of(worker_.connections()[i]);
    if (now - last_due_ns_[id] > worker_.timeout_ns()) given_up_[id] = board_.published[id];
  }
  refill(now);
}

bool FanoutPlayer::drained() const {
  const auto& connections = worker_.connections();
  for (std::uint32_t i = 0; i < publishers_here_; ++i)
    if (connections[i].open() && members_[i].unsent) return false;
  return judge_.all_delivered();
}

void FanoutPlayer::finish(std::uint64_t) {
  std::uint64_t lost = 0;
  for (Connection& connection : worker_.connections()) {
    if (!connection.open()) continue;
    if (!options_.raw) worker_.say_goodbye(connection);
    if (publishes(connection) || !members_[connection.index].ready) continue;
    const std::uint64_t raw = members_[connection.index].raw_number;
    lost += options_.raw ? published() - std::min(published(), raw) : judge_.lost(connection.index);
  }
  worker_.stats().error(Error::lost, lost);
}

}  // namespace

std::unique_ptr<Player> make_fanout_player(Worker& worker) {
  return std::make_unique<FanoutPlayer>(worker);
}

}  // namespace spate::bench
