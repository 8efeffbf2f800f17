// A ring of records in shared memory that one process writes and others read. Nobody waits: the
// writer either minds a reader's cursor (room()), or laps the reader, who finds out.
//
//      positions count bytes from the ring's beginning and never go back
//      … | record | record | record | staged …        record: | bytes: 4 | kind: 1 | … | tag: 8 |
//                                   ^head                     | number: 8 | payload, padded to 8 |
//
// A record is in the ring when head is behind it: one store. Should the writer be killed before
// that, whoever writes next begins at head again. The memory is mapped twice (core/mirror_ring.h),
// so that no record is ever in two pieces.
//
// Reading while the writer overwrites: the writer says in `claimed` how far it is about to write
// before it does (core/shared_words.h). A copy counts only if claimed is then still within a
// capacity of the cursor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base.h"
#include "core/shared_words.h"

namespace spate::core {

// Written by the ring's writer.
struct alignas(64) RingWords {
  std::atomic<std::uint64_t> head{0};
  std::atomic<std::uint64_t> claimed{0};  // never below head
  std::atomic<std::uint64_t> count{0};    // of records so far
};

// Called after each store that another process can see, for a simulator that ends the process
// there, as a kill would: it may throw.
struct StoreHook {
  void (*call)(void* context) = nullptr;
  void* context = nullptr;

  void stored() const {
    if (call != nullptr) [[unlikely]]
      call(context);
  }
};

struct RingRecord {
  std::uint8_t kind = 0;
  std::uint64_t tag = 0;     // the owner's
  std::uint64_t number = 0;  // among all of the ring, from 0
  std::uint64_t begin = 0;   // its position
  std::uint64_t end = 0;     // of the next
  ConstBytes payload;
};

inline constexpr std::size_t kRingHeaderBytes = 24;
constexpr std::size_t ring_record_bytes(std::size_t payload_bytes) {
  return kRingHeaderBytes + (payload_bytes + 7) / 8 * 8;
}

// `data` is mapped twice, back to back; `capacity` a power of two.
class RingWriter {
 public:
  RingWriter(RingWords& words, std::byte* data, std::size_t capacity, const StoreHook& hook)
      : words_(words), data_(data), capacity_(capacity), hook_(hook) {}

  std::uint64_t head() const { return words_.head.load(std::memory_order_relaxed); }
  // Bytes that can be written without touching what a reader at `cursor` has not read.
  std::size_t room(std::uint64_t cursor) const {
    const std::uint64_t unread = head() - cursor;
    return unread > capacity_ ? 0 : capacity_ - static_cast<std::size_t>(unread);
  }
  std::size_t capacity() const { return capacity_; }

  // A record as one piece, or made of a head and a body. Its beginning.
  std::uint64_t append(std::uint8_t kind, std::uint64_t tag, ConstBytes payload);

 private:
  RingWords& words_;
  std::byte* const data_;
  const std::size_t capacity_;
  const StoreHook& hook_;
};

enum class RingRead : std::uint8_t {
  record,
  nothing,
  lapped,   // what was at the cursor is gone: skip_to_head()
  damaged,  // what is there was not written by a RingWriter
};

class RingReader {
 public:
  RingReader(const RingWords& words, const std::byte* data, std::size_t capacity)
      : words_(words), data_(data), capacity_(capacity) {}

  std::uint64_t cursor() const { return cursor_; }
  void seek(std::uint64_t position) { cursor_ = position; }
  std::uint64_t head() const { return words_.head.load(std::memory_order_seq_cst); }

  // The record at the cursor, in place. Where the writer minds the cursor the payload lives until
  // the cursor that the writer sees has moved on.
  RingRead peek(RingRecord& record) const;
  void pass(const RingRecord& record) { cursor_ = record.end; }
  // Where the writer may lap: the payload is copied to `copy`, which holds a capacity, and passed.
  // `wanted(kind, tag)` says whether the payload is needed; else it is left out.
  template <typename Wanted>
  RingRead next(RingRecord& record, std::byte* copy, Wanted&& wanted) {
    if (const RingRead read = peek(record); read != RingRead::record) return read;
    const bool needed = wanted(record.kind, record.tag);
    if (needed) load_words(copy, at(record.begin + kRingHeaderBytes), record.payload.size());
    if (lapped()) return RingRead::lapped;
    record.payload = {copy, needed ? record.payload.size() : 0};
    cursor_ = record.end;
    return RingRead::record;
  }
  // How many records were passed over is the difference of numbers, once the next one has come.
  void skip_to_head() { cursor_ = head(); }

 private:
  const std::byte* at(std::uint64_t position) const { return data_ + (position & (capacity_ - 1)); }
  bool lapped() const {
    return words_.claimed.load(std::memory_order_acquire) - cursor_ > capacity_;
  }

  const RingWords& words_;
  const std::byte* const data_;
  const std::size_t capacity_;
  std::uint64_t cursor_ = 0;
};

}  // namespace spate::core
