// The shared memory between the workers of an instance and its broker process: made by the master
// before it forks, so that it outlives any of them.
//
//        worker s ── requests ring (of slot s) ──►  broker
//        worker s ◄── replies ring (of slot s) ───  broker       private: what was asked for
//        workers  ◄────── events ring ────────────  broker       everybody's; may lap who is slow
//
// Requests stay in their ring until the broker's cursor has passed them, and replies until the
// worker's has; nobody overwrites what is unread there. Events are for whoever keeps up.
//
// Each word has one writer: whoever else looks has it mapped for reading only, but for the words
// by which one is woken. Offsets, sizes and numbers; no pointers, no locks. Processes come and go
// in a slot, each a generation: its rings go on where the one before stopped.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base.h"
#include "core/mirror_ring.h"
#include "core/shared_ring.h"
#include "core/siphash.h"
#include "core/wake_word.h"

namespace spate::core {

// What the request in hand will have come to once it is committed, written before that; told to
// whoever takes the broker's place. Committed is: the head of what it commits in has passed
// `head_before`.
struct BusIntent {
  enum class Commits : std::uint32_t { nothing, log, events };

  std::atomic<std::uint64_t> end{0};  // of the request; 0: this is being written
  std::atomic<std::uint64_t> begin{0};
  std::atomic<std::uint64_t> head_before{0};
  std::atomic<Commits> commits{Commits::nothing};
  std::atomic<std::uint32_t> flags{0};  // the owner's
  std::array<std::atomic<std::uint64_t>, 2> result{};
};

// Written by the master.
struct BusHeader {
  static constexpr std::uint64_t kMagic = 0x7375626574617073;  // "spatebus"
  static constexpr std::uint64_t kLayoutVersion = 2;

  std::uint64_t magic;
  std::uint64_t layout_version;
  std::uint64_t slot_count;
  std::uint64_t request_bytes;
  std::uint64_t reply_bytes;
  std::uint64_t event_bytes;
  HashKey key;  // random: of the hashes that interest is told by
};
struct alignas(64) BusGenerations {
  std::atomic<std::uint64_t> born{0};   // of the process in the slot
  std::atomic<std::uint64_t> ended{0};  // the last of which is sure to be dead
};

// Written by the broker.
struct alignas(64) BusBrokerWords {
  RingWords events;
  alignas(64) std::atomic<std::uint64_t> generation{0};  // of the broker
  std::atomic<std::uint64_t> syncing{0};                 // 1: it does not know yet who is there
};
struct alignas(64) BusServedWords {  // one a slot
  RingWords replies;
  alignas(64) std::atomic<std::uint64_t> request_cursor{0};
  std::array<BusIntent, 2> intents;  // by turns: one of them is always whole
  // Clients of one of the slot's processes that have joined and have not left. What is left of it
  // when that process has ended and nobody knows whose they were has been lost.
  std::atomic<std::uint64_t> joined{0};
  std::atomic<std::uint64_t> joined_generation{0};
};

// Written by a slot's worker.
struct alignas(64) BusWorkerWords {
  // Which channels somebody here is interested in, by a hash of their name: who is not in it need
  // not be woken for them. A bit set in vain costs a wake-up; one missing would cost a second.
  static constexpr std::size_t kInterestBits = std::size_t{1} << 18;

  RingWords requests;
  alignas(64) std::atomic<std::uint64_t> event_cursor{0};
  std::atomic<std::uint64_t> reply_cursor{0};
  std::atomic<std::uint64_t> laps{0};
  std::atomic<std::uint64_t> events_lost{0};
  std::atomic<std::uint64_t> waiting{0};  // requests that have not been answered
  alignas(64) std::array<std::atomic<std::uint64_t>, kInterestBits / 64> interest{};
};

class BusMemory {
 public:
  struct Sizes {                                       // powers of two, of whole pages
    std::size_t request_bytes = std::size_t{2} << 20;  // a slot
    std::size_t reply_bytes = std::size_t{1} << 20;    // a slot
    std::size_t event_bytes = std::size_t{8} << 20;
  };

  BusMemory() = default;
  ~BusMemory();
  BusMemory(const BusMemory&) = delete;
  BusMemory& operator=(const BusMemory&) = delete;

  // In the master, before any fork. 0 or a negative errno.
  int create(std::uint32_t slot_count, const Sizes& sizes);

  std::uint32_t slot_count() const { return slot_count_; }
  const Sizes& sizes() const { return sizes_; }
  // The master's words, which it writes here.
  BusGenerations& generations(std::uint32_t slot) const;
  // Written to by who has found the wake word set; read by the one that is woken.
  int wake_fd(std::uint32_t slot) const { return wake_fds_[slot]; }
  int broker_wake_fd() const { return wake_fds_[slot_count_]; }

 private:
  friend class BusView;
  // Where things lie in the memfd. Behind the wake words there is one more that all may write.
  std::uint64_t broker_offset() const { return kHeaderBytes; }
  std::uint64_t wake_offset() const;
  std::uint64_t worker_offset(std::uint32_t slot) const;
  std::uint64_t words_bytes() const { return worker_offset(slot_count_); }
  std::uint64_t events_offset() const { return words_bytes(); }
  std::uint64_t requests_offset(std::uint32_t slot) const;
  std::uint64_t replies_offset(std::uint32_t slot) const;

  static constexpr std::size_t kHeaderBytes = std::size_t{16} << 12;

  std::byte* header_ = nullptr;
  std::uint32_t slot_count_ = 0;
  Sizes sizes_;
  int fd_ = -1;
  std::vector<int> wake_fds_;  // one a slot, then the broker's
};

// The same memory as one process sees it.
class BusView {
 public:
  enum class Role : std::uint8_t {
    worker,  // of one slot
    broker,
    observer,  // reads only
    all,       // both ends, in a test
  };

  BusView() = default;
  ~BusView();
  BusView(const BusView&) = delete;
  BusView& operator=(const BusView&) = delete;

  // False: no memory. `memory` outlives it.
  bool open(const BusMemory& memory, Role role, std::uint32_t slot = 0);

  const BusHeader& header() const { return *reinterpret_cast<const BusHeader*>(words_); }
  std::uint32_t slot_count() const { return memory_->slot_count(); }
  BusGenerations& generations(std::uint32_t slot) const;
  BusBrokerWords& broker() const;
  BusServedWords& served(std::uint32_t slot) const;
  BusWorkerWords& worker(std::uint32_t slot) const;

  RingWriter events_writer() const {
    return {broker().events, events_.base(), events_.capacity(), hook_};
  }
  RingReader events_reader() const { return {broker().events, events_.base(), events_.capacity()}; }
  RingWriter requests_writer(std::uint32_t slot) const;
  RingReader requests_reader(std::uint32_t slot) const;
  RingWriter replies_writer(std::uint32_t slot) const;
  RingReader replies_reader(std::uint32_t slot) const;
  std::size_t event_bytes() const { return events_.capacity(); }
  std::size_t request_bytes() const { return memory_->sizes().request_bytes; }
  std::size_t reply_bytes() const { return memory_->sizes().reply_bytes; }

  // When the bucket of new clients a second, which all workers take from, is full again.
  std::atomic<std::int64_t>& rate_word() const;
  WakeWord& wake_word(std::uint32_t slot) const;
  WakeWord& broker_wake_word() const { return wake_word(slot_count()); }
  // Wakes, if it sleeps, whoever reads that descriptor.
  void wake(std::uint32_t slot) const { wake(wake_word(slot), memory_->wake_fd(slot)); }
  void wake_broker() const { wake(broker_wake_word(), memory_->broker_wake_fd()); }
  int wake_fd(std::uint32_t slot) const { return memory_->wake_fd(slot); }
  int broker_wake_fd() const { return memory_->broker_wake_fd(); }
  static void take_wake(int fd);

  // Interest, as told by the hash of a channel's name under header().key.
  bool interested(std::uint32_t slot, std::uint64_t hash) const {
    const std::uint64_t bit = hash % BusWorkerWords::kInterestBits;
    return (worker(slot).interest[bit / 64].load(std::memory_order_relaxed) >> bit % 64 & 1) != 0;
  }

  const StoreHook& hook() const { return hook_; }
  void set_hook(const StoreHook& hook) { hook_ = hook; }

 private:
  static void wake(WakeWord& word, int fd);

  const BusMemory* memory_ = nullptr;
  std::byte* words_ = nullptr;
  std::size_t words_bytes_ = 0;
  MirrorRing events_;
  std::vector<MirrorRing> requests_;  // those that this process has to do with
  std::vector<MirrorRing> replies_;
  StoreHook hook_;
};

}  // namespace spate::core
