// What requests with an idempotency key came to, for as long as a repeat gets the same answer. The
// answers are records in the log; here is where they are: about 100 bytes a key.
#pragma once

#include <cstdint>

#include "core/age_list.h"
#include "core/pointer_index.h"
#include "core/record_log.h"
#include "core/slab.h"
#include "handlers/hub/log_record.h"

namespace spate::handlers::hub {

class ResultTable {
 public:
  static constexpr std::int64_t kKeptMs = 5 * 60 * 1000;

  struct Entry {
    KeyHash key;
    std::int64_t time_ms;
    core::LogPlace place;
    Entry* older = nullptr;
    Entry* newer = nullptr;
  };

  ResultTable() = default;
  ~ResultTable();
  ResultTable(const ResultTable&) = delete;
  ResultTable& operator=(const ResultTable&) = delete;

  // Null: none, or none any more.
  Entry* find(const KeyHash& key, std::int64_t now_ms) const {
    Entry* const entry = find(key);
    return entry != nullptr && now_ms - entry->time_ms < kKeptMs ? entry : nullptr;
  }
  // Also what has expired and is still here.
  Entry* find(const KeyHash& key) const {
    return entries_.find(key[0], [&](const Entry& entry) { return entry.key == key; });
  }
  // The key is not there. Times do not go back from one call to the next.
  void insert(const KeyHash& key, std::int64_t time_ms, core::LogPlace place);
  void erase(Entry& entry);
  // The oldest, if its time is over.
  Entry* expired(std::int64_t now_ms) const {
    Entry* const oldest = ages_.oldest();
    return oldest != nullptr && now_ms - oldest->time_ms >= kKeptMs ? oldest : nullptr;
  }

  std::size_t count() const { return entries_.count(); }

 private:
  core::PointerIndex<Entry> entries_;
  core::Slab<Entry> slab_;
  core::AgeList<Entry> ages_;
};

}  // namespace spate::handlers::hub
