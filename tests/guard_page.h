// Memory between two PROT_NONE pages, so that one byte read or written too far ends the test at
// once.
//
//   | PROT_NONE |  capacity, whole pages  | PROT_NONE |
//               ^ at_start(n)   at_end(n) ^
//
// Both views are of the same memory. It is zero at first and keeps what was written to it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "core/base.h"

namespace spate::test {

class GuardPages {
 public:
  explicit GuardPages(std::size_t capacity_bytes)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
        capacity_((capacity_bytes / page_ + 1) * page_) {
    void* mapping = mmap(nullptr, capacity_ + 2 * page_, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SPATE_CHECK(mapping != MAP_FAILED);
    first_ = static_cast<std::byte*>(mapping) + page_;
    SPATE_CHECK(mprotect(first_, capacity_, PROT_READ | PROT_WRITE) == 0);
  }
  ~GuardPages() { munmap(first_ - page_, capacity_ + 2 * page_); }
  GuardPages(const GuardPages&) = delete;
  GuardPages& operator=(const GuardPages&) = delete;

  Bytes all() const { return {first_, capacity_}; }

  // The first byte follows the lower guard page.
  Bytes at_start(std::size_t bytes) const {
    SPATE_CHECK(bytes <= capacity_);
    return {first_, bytes};
  }

  // The last byte is followed by the upper guard page.
  Bytes at_end(std::size_t bytes) const {
    SPATE_CHECK(bytes <= capacity_);
    return {first_ + (capacity_ - bytes), bytes};
  }

  // A copy of `bytes` that ends at the upper guard page.
  Bytes copy_to_end(ConstBytes bytes) const {
    const Bytes place = at_end(bytes.size());
    if (!bytes.empty()) std::memcpy(place.data(), bytes.data(), bytes.size());
    return place;
  }

 private:
  std::size_t page_;
  std::size_t capacity_;
  std::byte* first_ = nullptr;
};

}  // namespace spate::test
