// What the master and its workers know of each other: one Slot a worker, in shared memory that
// outlives any of them. A slot is a place (its number, its listening sockets, its counters); worker
// processes come and go in it, each a generation.
//
// Each word has one writer. Nobody waits: who wants to be heard writes its words, then wakes the
// other through an eventfd.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/base.h"
#include "core/life_lock.h"

namespace spate::core {

enum class WorkerState : std::uint32_t { absent, starting, ready, leaving };

struct alignas(128) Slot {
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};

  // Written by the worker; state also by the master, while there is no worker.
  std::atomic<std::uint64_t> turns{0};  // of its loop: it is alive
  std::atomic<std::uint64_t> accepts{
      0};  // connections taken, by whomever, from this slot's sockets
  std::atomic<std::uint64_t> last_message{
      0};  // opcode << 56 | payload bytes, for the report of a crash
  std::atomic<WorkerState> state{WorkerState::absent};
  std::atomic<bool> full{false};  // it has no place for another connection, and does not accept

  LifeLock life;  // held by the worker, before it is anything but starting

  // Written by the master.
  alignas(64) std::atomic<std::uint32_t> covered_by{kNobody};  // who accepts in its stead
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::int32_t> pid{0};
  std::atomic<bool> refuse{false};          // everybody is full: accept, and say no
  std::atomic<bool> server_leaving{false};  // in slot 0 only
};

class Slots {
 public:
  Slots() = default;
  ~Slots();
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // In the master, before any fork: slots of workers, and behind them those of processes that
  // accept no connections. 0 or a negative errno.
  int create(std::uint32_t count, std::uint32_t companions = 0);

  std::uint32_t count() const { return count_; }  // of workers
  std::uint32_t all() const { return all_; }
  // The whole server is leaving, not one worker. Written by the master.
  bool leaving() const { return slots_[0].server_leaving.load(); }
  void set_leaving() { slots_[0].server_leaving.store(true); }
  Slot& operator[](std::uint32_t index) { return slots_[index]; }

  // Readable when the slot's worker, or the master, was woken. Drain with take_wake().
  int wake_fd(std::uint32_t index) const { return wake_fds_[index]; }
  int master_wake_fd() const { return wake_fds_[all_]; }
  void wake(std::uint32_t index) const { signal(wake_fds_[index]); }
  void wake_master() const { signal(wake_fds_[all_]); }
  static void take_wake(int fd);

 private:
  static void signal(int fd);

  Slot* slots_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint32_t all_ = 0;
  std::vector<int> wake_fds_;  // one a slot, then the master's
};

}  // namespace spate::core
