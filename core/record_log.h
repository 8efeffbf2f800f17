// A segmented append-only log of records in shared memory (core/log_memory.h). One process writes
// it at a time; whoever comes after a writer that was killed opens it, is shown every record that
// was committed, and goes on behind them.
//
//      segment:  | record | record | … | record | filler |      a record never crosses its end
//      record:   | bytes: 4 | kind: 1 | mark: 1 | needed: 2 | payload, padded to 8 |
//
// Staged records lie behind head, where nobody reads; one release-store of head commits them all.
// The order of the log is the order of commits.
//
// Whether a record still matters is its owner's to say: kill() marks it dead, which is a store into
// the record, so that a later scan passes over it; shrink() leaves a mark of the owner's own, and
// how much of it is still needed. A segment in which all are dead is freed: its table entry is
// cleared, then its pages go back to the kernel. Where live records are thinly spread, the owner
// copies what it needs of the emptiest segment forward. A copy is committed before its original
// goes: after a crash between the two there are both, and the owner drops one.
//
// What is needed in each segment is counted on the heap (4 bytes a segment) and found again by the
// scan. Lengths that are read back are checked against segment and head: a damaged log is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base.h"
#include "core/log_memory.h"
#include "core/result.h"

namespace spate::core {

// Where a record begins: units of 8 bytes from the first segment. Holds while the record lives.
using LogPlace = std::uint32_t;
inline constexpr LogPlace kNoPlace = 0xFFFFFFFF;

class RecordLog {
 public:
  using Kind = std::uint8_t;  // the owner's, above 0
  using Mark = std::uint8_t;  // the owner's, below 255; 0: none yet

  struct Record {
    Kind kind = 0;
    Mark mark = 0;
    LogPlace place = kNoPlace;
    ConstBytes payload;
  };

  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kKindOffset = 4;  // in it, behind the payload's bytes
  // Free segments that only copying forward may use.
  static constexpr std::uint32_t kReserve = 1;

  explicit RecordLog(LogMemory& memory) : memory_(memory) {}
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;

  // Shows every committed record that is not dead, oldest commit first, and makes the log ready to
  // be written. The visitor may kill the records that it has seen. The error says what is damaged.
  Result<bool> open(const std::function<void(const Record&)>& visit);

  // A payload of this size can be stored at all.
  bool can_hold(std::size_t payload_bytes) const {
    return payload_bytes <= memory_.segment_bytes() - kHeaderBytes;
  }
  // There is room for it now, without the reserve.
  bool fits(std::size_t payload_bytes) const;

  // Room for a record's payload behind head, to be written before commit(). The caller has asked
  // fits(), or copies survivors of one segment while a segment is free.
  std::byte* stage(Kind kind, std::size_t payload_bytes, LogPlace* place);
  // All that was staged is in the log; one store. Nothing staged: nothing happens.
  void commit();

  // Of a record that is committed or staged, and lives.
  Record read(LogPlace place) const;
  // It is not needed any more. Once only.
  void kill(LogPlace place);
  // It lives, but when it is copied so many bytes will do; no more than it has. The mark stays when
  // the writer is killed.
  void shrink(LogPlace place, Mark mark, std::size_t payload_bytes);

  // Frees the segments in which nothing lives: their records' views end. How many.
  std::uint32_t free_dead_segments();
  // Frees a complete segment, all that lived in it having been copied and committed elsewhere.
  void free_segment(std::uint32_t segment);
  // The segment with the least in it, among those that are complete.
  struct Emptiest {
    std::uint32_t segment;
    std::size_t live_bytes;
  };
  std::optional<Emptiest> emptiest() const;
  // Each record of a segment that is not dead, in order. The visitor may stage and kill.
  void for_each_live(std::uint32_t segment, const std::function<void(const Record&)>& visit) const;

  const HashKey& salt() const { return memory_.header().salt; }
  std::uint64_t head() const { return head_; }  // with what is staged
  std::size_t segment_bytes() const { return memory_.segment_bytes(); }
  std::uint32_t segment_count() const { return memory_.segment_count(); }
  std::uint32_t free_segments() const { return static_cast<std::uint32_t>(free_.size()); }
  // Room for more: free segments, and the rest of the one that is written.
  std::uint64_t room_bytes() const;
  std::uint64_t used_bytes() const;  // of segments that are not free
  std::uint64_t live_bytes() const { return live_bytes_; }

  // Called after each store into shared memory, for a simulator that ends the writer there, as a
  // kill would: it may throw, and then this object is only good for being destroyed.
  using AfterStore = void (*)(void* context);
  void set_after_store(AfterStore call, void* context) {
    after_store_ = call;
    after_store_context_ = context;
  }

 private:
  static constexpr Kind kFiller = 0;
  static constexpr Mark kDead = 0xFF;
  struct Segment {
    std::uint64_t number = 0;  // as in the table
    std::uint32_t live_bytes = 0;
  };

  static std::size_t record_bytes(std::size_t payload_bytes) {
    return kHeaderBytes + (payload_bytes + 7) / 8 * 8;
  }
  std::byte* at(LogPlace place) const { return memory_.segments() + std::uint64_t{place} * 8; }
  LogPlace place_of(std::uint32_t segment, std::size_t offset) const {
    return static_cast<LogPlace>((segment * std::uint64_t{segment_bytes()} + offset) / 8);
  }
  std::uint32_t segment_of(LogPlace place) const {
    return static_cast<std::uint32_t>(std::uint64_t{place} * 8 / segment_bytes());
  }
  // Bytes of the segment that is written that are not.
  std::size_t rest() const { return current_ == kNone ? 0 : segment_bytes() - offset_; }
  std::size_t end_of(std::uint32_t segment) const {
    return segment == current_ ? offset_ : segment_bytes();
  }
  void begin_segment();
  void set_mark(LogPlace place, Mark mark, std::size_t live_bytes);
  std::string find_segments(std::vector<std::uint32_t>& in_order);
  std::string scan(std::uint32_t segment, const std::function<void(const Record&)>& visit);
  void stored() const {
    if (after_store_ != nullptr) [[unlikely]]
      after_store_(after_store_context_);
  }

  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  LogMemory& memory_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> free_;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t head_ = 0;
  std::uint32_t current_ = kNone;  // the segment that is written
  std::size_t offset_ = 0;         // in it, with what is staged
  AfterStore after_store_ = nullptr;
  void* after_store_context_ = nullptr;
};

}  // namespace spate::core
