#include "core/snapshot.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/sys.h"

namespace spate::core {

namespace {
constexpr std::size_t kAllBytes = 4096 + 2 * Snapshot::kMaxBytes;
}

Snapshot::~Snapshot() {
  if (header_ != nullptr) sys::unmap(reinterpret_cast<std::byte*>(header_), kAllBytes);
}

int Snapshot::create() {
  const int fd = sys::memfd_create("spate-snapshot");
  if (fd < 0) return fd;
  int result = sys::ftruncate(fd, kAllBytes);
  std::byte* const at = result == 0 ? sys::reserve(kAllBytes) : nullptr;
  if (at != nullptr && sys::map_shared(at, kAllBytes, fd, 0))
    header_ = new (at) Header;
  else if (result == 0)
    result = -ENOMEM;
  sys::close(fd);
  return result;
}

std::byte* Snapshot::half(std::uint64_t number) const {
  return reinterpret_cast<std::byte*>(header_) + kHeaderBytes + (number & 1) * kMaxBytes;
}

bool Snapshot::publish(std::string_view text) {
  if (text.size() > kMaxBytes) return false;
  const std::uint64_t next = number() + 1;
  // A reader of the half that is written now must see by the number that it lost it.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::memcpy(half(next), text.data(), text.size());
  header_->bytes[next & 1].store(text.size(), std::memory_order_relaxed);
  header_->number.store(next, std::memory_order_release);
  return true;
}

std::uint64_t Snapshot::number() const {
  return header_->number.load(std::memory_order_acquire);
}

std::string Snapshot::read(std::uint64_t& number) const {
  for (;;) {
    number = this->number();
    const std::uint64_t bytes = header_->bytes[number & 1].load(std::memory_order_relaxed);
    std::string text(reinterpret_cast<const char*>(half(number)),
                     std::min<std::uint64_t>(bytes, kMaxBytes));
    std::atomic_thread_fence(std::memory_order_acquire);
    // The next publication is written into the other half: only the one after it spoils ours.
    if (this->number() == number) return text;
  }
}

}  // namespace spate::core
