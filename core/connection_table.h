// All connections of a worker: receives for them, sends for them, times them out, and buries them
// after the event batch in which they died.
//
//   wake-up:  recv into the shared ring (or the connection's own, while it holds part of a message)
//             -> Protocol::on_bytes, whose writes gather -> one send for all of them
//
// Between two turns an idle connection owns nothing but its 128-byte slot. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/block.h"
#include "core/connection.h"
#include "core/core_metrics.h"
#include "core/mirror_ring.h"
#include "core/reactor.h"
#include "core/slab.h"

namespace spate::core {

class ConnectionTable final : public EventSink, public TurnObserver {
 public:
  struct Options {
    std::uint32_t max_connections = 1'000'000;
    std::size_t read_ring_bytes = 256 * 1024;  // a recv's limit, and so a turn's bytes a connection
    std::uint64_t outbox_bytes = 1 << 20;      // queued for one connection, before on_overflow
    std::uint64_t max_memory = 0;              // of all purposes below, in bytes; 0 = no ceiling
    std::uint64_t max_lease_bytes = 256ull << 20;  // of half-received messages
    Tick linger_ticks = ticks_of_ms(5000);
    Tick write_timeout_ticks = ticks_of_ms(10000);
    ConnectionMetrics* metrics = nullptr;  // null: of its own
  };

  // Extra places beyond max_connections, so that those refused for it can be told so.
  static constexpr std::uint32_t kRefusalPlaces = 64;
  // Pieces gathered for one send.
  static constexpr std::size_t kMaxPieces = 64;
  // Copies gathered in a turn; beyond that they go to a block each.
  static constexpr std::size_t kScratchBytes = 16 * 1024;

  ConnectionTable(Reactor& reactor, const Options& options);
  ~ConnectionTable();
  // False when the read ring cannot be mapped.
  bool open_ring();

  // Takes over the link; calls protocol.on_open. Null when there is no place or no memory: the link
  // is then still the caller's. `order` is its events'.
  Connection* open(const Link& link, Transport& transport, Protocol& protocol,
                   Order order = Order::usual);
  bool full() const { return count_ >= options_.max_connections; }
  bool over_memory() const {
    return options_.max_memory != 0 && memory_bytes() > options_.max_memory;
  }

  // What others keep for connections is part of the total: `bytes` is asked whenever that is.
  void also_count(MemoryPurpose purpose, std::function<std::uint64_t()> bytes) {
    others_.emplace_back(purpose, std::move(bytes));
  }

  // --- For protocols, during a call about `connection` or at any other time.

  // `part` of the window that on_bytes was given is sent from where it lies. Only during on_bytes.
  // Like write_urgent, bounded by outbox_bytes unless the connection rests on its backlog: then it
  // is bounded by what there was to read.
  void write_in_place(Connection& connection, ConstBytes part);
  // Copies. A frame, or several.
  void write(Connection& connection, ConstBytes bytes);
  // Sends `part` of `block` without a copy. `ends_frame` as in Outbox: the pieces of a frame are
  // written one after the other, with nothing in between.
  void write(Connection& connection, const BlockRef& block, ConstBytes part,
             bool ends_frame = true);
  // A whole frame that overtakes what is queued, at a frame's end.
  void write_urgent(Connection& connection, ConstBytes frame);
  // Drops what is queued and not begun.
  void drop_queued(Connection& connection);
  bool has_backlog(const Connection& connection) const { return connection.backlog != nullptr; }

  // Gathered in this turn or queued.
  std::uint64_t unsent_bytes(const Connection& connection) const;
  // Sends what has gathered now. Whether the kernel took it all; only during a call about
  // `connection`.
  bool flush_now(Connection& connection);
  // Calls on_bytes with what is kept and nothing new, for a protocol that had left some of it: at
  // the end of the turn, for another connection's bytes may lie in the ring now. Not while it is
  // paused.
  void replay(Connection& connection);

  void pause_reading(Connection& connection);
  void resume_reading(Connection& connection);

  // on_timer will be called no later than this.
  void arm(Connection& connection, Tick deadline);
  // For a protocol that takes over from another: what the other was waiting for is over. Left armed
  // it would cost each connection a wake-up for nothing, when its memory is cold again.
  void disarm(Connection& connection);
  // When this turn woke up: deadlines count from here.
  Tick now() const { return reactor_.now(); }

  // Sends what is queued, shuts the sending side, and closes once the peer has closed too (or its
  // time is over). Input is thrown away from now on, and so is what is written.
  void finish(Connection& connection);
  // Closes at once; what is queued is lost.
  void abort(Connection& connection, CloseCause cause = CloseCause::aborted);

  // --- For drivers without descriptors, and for loops over connections.

  // Runs `work` as part of a turn of `connection`: what it writes gathers and leaves in one send.
  template <typename Work>
  void with(Connection& connection, Work&& work) {
    Connection* const outer = begin_turn(connection);
    work();
    end_turn(connection, outer);
  }
  void on_event(std::uint32_t slot, std::uint32_t generation, std::uint32_t events) override;
  void on_wheel_timer(TimerNode& node) override;
  void on_turn_end() override;

  // Every live connection; `visit` may close the one it is given.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < used_slots_; ++slot)
      if (Connection& connection = at(slot); connection.live()) visit(connection);
  }

  // Who served this turn's event of a connection, though it may be closed by now; null for another
  // sink's. Until the end of the turn.
  const Protocol* protocol_at(const Handle& event) {
    return event.sink == sink_ && event.index < used_slots_ ? at(event.index).protocol : nullptr;
  }

  std::uint32_t count() const { return count_; }
  const ConnectionMetrics& counters() const { return *metrics_; }
  const LeasePool& leases() const { return leases_; }
  // Slots, half-received messages, queued output, and what others keep.
  std::uint64_t memory_bytes() const;

 private:
  static constexpr std::uint32_t kChunkSlots = 512;

  // Connections are built in it one by one as they are first used: a page that no connection has
  // used yet costs no memory, which counts where many workers hold few each.
  struct Chunk {
    alignas(Connection) std::array<std::byte, kChunkSlots * sizeof(Connection)> slots;
  };

  Connection& at(std::uint32_t slot) {
    return *std::launder(reinterpret_cast<Connection*>(chunks_[slot / kChunkSlots]->slots.data()) +
                         slot % kChunkSlots);
  }
  Handle handle_of(const Connection& connection) const {
    return {sink_, connection.slot, connection.generation};
  }

  // A turn of one connection. They do not nest: what is written to another one meanwhile is queued
  // for it, and leaves at the end of the loop's turn.
  Connection* begin_turn(Connection& connection);
  void end_turn(Connection& connection, Connection* outer);
  void receive(Connection& connection);
  struct Opened {
    ReceiveWindow window;
    std::size_t room;  // behind the kept bytes
  };
  Opened open_window(Connection& connection);
  void replay_now(Connection& connection);
  void hand_over(Connection& connection, const ReceiveWindow& window);
  void discard(Connection& connection);
  void keep(Connection& connection, const ReceiveWindow& window, const Kept& kept);
  bool keep_leased(Hold& hold, bool in_lease, const Kept& kept);
  void drop_hold(Connection& connection);

  bool may_write(Connection& connection);
  bool inside_frame(const Connection& connection) const;
  void append(Connection& connection, const BlockRef& block, ConstBytes part, bool ends_frame);
  void push_piece(ConstBytes part, const BlockRef* block, bool ends_frame);
  void flush_pieces(Connection& connection);
  void on_writable(Connection& connection);
  bool end_sending(Connection& connection);
  void set_interest(Connection& connection, std::uint32_t interest);
  void settle_layered(Connection& connection, std::uint32_t wanted);
  static bool wants_held_input(const Connection& connection);
  void receive_held(Connection& connection);
  void keep_pieces(std::size_t count);
  std::size_t frame_end() const;
  void queue_pieces(Connection& connection, std::size_t sent);
  void flush_backlog(Connection& connection);
  Backlog& backlog_of(Connection& connection);
  void drop_backlog(Connection& connection);
  void queued(Connection& connection);
  void mark_dirty(Connection& connection);
  void shed_slowest();

  void settle(Connection& connection);
  void close(Connection& connection, CloseCause cause);
  void bury();
  void publish_memory();

  Reactor& reactor_;
  const Options options_;
  const MetricsOf<ConnectionMetrics> metrics_;
  const std::uint16_t sink_;
  MirrorRing ring_;
  LeasePool leases_;
  Slab<Hold> holds_;
  Slab<Backlog> backlogs_;

  std::vector<std::pair<MemoryPurpose, std::function<std::uint64_t()>>> others_;

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t used_slots_ = 0;
  std::uint32_t count_ = 0;

  // The turn of `current_`.
  Connection* current_ = nullptr;
  std::size_t piece_count_ = 0;
  std::array<iovec, kMaxPieces> pieces_;
  std::array<BlockRef, kMaxPieces> piece_blocks_;
  std::array<bool, kMaxPieces> piece_ends_frame_;
  bool mid_frame_ = false;  // what the kernel took of this turn, all of it, ends inside a frame
  std::size_t scratch_used_ = 0;
  alignas(8) std::array<std::byte, kProtocolStateBytes> fresh_state_{};
  std::array<std::byte, kScratchBytes> scratch_;

  std::vector<std::uint32_t> dirty_;
  std::vector<std::uint32_t> dead_;
  std::int64_t last_trim_ns_ = 0;
  bool memory_changed_ = true;  // since it was published
};

}  // namespace spate::core
