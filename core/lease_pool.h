// Receive rings on loan, for connections that hold part of a message too large for a slab block.
//
// Sizes are powers of two from one page up. Each size class is one memfd with adjacent slots:
//
//      memfd of class 64 KiB:  | slot 0 | slot 1 | slot 2 | …     (each slot mapped twice, as a
//      MirrorRing)
//
// A returned ring stays mapped and warm while kWarmBytes allow; beyond that, and at every trim(),
// its pages go back to the kernel. Past the caps acquire() refuses; nothing grows. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base.h"
#include "core/mirror_ring.h"

namespace spate::core {

// A ring on loan and the window of it in use: `size` bytes from begin(). The window never starts in
// the first kHeadroom bytes nor grows into the last, so that a reply's header fits in front of any
// message.
class Lease {
 public:
  static constexpr std::size_t kHeadroom = 16;

  std::byte* begin() const { return ring.base() + head; }
  std::size_t size() const { return bytes; }
  // Bytes that fit behind the window.
  std::size_t room() const { return ring.capacity() - kHeadroom - bytes; }
  // The largest window a ring of this capacity holds.
  static constexpr std::size_t usable(std::size_t capacity) { return capacity - kHeadroom; }

  // The window becomes `kept`, a span inside of what begin() and room() gave.
  void keep(Bytes kept) {
    head = static_cast<std::size_t>(kept.data() - ring.base());
    if (head >= ring.capacity() + kHeadroom) head -= ring.capacity();
    bytes = kept.size();
  }

  MirrorRing ring;
  std::size_t head = kHeadroom;
  std::size_t bytes = 0;

 private:
  friend class LeasePool;
  std::uint32_t slot_ = 0;
  std::uint32_t size_class_ = 0;
};

class LeasePool {
 public:
  static constexpr std::size_t kMinCapacity = 4096;
  static constexpr std::size_t kSizeClasses = 20;   // 4 KiB … 2 GiB
  static constexpr std::size_t kMaxLeases = 16384;  // two mappings each, of vm.max_map_count 65530
  static constexpr std::size_t kWarmBytes = 1 << 20;

  // `max_bytes` bounds the capacity of all rings on loan together.
  explicit LeasePool(std::uint64_t max_bytes);
  ~LeasePool();
  LeasePool(const LeasePool&) = delete;
  LeasePool& operator=(const LeasePool&) = delete;

  // A ring whose window can hold `bytes`, empty. Null when a cap or the kernel says no.
  Lease* acquire(std::size_t bytes);
  void release(Lease* lease);
  // Gives the pages of idle rings back; call it now and then.
  void trim();

  std::uint64_t leased_bytes() const { return leased_bytes_; }
  std::size_t leased() const { return leased_; }
  std::uint64_t warm_bytes() const { return warm_bytes_; }
  std::size_t warm() const { return warm_; }

 private:
  struct SizeClass {
    int fd = -1;
    std::uint32_t slots = 0;                   // the memfd's length in slots
    std::vector<std::uint32_t> unmapped;       // slots without a mapping or pages
    std::vector<std::unique_ptr<Lease>> warm;  // mapped, pages possibly present
  };

  std::unique_ptr<Lease> map_slot(SizeClass& size_class, std::size_t index);
  void cool(SizeClass& size_class, std::unique_ptr<Lease> lease);

  std::array<SizeClass, kSizeClasses> classes_;
  const std::uint64_t max_bytes_;
  std::uint64_t leased_bytes_ = 0;
  std::uint64_t warm_bytes_ = 0;
  std::size_t warm_ = 0;
  std::size_t leased_ = 0;
};

}  // namespace spate::core
