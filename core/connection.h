// One connection, and the two interfaces it stands between: the Protocol that gives its bytes a
// meaning, and the Transport that carries them. 128 bytes while idle; it owns no buffer then.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

#include "core/base.h"
#include "core/lease_pool.h"
#include "core/outbox.h"
#include "core/reactor.h"
#include "core/timer_wheel.h"
#include "core/transport.h"

namespace spate::core {

struct Connection;

// Why a connection is gone.
enum class CloseCause : std::uint8_t {
  finished,       // all was sent, and the peer has closed or had its time to
  peer_closed,    // the peer ended without saying so in its protocol
  reset,          // the transport failed
  write_timeout,  // the peer did not take what was queued for it
  shed,           // the worker was at its memory ceiling, and this was the slowest
  aborted,        // the protocol gave up on it
};

// What a protocol is handed when bytes came: what it kept the last time, then what is new.
struct ReceiveWindow {
  Bytes bytes;
  std::size_t received;  // of bytes, at its end, are new
  std::byte* floor;      // <= bytes.data(): from here on memory may be overwritten
  std::byte*
      state;  // kProtocolStateBytes that live with the kept bytes; zero when nothing was kept
};

// What it keeps: a part of the window, and whether `state` says more than zero.
struct Kept {
  Bytes bytes{};
  std::uint64_t wanted_bytes = 0;  // how large the window should be able to grow
  bool state = false;

  bool anything() const { return state || !bytes.empty(); }
};

// The meaning of a connection's bytes. One object serves many connections of a worker; what differs
// per connection lives in the connection. Called on the worker's thread only. Spans die when a call
// returns.
class Protocol {
 public:
  virtual ~Protocol() = default;

  virtual void on_open(Connection& connection) = 0;
  virtual Kept on_bytes(Connection& connection, const ReceiveWindow& window) = 0;
  // The peer has sent its last byte; it may still read. What it is owed is sent before the close.
  virtual void on_end(Connection& connection) = 0;
  // The bytes to keep found no room: a cap was reached. They are gone.
  virtual void on_keep_refused(Connection& connection) = 0;
  // More than the outbox's bound is queued, and something more is about to be written. It is,
  // unless the protocol finishes or aborts; it may be called again for what it writes itself.
  virtual void on_overflow(Connection& connection) = 0;
  // All that was queued has been sent.
  virtual void on_drained(Connection& connection) = 0;
  // It is read again after a pause.
  virtual void on_resumed(Connection&) {}
  // A deadline may have passed. Returns the tick of the next look (kNoDeadline for none). May come
  // early.
  virtual Tick on_timer(Connection& connection, Tick now) = 0;
  // The server is leaving: end it politely.
  virtual void on_leave(Connection& connection) = 0;
  // Its last call for this connection.
  virtual void on_close(Connection& connection, CloseCause cause) = 0;
};

inline constexpr std::size_t kProtocolStateBytes = 64;

// A half-received message: up to kInlineBytes here, more in a ring on loan.
struct Hold {
  static constexpr std::size_t kInlineBytes = 256;

  alignas(8) std::array<std::byte, kProtocolStateBytes> state{};
  Lease* lease = nullptr;
  std::size_t bytes = 0;  // of inline_bytes
  std::array<std::byte, kInlineBytes> inline_bytes;
};

// Output that waits for the kernel, and since when it does.
struct Backlog {
  Outbox queue;
  Tick progress = 0;  // when the kernel last took something
};

enum class Stage : std::uint8_t {
  open,
  finishing,  // what is queued is sent, then the sending side is shut; what comes is thrown away
  lingering,  // waiting for the peer's end, so that our last bytes are not lost to a reset
  dead,       // closed in this turn; its slot is free after it
};

struct alignas(64) Connection {
  // The first cache line is all that a wake-up without backlog touches.
  Link link;
  Transport* transport = nullptr;
  Protocol* protocol = nullptr;
  Hold* hold = nullptr;        // null: nothing half-received
  Backlog* backlog = nullptr;  // null: nothing queued
  void* user = nullptr;        // the protocol's, or its handler's
  Tick last_rx = 0;            // when bytes last came
  Stage stage = Stage::dead;
  std::uint8_t interest = 0;  // EPOLLIN, EPOLLOUT as registered
  bool reading = false;       // the protocol wants bytes
  bool peer_ended = false;

  TimerNode timer;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool dirty = false;                                    // to be settled at the end of the turn
  bool rests_on_backlog = false;                         // is not read while its own output waits
  bool leaving = false;                                  // was told that the server leaves
  bool layered = false;                                  // its transport lies over another one
  Order order = Order::usual;                            // of its events among others'
  bool replays = false;                                  // what is kept, at the end of the turn
  alignas(8) std::array<std::byte, 24> protocol_data{};  // the protocol's own, zero at on_open

  bool live() const { return stage != Stage::dead; }

  template <typename T>
  T& data() {
    static_assert(sizeof(T) <= sizeof(protocol_data) && alignof(T) <= 8);
    static_assert(std::is_trivially_copyable_v<T>);
    return *std::launder(reinterpret_cast<T*>(protocol_data.data()));
  }
  template <typename T>
  const T& data() const {
    return const_cast<Connection*>(this)->data<T>();
  }
};

static_assert(sizeof(Connection) == 128);
static_assert(std::is_trivially_destructible_v<Connection>);  // the table's chunks rely on it

}  // namespace spate::core
