#include "handlers/hub/result_table.h"

namespace spate::handlers::hub {

ResultTable::~ResultTable() {
  while (Entry* const entry = ages_.oldest()) erase(*entry);
}

void ResultTable::insert(const KeyHash& key, std::int64_t time_ms, core::LogPlace place) {
  Entry* const entry = slab_.create(Entry{key, time_ms, place});
  SPATE_CHECK(entry != nullptr);
  entries_.insert(key[0], entry);
  ages_.push_newest(*entry);
}

void ResultTable::erase(Entry& entry) {
  ages_.remove(entry);
  entries_.erase(entry.key[0], &entry);
  slab_.destroy(&entry);
}

}  // namespace spate::handlers::hub
