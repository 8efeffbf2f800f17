// What a scenario does with the connections of one load process. The worker opens them, reads them
// and keeps time; the player says what is sent and judges what comes back.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "core/base.h"

namespace spate::bench {

struct Connection;
class Worker;

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

class Player {
 public:
  virtual ~Player() = default;

  // The upgrade is done. Frames that came with the 101 follow through received().
  virtual void opened(Connection& connection, std::uint64_t now) = 0;
  // The bytes die when the call returns. The connection may be closed in it.
  virtual void received(Connection& connection, ConstBytes bytes, std::uint64_t now) = 0;
  // The socket takes bytes again, after Worker::want_write().
  virtual void writable(Connection& connection, std::uint64_t now) = 0;
  // An open connection is gone.
  virtual void closed(Connection& connection, std::uint64_t now) = 0;

  // A dial came to nothing; it has been counted.
  virtual void dial_failed(Connection& /*connection*/, std::uint64_t /*now*/) {}

  // Traffic begins. Until then connections are only held.
  virtual void start(std::uint64_t now) = 0;
  // When run_due() wants to be called next. Each call does one thing that is due.
  [[nodiscard]] virtual std::uint64_t due_ns() const { return kNever; }
  virtual void run_due(std::uint64_t /*now*/) {}
  // Another load process has news for this one, or the conductor has.
  virtual void woken(std::uint64_t /*now*/) {}
  // Ten times a second: give up what has waited too long.
  virtual void sweep(std::uint64_t /*now*/) {}
  // Nothing is due any more; what is under way may still come back.
  virtual void stop(std::uint64_t now) = 0;
  [[nodiscard]] virtual bool drained() const = 0;
  // Whether it has sent nothing but pongs.
  [[nodiscard]] virtual bool silent(const Connection& /*connection*/) const { return true; }
  // The end: what has not come back is lost.
  virtual void finish(std::uint64_t now) = 0;
};

std::unique_ptr<Player> make_echo_player(Worker& worker);
std::unique_ptr<Player> make_fanout_player(Worker& worker);
std::unique_ptr<Player> make_idle_player(Worker& worker);
std::unique_ptr<Player> make_storm_player(Worker& worker);

}  // namespace spate::bench
