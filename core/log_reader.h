// Reads records of a log that another process writes (core/record_log.h): at places which that
// process has named, and only if what is there is still what was named. The writer frees segments
// without asking: it clears a segment's number in the table first, so a copy made between two looks
// at the same number is whole.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base.h"
#include "core/log_memory.h"
#include "core/record_log.h"

namespace spate::core {

// What a writer names to a reader in another process.
struct NamedPlace {
  LogPlace place = kNoPlace;
  std::uint32_t number = 0;  // of its segment, the low half
};

class LogReader {
 public:
  explicit LogReader(const LogMemory& memory) : memory_(memory) {}

  // As the writer names it.
  static NamedPlace name(const LogMemory& memory, LogPlace place) {
    return {place, number_at(memory, place)};
  }
  // Appends a copy of the record's payload to `to`. False: it has gone, and nothing was appended.
  bool copy(const NamedPlace& named, std::vector<std::byte>& to, RecordLog::Kind* kind) const;

 private:
  static std::uint32_t number_at(const LogMemory& memory, LogPlace place) {
    const auto segment =
        static_cast<std::uint32_t>(std::uint64_t{place} * 8 / memory.segment_bytes());
    if (segment >= memory.segment_count()) return 0;
    return static_cast<std::uint32_t>(memory.table(segment).load(std::memory_order_acquire));
  }

  const LogMemory& memory_;
};

}  // namespace spate::core
