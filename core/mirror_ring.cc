#include "core/mirror_ring.h"

#include "core/sys.h"

namespace spate::core {

MirrorRing MirrorRing::map(int fd, std::uint64_t offset, std::size_t capacity, bool writable) {
  MirrorRing ring;
  // Address space first, as one piece, so that the second half cannot be taken by another mapping.
  std::byte* const base = sys::reserve(2 * capacity);
  if (base == nullptr) return ring;
  if (!sys::map_shared(base, capacity, fd, offset, writable) ||
      !sys::map_shared(base + capacity, capacity, fd, offset, writable)) {
    sys::unmap(base, 2 * capacity);
    return ring;
  }
  ring.base_ = base;
  ring.capacity_ = capacity;
  return ring;
}

MirrorRing MirrorRing::create(const char* name, std::size_t capacity) {
  const int fd = sys::memfd_create(name);
  if (fd < 0) return {};
  MirrorRing ring;
  if (sys::ftruncate(fd, capacity) == 0) ring = map(fd, 0, capacity);
  sys::close(fd);  // the mapping keeps the memory
  return ring;
}

MirrorRing::~MirrorRing() {
  if (base_ != nullptr) sys::unmap(base_, 2 * capacity_);
}

}  // namespace spate::core
