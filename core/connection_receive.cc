// Receiving: straight into a ring, the protocol's turn, and what is kept.
//
// All connections share one read ring, which every turn finds empty: its first lines stay in the L1
// cache. Only half a message outlives a turn, in a slab block up to 256 bytes, above that in a ring
// on loan, into which the rest is then received without a copy.
#include <algorithm>

#include "core/connection_table.h"
#include "core/sys.h"

namespace spate::core {

// Where the next bytes go, behind those that were kept.
ConnectionTable::Opened ConnectionTable::open_window(Connection& connection) {
  Hold* const hold = connection.hold;
  std::byte* const begin = ring_.base() + Lease::kHeadroom;
  const std::size_t room = ring_.capacity() - Lease::kHeadroom;
  if (hold == nullptr) [[likely]] {
    fresh_state_.fill(std::byte{0});
    return {{{begin, 0}, 0, ring_.base(), fresh_state_.data()}, room};
  }
  if (hold->lease != nullptr) {
    Lease& lease = *hold->lease;
    return {
        {{lease.begin(), lease.size()}, 0, lease.begin() - Lease::kHeadroom, hold->state.data()},
        std::min(lease.room(), room)};
  }
  std::memcpy(begin, hold->inline_bytes.data(), hold->bytes);
  return {{{begin, hold->bytes}, 0, ring_.base(), hold->state.data()}, room - hold->bytes};
}

void ConnectionTable::receive(Connection& connection) {
  auto [window, room] = open_window(connection);
  std::byte* const end = window.bytes.data() + window.bytes.size();
  const ssize_t received = connection.transport->recv(connection.link, {end, room});
  if (received <= 0) {
    if (received == -EAGAIN || received == -EINTR) return;
    if (received < 0) return close(connection, CloseCause::reset);
    connection.peer_ended = true;
    return connection.protocol->on_end(connection);
  }
  connection.last_rx = now();
  metrics_->bytes_received.add(static_cast<std::uint64_t>(received));
  window.received = static_cast<std::size_t>(received);
  window.bytes = {window.bytes.data(), window.bytes.size() + window.received};
  hand_over(connection, window);
}

void ConnectionTable::replay(Connection& connection) {
  if (connection.stage != Stage::open || connection.hold == nullptr) return;
  connection.replays = true;
  mark_dirty(connection);
}

void ConnectionTable::replay_now(Connection& connection) {
  connection.replays = false;
  if (connection.stage != Stage::open || connection.hold == nullptr || !connection.reading) return;
  with(connection, [&] { hand_over(connection, open_window(connection).window); });
}

void ConnectionTable::hand_over(Connection& connection, const ReceiveWindow& window) {
  const Kept kept = connection.protocol->on_bytes(connection, window);
  if (!connection.live()) return;
  if (connection.stage == Stage::open && kept.anything()) return keep(connection, window, kept);
  // Before the hold goes: pieces to send may lie in its ring.
  if (connection.hold == nullptr) return;
  if (piece_count_ > 0) flush_pieces(connection);
  if (connection.live() && connection.hold != nullptr) drop_hold(connection);
}

// After finish(): only the peer's end is of interest.
void ConnectionTable::discard(Connection& connection) {
  const ssize_t received =
      connection.transport->recv(connection.link, {ring_.base(), ring_.capacity()});
  if (received > 0 || received == -EAGAIN || received == -EINTR) return;
  if (received == 0 && connection.stage == Stage::finishing) {
    connection.peer_ended = true;  // output is still owed
    return;
  }
  close(connection, received == 0 ? CloseCause::finished : CloseCause::reset);
}

void ConnectionTable::keep(Connection& connection, const ReceiveWindow& window, const Kept& kept) {
  // Replies built in the window must leave before the window's memory is moved or given back.
  if (piece_count_ > 0) flush_pieces(connection);
  if (!connection.live()) return;
  Hold* hold = connection.hold;
  if (hold == nullptr) {
    hold = over_memory() ? nullptr : holds_.create();
    if (hold != nullptr) std::memcpy(hold->state.data(), window.state, kProtocolStateBytes);
    connection.hold = hold;
  }
  memory_changed_ = true;
  const bool in_lease = hold != nullptr && hold->lease != nullptr;
  if (hold != nullptr && keep_leased(*hold, in_lease, kept)) return;
  metrics_->keeps_refused.add();
  if (hold != nullptr) drop_hold(connection);
  connection.protocol->on_keep_refused(connection);
}

// Puts `kept` where it fits best. False when it needs a ring and none is to be had.
bool ConnectionTable::keep_leased(Hold& hold, bool in_lease, const Kept& kept) {
  // Room to receive more than a few bytes at a time; a message of unknown length doubles its ring.
  constexpr std::size_t kMinRoom = 4096;
  const std::size_t bytes = kept.bytes.size();
  const bool small =
      bytes <= Hold::kInlineBytes && kept.wanted_bytes <= options_.read_ring_bytes / 2;
  if (in_lease) {
    Lease* const old = hold.lease;
    if (small) {
      std::memcpy(hold.inline_bytes.data(), kept.bytes.data(), bytes);
      hold.bytes = bytes;
      hold.lease = nullptr;
      leases_.release(old);
      return true;
    }
    old->keep(kept.bytes);
    const std::size_t usable = Lease::usable(old->ring.capacity());
    if (kept.wanted_bytes <= usable &&
        old->room() >= std::min<std::size_t>(kMinRoom, usable - bytes))
      if (old->room() > 0) return true;
  } else if (small) {
    if (bytes > 0) std::memcpy(hold.inline_bytes.data(), kept.bytes.data(), bytes);
    hold.bytes = bytes;
    return true;
  }
  Lease* const lease = leases_.acquire(std::max<std::size_t>(kept.wanted_bytes, bytes) + kMinRoom);
  if (lease == nullptr) {
    metrics_->leases_refused.add();
    return false;
  }
  std::memcpy(lease->begin(), kept.bytes.data(), bytes);
  lease->keep({lease->begin(), bytes});
  if (in_lease) leases_.release(hold.lease);
  hold.lease = lease;
  hold.bytes = 0;
  return true;
}

void ConnectionTable::drop_hold(Connection& connection) {
  if (connection.hold->lease != nullptr) leases_.release(connection.hold->lease);
  holds_.destroy(connection.hold);
  memory_changed_ = true;
  connection.hold = nullptr;
}

}  // namespace spate::core
