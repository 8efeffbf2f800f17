// A connection's life: opened, woken, timed out, finished, buried. Receiving and sending have files
// of their own (connection_receive.cc, connection_send.cc).
#include "core/connection_table.h"

#include <sys/epoll.h>

#include <algorithm>

#include "core/sys.h"

namespace spate::core {

static_assert(static_cast<std::size_t>(CloseCause::aborted) + 1 == kCloseCauses);

ConnectionTable::ConnectionTable(Reactor& reactor, const Options& options)
    : reactor_(reactor),
      options_(options),
      metrics_(options.metrics),
      sink_(reactor.add_sink(*this)),
      leases_(options.max_lease_bytes) {
  reactor.set_observer(*this);
  metrics_->connections_limit.set(options_.max_connections);
  metrics_->memory_limit.set(options_.max_memory);
}

ConnectionTable::~ConnectionTable() {
  for_each([this](Connection& connection) { close(connection, CloseCause::aborted); });
}

bool ConnectionTable::open_ring() {
  ring_ = MirrorRing::create("spate-read-ring", options_.read_ring_bytes);
  return ring_.base() != nullptr;
}

Connection* ConnectionTable::open(const Link& link, Transport& transport, Protocol& protocol,
                                  Order order) {
  if (count_ >= std::uint64_t{options_.max_connections} + kRefusalPlaces) return nullptr;
  std::uint32_t slot;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    if (used_slots_ == chunks_.size() * kChunkSlots) {
      std::unique_ptr<Chunk> chunk(new (std::nothrow) Chunk);
      if (!chunk) return nullptr;
      chunks_.push_back(std::move(chunk));
      memory_changed_ = true;
    }
    slot = used_slots_++;
    new (&at(slot)) Connection;
  }
  Connection& connection = at(slot);
  const std::uint32_t generation = connection.generation;
  connection = Connection{};
  connection.generation = generation;
  connection.slot = slot;
  connection.link = link;
  connection.transport = &transport;
  connection.layered = transport.layered();
  connection.order = order;
  connection.protocol = &protocol;
  connection.last_rx = now();
  connection.stage = Stage::open;
  connection.reading = true;
  connection.interest = EPOLLIN;
  if (!transport.open(connection.link)) {
    connection.stage = Stage::dead;
    free_slots_.push_back(slot);
    return nullptr;
  }
  if (link.fd >= 0 && reactor_.add(link.fd, EPOLLIN, handle_of(connection), order) < 0) {
    transport.close(connection.link);
    connection.stage = Stage::dead;
    free_slots_.push_back(slot);
    return nullptr;
  }
  metrics_->connections.set(++count_);
  metrics_->opened.add();
  with(connection, [&] { protocol.on_open(connection); });
  return &connection;
}

void ConnectionTable::on_event(std::uint32_t slot, std::uint32_t generation, std::uint32_t events) {
  if (slot >= used_slots_ || at(slot).generation != generation) {
    metrics_->stale_events.add();
    return;
  }
  Connection& connection = at(slot);
  Connection* const outer = begin_turn(connection);
  if ((events & EPOLLOUT) != 0) [[unlikely]]
    on_writable(connection);
  if (connection.live()) {
    if ((events & EPOLLIN) != 0 && (connection.interest & EPOLLIN) != 0) {
      connection.stage == Stage::open ? receive(connection) : discard(connection);
    } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      // Not being read, and gone in both directions: nothing that is queued can arrive.
      close(connection, CloseCause::reset);
    }
  }
  end_turn(connection, outer);
}

void ConnectionTable::on_wheel_timer(TimerNode& node) {
  auto& connection = *reinterpret_cast<Connection*>(reinterpret_cast<std::byte*>(&node) -
                                                    offsetof(Connection, timer));
  if (connection.stage == Stage::lingering) return close(connection, CloseCause::finished);
  Tick next = kNoDeadline;
  if (connection.backlog != nullptr) {
    const Tick stalled = now() - connection.backlog->progress;
    if (stalled >= options_.write_timeout_ticks) {
      metrics_->write_timeouts.add();
      return close(connection, CloseCause::write_timeout);
    }
    next = now() + (options_.write_timeout_ticks - stalled);
  }
  Connection* const outer = begin_turn(connection);
  if (connection.stage == Stage::open) {
    const Tick wanted = connection.protocol->on_timer(connection, now());
    if (wanted != kNoDeadline) arm(connection, wanted);
  }
  if (connection.live() && next != kNoDeadline) arm(connection, next);
  end_turn(connection, outer);
}

void ConnectionTable::on_turn_end() {
  // What is flushed may close connections and so queue output for others: they join the list.
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    Connection& connection = at(dirty_[i]);
    connection.dirty = false;
    if (!connection.live()) continue;
    if (connection.backlog != nullptr) flush_backlog(connection);
    settle(connection);
    if (connection.replays) replay_now(connection);
    if (connection.layered) receive_held(connection);
  }
  dirty_.clear();
  bury();
  constexpr std::int64_t kTrimEveryNs = 1'000'000'000;
  if (reactor_.now_ns() - last_trim_ns_ >= kTrimEveryNs) {
    last_trim_ns_ = reactor_.now_ns();
    leases_.trim();
    memory_changed_ = true;
  }
  if (memory_changed_) publish_memory();
}

void ConnectionTable::arm(Connection& connection, Tick deadline) {
  // One that died by what its protocol wrote may still be asked for: its node must stay out of the
  // wheel, because its slot will be another's.
  if (deadline == kNoDeadline || !connection.live()) return;
  // Kept at the earlier of two: whoever wanted the later one is asked then, and arms again. Both
  // lie ahead of the wheel; one that is due may lie behind now().
  const Tick wheel = reactor_.wheel().now();
  if (connection.timer.armed() && connection.timer.deadline - wheel <= deadline - wheel) return;
  reactor_.wheel().arm(connection.timer, deadline);
}

void ConnectionTable::disarm(Connection& connection) {
  // What is queued is watched by the same timer.
  if (connection.backlog == nullptr && connection.timer.armed())
    reactor_.wheel().cancel(connection.timer);
}

void ConnectionTable::pause_reading(Connection& connection) {
  if (connection.stage != Stage::open) return;
  connection.reading = false;
  mark_dirty(connection);
}

void ConnectionTable::resume_reading(Connection& connection) {
  if (connection.stage != Stage::open || connection.reading) return;
  connection.reading = true;
  mark_dirty(connection);
  connection.protocol->on_resumed(connection);
}

void ConnectionTable::finish(Connection& connection) {
  if (connection.stage != Stage::open) return;
  connection.stage = Stage::finishing;
  connection.reading = true;  // to throw away
  mark_dirty(connection);
}

void ConnectionTable::abort(Connection& connection, CloseCause cause) {
  if (connection.live()) close(connection, cause);
}

Connection* ConnectionTable::begin_turn(Connection& connection) {
  Connection* const outer = current_;
  if (outer == nullptr) current_ = &connection;
  return outer;
}

void ConnectionTable::end_turn(Connection& connection, Connection* outer) {
  if (outer != nullptr) return;
  if (connection.live()) {
    if (piece_count_ > 0) flush_pieces(connection);
    settle(connection);
  }
  keep_pieces(0);  // of a connection that died meanwhile
  if (!connection.live() && connection.hold != nullptr) drop_hold(connection);
  scratch_used_ = 0;
  mid_frame_ = false;
  current_ = nullptr;
}

// Brings a connection's stage and its registered interest in line with what the turn left.
void ConnectionTable::settle(Connection& connection) {
  if (connection.stage == Stage::finishing && connection.backlog == nullptr) [[unlikely]]
    if (!end_sending(connection)) return;
  const bool rests = connection.rests_on_backlog && connection.backlog != nullptr &&
                     connection.stage == Stage::open;
  std::uint32_t interest = 0;
  if (connection.reading && !connection.peer_ended && !rests) interest |= EPOLLIN;
  if (connection.backlog != nullptr) interest |= EPOLLOUT;
  if (connection.layered) [[unlikely]]
    return settle_layered(connection, interest);
  if (interest != connection.interest) set_interest(connection, interest);
}

// All was sent. False when the connection is closed with that.
bool ConnectionTable::end_sending(Connection& connection) {
  if (connection.hold != nullptr) drop_hold(connection);
  // A peer that has ended needs no end of ours, but through a layer it is owed the word.
  if (!connection.peer_ended || connection.layered)
    connection.transport->shutdown_send(connection.link);
  if (connection.peer_ended) {
    close(connection, CloseCause::finished);
    return false;
  }
  connection.stage = Stage::lingering;
  reactor_.wheel().arm(connection.timer, now() + options_.linger_ticks);
  return true;
}

void ConnectionTable::set_interest(Connection& connection, std::uint32_t interest) {
  if (!connection.live()) return;
  connection.interest = static_cast<std::uint8_t>(interest);
  if (connection.link.fd < 0) return;
  if (reactor_.modify(connection.link.fd, interest, handle_of(connection), connection.order) < 0)
    close(connection, CloseCause::reset);
}

// What the transport makes of the events that are wanted. Input that it holds is received at the
// end of the turn.
void ConnectionTable::settle_layered(Connection& connection, std::uint32_t wanted) {
  if (!connection.live()) return;
  const std::uint32_t interest = connection.transport->interest(connection.link, wanted);
  if (interest != connection.interest) set_interest(connection, interest);
  if (wants_held_input(connection)) mark_dirty(connection);
}

bool ConnectionTable::wants_held_input(const Connection& connection) {
  return connection.stage == Stage::open && (connection.interest & EPOLLIN) != 0 &&
         connection.transport->holds_input(connection.link);
}

// What the transport has taken from its descriptor already: no event will come for it. As an event
// all the same, because receive() with a second caller is not inlined into the first: 28
// instructions a message.
void ConnectionTable::receive_held(Connection& connection) {
  if (wants_held_input(connection)) on_event(connection.slot, connection.generation, EPOLLIN);
}

void ConnectionTable::close(Connection& connection, CloseCause cause) {
  connection.stage = Stage::dead;
  connection.protocol->on_close(connection, cause);
  // In its own turn, the protocol may be in the middle of the bytes that lie there.
  if (connection.hold != nullptr && current_ != &connection) drop_hold(connection);
  if (connection.backlog != nullptr) drop_backlog(connection);
  reactor_.wheel().cancel(connection.timer);
  connection.transport->close(connection.link);
  ++connection.generation;  // events still in the batch are stale from here on
  metrics_->connections.set(--count_);
  metrics_->closed[static_cast<std::size_t>(cause)].add();
  dead_.push_back(connection.slot);
}

void ConnectionTable::bury() {
  free_slots_.insert(free_slots_.end(), dead_.begin(), dead_.end());
  dead_.clear();
}

std::uint64_t ConnectionTable::memory_bytes() const {
  std::uint64_t total = chunks_.size() * sizeof(Chunk) + holds_.bytes() + leases_.leased_bytes() +
                        backlogs_.bytes() + metrics_->outbox_bytes;
  for (const auto& [purpose, bytes] : others_) total += bytes();
  return total;
}

// At the end of a turn, so that what changes with every message costs nothing more.
void ConnectionTable::publish_memory() {
  memory_changed_ = false;
  const auto set = [this](MemoryPurpose purpose, std::uint64_t bytes) {
    metrics_->memory[static_cast<std::size_t>(purpose)].set(bytes);
  };
  set(MemoryPurpose::slots, chunks_.size() * sizeof(Chunk));
  set(MemoryPurpose::half_messages, holds_.bytes());
  set(MemoryPurpose::ring_leases, leases_.leased_bytes());
  set(MemoryPurpose::warm_rings, leases_.warm_bytes());
  set(MemoryPurpose::outbox_queues, backlogs_.bytes());
  set(MemoryPurpose::read_ring, ring_.capacity());
  for (const auto& [purpose, bytes] : others_) set(purpose, bytes());
  metrics_->leases_loaned.set(leases_.leased());
  metrics_->leases_warm.set(leases_.warm());
}

}  // namespace spate::core
