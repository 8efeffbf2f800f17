// The shared memory of a RecordLog: one sparse memfd that the master makes before it forks, so that
// what is in it outlives every process but the master.
//
//      | header: magic, version, sizes, salt, head | table: a word a segment | segment 0 | 1 | … |
//
// The table says which segments are in use and in which order: 0 for a free one, otherwise its
// number in the stream of segments, counted from 1. `head` is a position in that stream: segment n
// covers the bytes from (n - 1) to n times the size of a segment, and what is below head and in a
// segment that the table names is committed. Offsets, sizes and numbers only; no pointers, no
// locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base.h"
#include "core/result.h"
#include "core/siphash.h"

namespace spate::core {

class LogMemory {
 public:
  static constexpr std::uint64_t kMagic = 0x676f6c6574617073;  // "spatelog"
  static constexpr std::uint64_t kLayoutVersion = 1;
  static constexpr std::size_t kSegmentBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxSegmentBytes = std::size_t{1} << 30;
  static constexpr std::uint32_t kMinSegments = 4;
  // Places in a log are 32 bits, in units of 8 bytes.
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{32} << 30;

  struct Header {
    std::uint64_t magic;
    std::uint64_t layout_version;
    std::uint64_t segment_bytes;
    std::uint64_t segment_count;
    HashKey salt;  // random: for hashes that records carry
    alignas(64) std::atomic<std::uint64_t> head;
  };

  LogMemory() = default;
  ~LogMemory();
  LogMemory(const LogMemory&) = delete;
  LogMemory& operator=(const LogMemory&) = delete;

  // In the master, before any fork: as many segments as fit into `bytes`, which are used up only as
  // records come. `segment_bytes` is a multiple of the page. 0 or a negative errno; -EINVAL when
  // fewer than kMinSegments fit, or more than kMaxBytes are asked for.
  int create(std::uint64_t bytes, std::size_t segment_bytes = kSegmentBytes);

  // In a process that only reads what another writes (core/log_reader.h): a store would end it.
  void make_read_only();
  // Forgets all, when no process writes or reads: what is left to do about a damaged log.
  void clear();
  // Whether the header is one that this program wrote; if not, why.
  Result<bool> check() const;

  Header& header() const { return *reinterpret_cast<Header*>(base_); }
  std::atomic<std::uint64_t>& table(std::uint32_t segment) const {
    SPATE_CHECK(segment < segment_count_);
    return reinterpret_cast<std::atomic<std::uint64_t>*>(base_ + kHeaderBytes)[segment];
  }
  // The first of all segments, one behind another.
  std::byte* segments() const { return base_ + data_offset_; }
  std::size_t segment_bytes() const { return segment_bytes_; }
  std::uint32_t segment_count() const { return segment_count_; }
  // Gives the pages of adjacent segments back. Where that fails they stay, and are written over.
  void punch(std::uint32_t segment, std::uint32_t count);

 private:
  static constexpr std::size_t kHeaderBytes = 4096;
  static_assert(sizeof(Header) <= kHeaderBytes);

  void write_header();

  std::byte* base_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::size_t data_offset_ = 0;
  std::size_t segment_bytes_ = 0;
  std::uint32_t segment_count_ = 0;
  int fd_ = -1;
};

}  // namespace spate::core
