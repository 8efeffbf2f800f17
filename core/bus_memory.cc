#include "core/bus_memory.h"

#include <bit>
#include <cerrno>
#include <new>

#include "core/sys.h"

namespace spate::core {

namespace {

constexpr std::uint64_t kPage = 4096;

constexpr std::uint64_t pages(std::uint64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

bool usable(std::size_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kPage;
}

}  // namespace

// --- Where things lie: header · broker's words · wake words · each worker's words · rings.

std::uint64_t BusMemory::wake_offset() const {
  return broker_offset() +
         pages(sizeof(BusBrokerWords) + std::uint64_t{slot_count_} * sizeof(BusServedWords));
}

std::uint64_t BusMemory::worker_offset(std::uint32_t slot) const {
  return wake_offset() + pages((std::uint64_t{slot_count_} + 2) * sizeof(WakeWord)) +
         slot * pages(sizeof(BusWorkerWords));
}

std::uint64_t BusMemory::requests_offset(std::uint32_t slot) const {
  return events_offset() + sizes_.event_bytes + slot * std::uint64_t{sizes_.request_bytes};
}

std::uint64_t BusMemory::replies_offset(std::uint32_t slot) const {
  return requests_offset(slot_count_) + slot * std::uint64_t{sizes_.reply_bytes};
}

BusMemory::~BusMemory() {
  if (header_ != nullptr) sys::unmap(header_, kHeaderBytes);
  if (fd_ >= 0) sys::close(fd_);
  for (const int fd : wake_fds_) sys::close(fd);
}

int BusMemory::create(std::uint32_t slot_count, const Sizes& sizes) {
  constexpr std::size_t kMaxSlots =
      (kHeaderBytes - sizeof(BusGenerations)) / sizeof(BusGenerations) - 1;
  if (slot_count == 0 || slot_count > kMaxSlots || !usable(sizes.request_bytes) ||
      !usable(sizes.reply_bytes) || !usable(sizes.event_bytes))
    return -EINVAL;
  slot_count_ = slot_count;
  sizes_ = sizes;
  while (wake_fds_.size() <= slot_count) {
    const int fd = sys::event_fd();
    if (fd < 0) return fd;
    wake_fds_.push_back(fd);
  }
  fd_ = sys::memfd_create("spate-bus");
  if (fd_ < 0) return fd_;
  if (const int error = sys::ftruncate(fd_, replies_offset(slot_count)); error < 0) return error;
  // New memory is zero, which is what every word begins as.
  header_ = sys::reserve(kHeaderBytes);
  if (header_ == nullptr || !sys::map_shared(header_, kHeaderBytes, fd_, 0)) return -ENOMEM;
  auto* const header = new (header_) BusHeader{};
  header->layout_version = BusHeader::kLayoutVersion;
  header->slot_count = slot_count;
  header->request_bytes = sizes.request_bytes;
  header->reply_bytes = sizes.reply_bytes;
  header->event_bytes = sizes.event_bytes;
  sys::random(std::as_writable_bytes(std::span(header->key)));
  header->magic = BusHeader::kMagic;
  return 0;
}

BusGenerations& BusMemory::generations(std::uint32_t slot) const {
  SPATE_CHECK(slot < slot_count_);
  return reinterpret_cast<BusGenerations*>(header_ + sizeof(BusGenerations))[slot + 1];
}

// --- As a process sees it.

BusView::~BusView() {
  if (words_ != nullptr) sys::unmap(words_, words_bytes_);
}

bool BusView::open(const BusMemory& memory, Role role, std::uint32_t slot) {
  memory_ = &memory;
  const std::size_t bytes = memory.words_bytes();
  words_ = sys::reserve(bytes);
  if (words_ == nullptr) return false;
  words_bytes_ = bytes;
  const bool all = role == Role::all;
  const auto map = [&](std::uint64_t from, std::uint64_t to, bool writable) {
    return sys::map_shared(words_ + from, to - from, memory.fd_, from, writable);
  };
  bool ok = map(0, memory.broker_offset(), all) &&
            map(memory.broker_offset(), memory.wake_offset(), all || role == Role::broker) &&
            map(memory.wake_offset(), memory.worker_offset(0), role != Role::observer);
  const bool is_worker = role == Role::worker;
  for (std::uint32_t i = 0; ok && i < memory.slot_count(); ++i)
    ok = map(memory.worker_offset(i), memory.worker_offset(i + 1), all || (is_worker && i == slot));
  events_ = MirrorRing::map(memory.fd_, memory.events_offset(), memory.sizes_.event_bytes,
                            all || role == Role::broker);
  ok = ok && events_.base() != nullptr;
  requests_.resize(memory.slot_count());
  replies_.resize(memory.slot_count());
  for (std::uint32_t i = 0; ok && i < memory.slot_count(); ++i) {
    if (role == Role::observer || (is_worker && i != slot)) continue;
    requests_[i] = MirrorRing::map(memory.fd_, memory.requests_offset(i),
                                   memory.sizes_.request_bytes, all || is_worker);
    replies_[i] = MirrorRing::map(memory.fd_, memory.replies_offset(i), memory.sizes_.reply_bytes,
                                  !is_worker);
    ok = requests_[i].base() != nullptr && replies_[i].base() != nullptr;
  }
  return ok && header().magic == BusHeader::kMagic &&
         header().layout_version == BusHeader::kLayoutVersion;
}

BusGenerations& BusView::generations(std::uint32_t slot) const {
  SPATE_CHECK(slot < slot_count());
  return reinterpret_cast<BusGenerations*>(words_ + sizeof(BusGenerations))[slot + 1];
}

BusBrokerWords& BusView::broker() const {
  return *reinterpret_cast<BusBrokerWords*>(words_ + memory_->broker_offset());
}

BusServedWords& BusView::served(std::uint32_t slot) const {
  SPATE_CHECK(slot < slot_count());
  return reinterpret_cast<BusServedWords*>(words_ + memory_->broker_offset() +
                                           sizeof(BusBrokerWords))[slot];
}

BusWorkerWords& BusView::worker(std::uint32_t slot) const {
  SPATE_CHECK(slot < slot_count());
  return *reinterpret_cast<BusWorkerWords*>(words_ + memory_->worker_offset(slot));
}

WakeWord& BusView::wake_word(std::uint32_t slot) const {
  return reinterpret_cast<WakeWord*>(words_ + memory_->wake_offset())[slot];
}

std::atomic<std::int64_t>& BusView::rate_word() const {
  return *reinterpret_cast<std::atomic<std::int64_t>*>(&wake_word(slot_count() + 1));
}

RingWriter BusView::requests_writer(std::uint32_t slot) const {
  return {worker(slot).requests, requests_[slot].base(), requests_[slot].capacity(), hook_};
}

RingReader BusView::requests_reader(std::uint32_t slot) const {
  return {worker(slot).requests, requests_[slot].base(), requests_[slot].capacity()};
}

RingWriter BusView::replies_writer(std::uint32_t slot) const {
  return {served(slot).replies, replies_[slot].base(), replies_[slot].capacity(), hook_};
}

RingReader BusView::replies_reader(std::uint32_t slot) const {
  return {served(slot).replies, replies_[slot].base(), replies_[slot].capacity()};
}

void BusView::wake(WakeWord& word, int fd) {
  if (!word.take()) return;
  const std::uint64_t one = 1;
  (void)sys::write(fd, &one, sizeof one);
}

void BusView::take_wake(int fd) {
  std::uint64_t count = 0;
  (void)sys::read(fd, &count, sizeof count);
}

}  // namespace spate::core
