#include "core/lease_pool.h"

#include "core/sys.h"

namespace spate::core {

namespace {

constexpr std::size_t capacity_of(std::size_t size_class) {
  return LeasePool::kMinCapacity << size_class;
}

}  // namespace

LeasePool::LeasePool(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

LeasePool::~LeasePool() {
  for (SizeClass& size_class : classes_)
    if (size_class.fd >= 0) sys::close(size_class.fd);
}

Lease* LeasePool::acquire(std::size_t bytes) {
  std::size_t index = 0;
  while (index < kSizeClasses && Lease::usable(capacity_of(index)) < bytes) ++index;
  if (index == kSizeClasses || leased_ == kMaxLeases) return nullptr;
  if (capacity_of(index) > max_bytes_ - leased_bytes_) return nullptr;

  SizeClass& size_class = classes_[index];
  std::unique_ptr<Lease> lease;
  if (!size_class.warm.empty()) {
    lease = std::move(size_class.warm.back());
    size_class.warm.pop_back();
    warm_bytes_ -= capacity_of(index);
    --warm_;
  } else {
    lease = map_slot(size_class, index);
    if (!lease) return nullptr;
  }
  leased_bytes_ += capacity_of(index);
  ++leased_;
  lease->head = Lease::kHeadroom;
  lease->bytes = 0;
  return lease.release();
}

std::unique_ptr<Lease> LeasePool::map_slot(SizeClass& size_class, std::size_t index) {
  const std::size_t capacity = capacity_of(index);
  if (size_class.fd < 0) {
    const int fd = sys::memfd_create("spate-lease");
    if (fd < 0) return nullptr;
    size_class.fd = fd;
  }
  if (size_class.unmapped.empty()) {
    if (sys::ftruncate(size_class.fd, (size_class.slots + std::uint64_t{1}) * capacity) < 0)
      return nullptr;
    size_class.unmapped.push_back(size_class.slots++);
  }
  auto lease = std::make_unique<Lease>();
  lease->slot_ = size_class.unmapped.back();
  lease->size_class_ = static_cast<std::uint32_t>(index);
  lease->ring = MirrorRing::map(size_class.fd, lease->slot_ * std::uint64_t{capacity}, capacity);
  if (lease->ring.base() == nullptr) return nullptr;
  size_class.unmapped.pop_back();
  return lease;
}

void LeasePool::release(Lease* returned) {
  std::unique_ptr<Lease> lease(returned);
  SizeClass& size_class = classes_[lease->size_class_];
  const std::size_t capacity = lease->ring.capacity();
  leased_bytes_ -= capacity;
  --leased_;
  if (warm_bytes_ + capacity > kWarmBytes) return cool(size_class, std::move(lease));
  warm_bytes_ += capacity;
  ++warm_;
  size_class.warm.push_back(std::move(lease));
}

void LeasePool::cool(SizeClass& size_class, std::unique_ptr<Lease> lease) {
  const std::uint64_t capacity = lease->ring.capacity();
  // A hole that cannot be punched costs memory, not correctness: the slot's next user overwrites
  // it.
  (void)sys::punch_hole(size_class.fd, lease->slot_ * capacity, capacity);
  size_class.unmapped.push_back(lease->slot_);
}

void LeasePool::trim() {
  if (warm_bytes_ == 0) return;
  for (SizeClass& size_class : classes_) {
    for (auto& lease : size_class.warm) cool(size_class, std::move(lease));
    size_class.warm.clear();
  }
  warm_bytes_ = 0;
  warm_ = 0;
}

}  // namespace spate::core
