#include "core/log_memory.h"

#include <cerrno>
#include <new>

#include "core/sys.h"

namespace spate::core {

namespace {

constexpr std::size_t kPage = 4096;

}  // namespace

LogMemory::~LogMemory() {
  if (base_ != nullptr) sys::unmap(base_, mapped_bytes_);
  if (fd_ >= 0) sys::close(fd_);
}

int LogMemory::create(std::uint64_t bytes, std::size_t segment_bytes) {
  if (segment_bytes == 0 || segment_bytes % kPage != 0 || segment_bytes > kMaxSegmentBytes ||
      bytes > kMaxBytes || bytes / segment_bytes < kMinSegments)
    return -EINVAL;
  const std::uint64_t count = bytes / segment_bytes;
  const std::size_t table_bytes = (count * sizeof(std::uint64_t) + kPage - 1) / kPage * kPage;
  const std::size_t offset = kHeaderBytes + table_bytes;
  const std::size_t all = offset + count * segment_bytes;

  const int fd = sys::memfd_create("spate-log");
  if (fd < 0) return fd;
  if (const int error = sys::ftruncate(fd, all); error < 0) {
    sys::close(fd);
    return error;
  }
  std::byte* const at = sys::reserve(all);
  if (at == nullptr || !sys::map_shared(at, all, fd, 0)) {
    if (at != nullptr) sys::unmap(at, all);
    sys::close(fd);
    return -ENOMEM;
  }
  fd_ = fd;
  base_ = at;
  mapped_bytes_ = all;
  data_offset_ = offset;
  segment_bytes_ = segment_bytes;
  segment_count_ = static_cast<std::uint32_t>(count);
  write_header();
  return 0;
}

void LogMemory::write_header() {
  Header* const header = new (base_) Header{};
  header->layout_version = kLayoutVersion;
  header->segment_bytes = segment_bytes_;
  header->segment_count = segment_count_;
  sys::random(std::as_writable_bytes(std::span(header->salt)));
  header->magic = kMagic;
}

void LogMemory::make_read_only() {
  SPATE_CHECK(sys::map_shared(base_, mapped_bytes_, fd_, 0, false));
}

void LogMemory::clear() {
  for (std::uint32_t segment = 0; segment < segment_count_; ++segment)
    table(segment).store(0, std::memory_order_relaxed);
  punch(0, segment_count_);
  write_header();
}

Result<bool> LogMemory::check() const {
  const Header& header = this->header();
  if (header.magic != kMagic) return Failure{"the log's memory does not begin as a log"};
  if (header.layout_version != kLayoutVersion)
    return Failure{"the log has layout version " + std::to_string(header.layout_version) +
                   ", this program reads " + std::to_string(kLayoutVersion)};
  if (header.segment_bytes != segment_bytes_ || header.segment_count != segment_count_)
    return Failure{"the log's header tells other sizes than its memory was made with"};
  return true;
}

void LogMemory::punch(std::uint32_t segment, std::uint32_t count) {
  (void)sys::punch_hole(fd_, data_offset_ + segment * std::uint64_t{segment_bytes_},
                        count * std::uint64_t{segment_bytes_});
}

}  // namespace spate::core
