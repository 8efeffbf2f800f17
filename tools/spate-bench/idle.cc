// Idle: connections are held, the server's pings answered, and some of them pinged in turn. What a
// ping says is the time it was sent and that time mixed with the connection's number, so a pong
// proves itself and nothing is kept for it: 48 bytes a connection.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "tools/spate-bench/arrivals.h"
#include "tools/spate-bench/control_queue.h"
#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

namespace {

constexpr std::size_t kPingBytes = 16;
constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;

struct Held {
  FrameReader reader;
  ControlQueue controls;
};

class IdlePlayer final : public Player {
 public:
  explicit IdlePlayer(Worker& worker) : worker_(worker), held_(worker.connections().size()) {
    const Options& options = worker.options();
    if (options.pings > 0 && !options.raw)
      pings_.emplace(options.pings / options.procs, false, worker.number());
  }

  void opened(Connection& connection, std::uint64_t now) override {
    held_[connection.index] = {};
    std::string body;
    for (const FrameTemplate& frame : worker_.options().hello_frames) {
      body.clear();
      frame.render(body, {.payload = {}, .connection = worker_.id_of(connection), .number = 0});
      held_[connection.index].controls.put(Opcode::text, as_bytes(body));
    }
    if (!held_[connection.index].controls.empty()) writable(connection, now);
  }

  void received(Connection& connection, ConstBytes bytes, std::uint64_t now) override {
    if (worker_.options().raw) return;
    Listener listener{*this, connection, now};
    if (!held_[connection.index].reader.feed(bytes, listener))
      return worker_.fail(connection, Error::protocol_error, now);
    if (listener.closing) return worker_.fail(connection, Error::closed_by_server, now);
    writable(connection, now);
  }

  void writable(Connection& connection, std::uint64_t now) override {
    ControlQueue& controls = held_[connection.index].controls;
    const bool gone = controls.empty() || controls.flush(worker_, connection, now);
    if (connection.open()) worker_.want_write(connection, !gone);
  }

  void closed(Connection&, std::uint64_t) override {}

  void start(std::uint64_t now) override {
    if (pings_) pings_->start(now);
  }
  [[nodiscard]] std::uint64_t due_ns() const override { return pings_ ? pings_->due_ns() : kNever; }

  void run_due(std::uint64_t now) override {
    const std::uint64_t due = pings_->due_ns();
    pings_->advance();
    if (worker_.measured(due)) worker_.stats().lateness.record(now - due);
    if (Connection* connection = next_open()) ping(*connection, due, now);
  }

  void stop(std::uint64_t) override {}
  [[nodiscard]] bool drained() const override { return pongs_ >= sent_pings_; }
  void finish(std::uint64_t) override {
    if (sent_pings_ > pongs_) worker_.stats().error(Error::missing_pong, sent_pings_ - pongs_);
    if (worker_.options().raw) return;
    for (Connection& connection : worker_.connections())
      if (connection.open()) worker_.say_goodbye(connection);
  }

 private:
  struct Listener {
    IdlePlayer& player;
    Connection& connection;
    std::uint64_t now;
    bool closing = false;

    void message_begin(Opcode) { player.worker_.stats().received.add(); }
    void message_bytes(ConstBytes bytes) {
      player.worker_.stats().received_bytes.add(bytes.size());
      player.look_for_time(as_text(bytes), now);
    }
    void message_end() {}
    void control(Opcode opcode, ConstBytes payload) {
      if (opcode == Opcode::close) closing = true;
      if (opcode == Opcode::ping) player.answer(connection, payload);
      if (opcode == Opcode::pong) player.pong(connection, payload, now);
    }
  };

  // Nothing is kept of a message: the mark and the time are looked for in each piece of it.
  void look_for_time(std::string_view piece, std::uint64_t now) {
    const std::string& mark = worker_.options().time_mark;
    if (mark.empty()) return;
    const std::size_t at = piece.find(mark);
    if (at == std::string_view::npos) return;
    piece.remove_prefix(at + mark.size());
    std::uint64_t time = 0;
    if (std::from_chars(piece.data(), piece.data() + piece.size(), time).ec != std::errc()) return;
    if (worker_.measured(time) && time <= now) worker_.stats().latency.record(now - time);
  }

  Connection* next_open() {
    auto& connections = worker_.connections();
    for (std::size_t tried = 0; tried < connections.size(); ++tried) {
      Connection& connection = connections[next_++ % connections.size()];
      if (connection.open()) return &connection;
    }
    return nullptr;
  }

  void ping(Connection& connection, std::uint64_t due, std::uint64_t now) {
    std::byte payload[kPingBytes];
    store(payload, due);
    store(payload + 8, due ^ (worker_.id_of(connection) + 1) * kMix);
    held_[connection.index].controls.ping(payload);
    ++sent_pings_;
    writable(connection, now);
  }

  void answer(Connection& connection, ConstBytes payload) {
    held_[connection.index].controls.pong(payload);
    worker_.answered_ping(connection);
  }

  void pong(Connection& connection, ConstBytes payload, std::uint64_t now) {
    if (payload.empty()) return;  // RFC 6455 §5.5.3: an unsolicited pong is a heartbeat
    const bool whole = payload.size() == kPingBytes;
    const std::uint64_t due = whole ? load<std::uint64_t>(payload.data()) : 0;
    const std::uint64_t proof = (worker_.id_of(connection) + 1) * kMix;
    if (!whole || load<std::uint64_t>(payload.data() + 8) != (due ^ proof) || due > now)
      return worker_.stats().error(Error::wrong_pong);
    ++pongs_;
    if (worker_.measured(due)) worker_.stats().ping.record(now - due);
  }

  Worker& worker_;
  std::vector<Held> held_;  // by Connection::index
  std::optional<Arrivals> pings_;
  std::size_t next_ = 0;
  std::uint64_t sent_pings_ = 0;
  std::uint64_t pongs_ = 0;
};

}  // namespace

std::unique_ptr<Player> make_idle_player(Worker& worker) {
  return std::make_unique<IdlePlayer>(worker);
}

}  // namespace spate::bench
