#include "core/slots.h"

#include <new>

#include "core/sys.h"

namespace spate::core {

Slots::~Slots() {
  if (slots_ != nullptr) sys::unmap(reinterpret_cast<std::byte*>(slots_), all_ * sizeof(Slot));
  for (const int fd : wake_fds_) sys::close(fd);
}

int Slots::create(std::uint32_t count, std::uint32_t companions) {
  const std::uint32_t all = count + companions;
  const std::size_t bytes = all * sizeof(Slot);
  const int fd = sys::memfd_create("spate-slots");
  if (fd < 0) return fd;
  int result = sys::ftruncate(fd, bytes);
  std::byte* const at = result == 0 ? sys::reserve(bytes) : nullptr;
  if (at != nullptr && sys::map_shared(at, bytes, fd, 0)) {
    slots_ = reinterpret_cast<Slot*>(at);
    count_ = count;
    all_ = all;
    for (std::uint32_t i = 0; i < all; ++i) new (&slots_[i]) Slot;
  } else if (result == 0) {
    result = -ENOMEM;
  }
  sys::close(fd);
  while (result == 0 && wake_fds_.size() <= all) {
    const int wake = sys::event_fd();
    if (wake < 0) return wake;
    wake_fds_.push_back(wake);
  }
  return result;
}

void Slots::signal(int fd) {
  const std::uint64_t one = 1;
  (void)sys::write(fd, &one, sizeof one);  // a full counter has woken already
}

void Slots::take_wake(int fd) {
  std::uint64_t count;
  (void)sys::read(fd, &count, sizeof count);
}

}  // namespace spate::core
