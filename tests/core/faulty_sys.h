// A sys layer that fails on demand: linked in place of core/sys.cc, it makes the real calls, counts
// them, and now and then says no instead. Single-threaded, as what it serves is.
//
//   sys_faults().reset(seed);
//   sys_faults().rate(Call::recv, ECONNRESET, 5);       // 5 of 1000, drawn from the seed
//   sys_faults().shorten(Call::send, 300);              // fewer bytes than asked for
//   sys_faults().fail(Call::accept, 3, EMFILE);         // the fourth from now
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/core/random.h"

namespace spate::test {

enum class Call : std::uint8_t {
  socket,
  bind,
  listen,
  connect,
  accept,
  recv,
  send,
  sendmsg,
  shutdown,
  setsockopt,
  getsockopt,
  getsockname,
  getpeername,
  descriptor_limit,
  read,
  write,
  close,
  open_null,
  open_reader,
  file_type,
  reopen_writer,
  await_writable,
  epoll_create,
  epoll_ctl,
  epoll_wait,
  fork,
  getpid,
  cpu_count,
  parent_pid,
  kill,
  reap,
  pipe,
  event_fd,
  set_affinity,
  become_user,
  poll_readable,
  create_file,
  unlink,
  lock_file,
  set_umask,
  file_identity,
  signal_fd,
  read_signal,
  ignore_by_default,
  memfd_create,
  ftruncate,
  punch_hole,
  reserve,
  map_shared,
  map_anonymous,
  unmap,
  monotonic_ns,
  sleep,
  kinds,
};

class SysFaults {
 public:
  // No faults, counts at zero, clock true.
  void reset(std::uint64_t seed = 1);

  // `per_mille` of the calls fail with this errno; several errors may be set for one call.
  void rate(Call call, int error, unsigned per_mille);
  // `per_mille` of the transfers move a random part of what was asked for (recv, send, sendmsg).
  void shorten(Call call, unsigned per_mille);
  // The `number`-th call from now on (the next is 0) fails with this errno.
  void fail(Call call, std::uint64_t number, int error);
  // The `number`-th transfer from now on moves one byte.
  void shorten_at(Call call, std::uint64_t number);
  // Moves the clock on; a sleep does no more than that.
  void move_clock(std::int64_t ns) { clock_offset_ns_ += ns; }

  // Since reset().
  std::uint64_t calls(Call call) const { return state(call).made; }
  std::uint64_t injected() const { return injected_; }
  // Address space reserved and not given back; never reset.
  std::int64_t mapped_bytes() const { return mapped_bytes_; }
  // What the last epoll_wait was ready to sleep.
  std::int64_t last_timeout_ns() const { return last_timeout_ns_; }

  // --- For the sys layer itself.

  // The errno this call is to fail with, or 0.
  int before(Call call);
  // How many of `bytes` a transfer may move; after before().
  std::size_t allowance(Call call, std::size_t bytes);
  std::int64_t clock_offset_ns() const { return clock_offset_ns_; }
  void mapped(std::int64_t bytes) { mapped_bytes_ += bytes; }
  void waited(std::int64_t timeout_ns) { last_timeout_ns_ = timeout_ns; }

 private:
  struct Rate {
    int error;
    unsigned per_mille;
  };
  struct Planned {
    std::uint64_t number;  // as State::made counts
    int error;             // 0: short
  };
  struct State {
    std::uint64_t made = 0;
    unsigned shorten_per_mille = 0;
    std::vector<Rate> rates;
    std::vector<Planned> planned;
  };
  State& state(Call call) { return states_[static_cast<std::size_t>(call)]; }
  const State& state(Call call) const { return states_[static_cast<std::size_t>(call)]; }

  std::array<State, static_cast<std::size_t>(Call::kinds)> states_;
  Random random_{1};
  std::uint64_t injected_ = 0;
  std::int64_t clock_offset_ns_ = 0;
  std::int64_t mapped_bytes_ = 0;
  std::int64_t last_timeout_ns_ = 0;
};

SysFaults& sys_faults();

}  // namespace spate::test
