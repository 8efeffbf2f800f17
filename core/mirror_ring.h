// A ring whose memory is mapped twice, back to back, so that any window of it is one contiguous
// span:
//
//        base                       base + capacity              base + 2 * capacity
//         |  A   B   C   D   E   F   |  A   B   C   D   E   F      |
//                        ^----- a window that wraps -----^
//
// A message that runs past the end needs no copy. MirrorRing maps a part of somebody's memfd and
// owns the mapping, not the descriptor. Costs two mmap calls, and two of vm.max_map_count.
#pragma once

#include <cstddef>
#include <utility>

#include "core/base.h"

namespace spate::core {

class MirrorRing {
 public:
  MirrorRing() = default;
  MirrorRing(MirrorRing&& other) noexcept { swap(other); }
  MirrorRing& operator=(MirrorRing&& other) noexcept {
    MirrorRing(std::move(other)).swap(*this);
    return *this;
  }
  ~MirrorRing();

  // Maps `capacity` bytes (a multiple of the page size) of `fd` at `offset`. An empty ring (base()
  // null) when the kernel refuses.
  static MirrorRing map(int fd, std::uint64_t offset, std::size_t capacity, bool writable = true);
  // The same over a memfd of its own.
  static MirrorRing create(const char* name, std::size_t capacity);

  std::byte* base() const { return base_; }
  std::size_t capacity() const { return capacity_; }

 private:
  void swap(MirrorRing& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(capacity_, other.capacity_);
  }

  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace spate::core
