// Deaths are marked in the records themselves. To tell them from what the survivors say ("kept from
// here on") would need a record for each stream that is forgotten, which has to live as long as any
// segment that may hold an older record of that stream, and so fills the log when memory is short.
#include "core/record_log.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace spate::core {

namespace {

struct RecordHeader {
  std::uint32_t payload_bytes;
  std::uint8_t kind;
  std::uint8_t mark;
  std::uint16_t needed_units;  // of 8 bytes, header and all; 0: every byte
};
static_assert(sizeof(RecordHeader) == RecordLog::kHeaderBytes);

// All of it but the length is one word: what a mark changes, in one store.
constexpr std::size_t kMarkOffset = 4;
constexpr std::size_t kMaxUnits = 0xFFFF;

std::size_t needed_bytes(const RecordHeader& header) {
  if (header.needed_units != 0) return header.needed_units * std::size_t{8};
  return RecordLog::kHeaderBytes + (header.payload_bytes + std::size_t{7}) / 8 * 8;
}

}  // namespace

Result<bool> RecordLog::open(const std::function<void(const Record&)>& visit) {
  if (auto checked = memory_.check(); !checked) return checked;
  std::vector<std::uint32_t> in_order;
  std::string damage = find_segments(in_order);
  for (std::size_t i = 0; damage.empty() && i < in_order.size(); ++i)
    damage = scan(in_order[i], visit);
  if (!damage.empty()) return Failure{std::move(damage)};
  return true;
}

// Reads the table: what is in use, in which order, and where head is. A segment above head was
// taken for records that were never committed.
std::string RecordLog::find_segments(std::vector<std::uint32_t>& in_order) {
  const std::size_t bytes = segment_bytes();
  segments_.assign(segment_count(), {});
  free_.clear();
  head_ = memory_.header().head.load(std::memory_order_acquire);
  if (head_ % 8 != 0) return "the log's head is no place of a record";
  const std::uint64_t last = head_ == 0 ? 0 : (head_ - 1) / bytes + 1;
  for (std::uint32_t segment = 0; segment < segment_count(); ++segment) {
    std::atomic<std::uint64_t>& entry = memory_.table(segment);
    const std::uint64_t number = entry.load(std::memory_order_relaxed);
    if (number > last) {
      entry.store(0, std::memory_order_relaxed);
      stored();
    } else if (number > 0) {
      segments_[segment].number = number;
      in_order.push_back(segment);
    }
  }
  const auto number_of = [this](std::uint32_t segment) { return segments_[segment].number; };
  std::ranges::sort(in_order, {}, number_of);
  if (std::ranges::adjacent_find(in_order, {}, number_of) != in_order.end())
    return "two of the log's segments have the same number";
  if (last > 0 && (in_order.empty() || number_of(in_order.back()) != last))
    return "the segment that the log's head is in is missing";
  current_ = last == 0 ? kNone : in_order.back();
  offset_ = last == 0 ? 0 : head_ - (last - 1) * bytes;

  // Backwards, so that the first ones are taken first. A writer that was killed may have left pages
  // in them.
  std::uint32_t run = 0;
  for (std::uint32_t segment = segment_count(); segment-- > 0;) {
    const bool free = segments_[segment].number == 0;
    if (free) free_.push_back(segment);
    if (free) ++run;
    if (run > 0 && (!free || segment == 0)) {
      memory_.punch(free ? segment : segment + 1, run);
      run = 0;
    }
  }
  return {};
}

std::string RecordLog::scan(std::uint32_t segment,
                            const std::function<void(const Record&)>& visit) {
  const std::size_t end = end_of(segment);
  std::size_t offset = 0;
  while (offset < end) {
    const LogPlace place = place_of(segment, offset);
    const auto header = load<RecordHeader>(at(place));
    const std::size_t bytes = record_bytes(header.payload_bytes);
    if (bytes > end - offset)
      return "the record at byte " + std::to_string(offset) + " of the log's segment " +
             std::to_string(segment) + " says that it has " + std::to_string(header.payload_bytes) +
             " bytes, more than there are";
    offset += bytes;
    if (header.kind == kFiller || header.mark == kDead) continue;
    const std::size_t needed = needed_bytes(header);
    if (needed > bytes)
      return "the record at byte " + std::to_string(offset - bytes) + " of the log's segment " +
             std::to_string(segment) + " needs more bytes than it has";
    segments_[segment].live_bytes += static_cast<std::uint32_t>(needed);
    live_bytes_ += needed;
    visit({header.kind, header.mark, place, {at(place) + kHeaderBytes, header.payload_bytes}});
  }
  return {};
}

bool RecordLog::fits(std::size_t payload_bytes) const {
  return record_bytes(payload_bytes) <= rest() || free_.size() > kReserve;
}

std::byte* RecordLog::stage(Kind kind, std::size_t payload_bytes, LogPlace* place) {
  SPATE_CHECK(kind != kFiller && can_hold(payload_bytes));
  const std::size_t bytes = record_bytes(payload_bytes);
  if (bytes > rest()) begin_segment();
  *place = place_of(current_, offset_);
  store(at(*place), RecordHeader{static_cast<std::uint32_t>(payload_bytes), kind, 0, 0});
  stored();
  offset_ += bytes;
  head_ += bytes;
  segments_[current_].live_bytes += static_cast<std::uint32_t>(bytes);
  live_bytes_ += bytes;
  return at(*place) + kHeaderBytes;
}

void RecordLog::begin_segment() {
  if (rest() > 0) {
    // What is left over is smaller than a segment, and so than 4 GiB.
    const auto payload_bytes = static_cast<std::uint32_t>(rest() - kHeaderBytes);
    store(at(place_of(current_, offset_)), RecordHeader{payload_bytes, kFiller, 0, 0});
    stored();
  }
  SPATE_CHECK(!free_.empty());
  const std::uint32_t segment = free_.back();
  free_.pop_back();
  const std::uint64_t number = current_ == kNone ? 1 : segments_[current_].number + 1;
  memory_.table(segment).store(number, std::memory_order_relaxed);
  stored();
  segments_[segment] = {number, 0};
  current_ = segment;
  offset_ = 0;
  head_ = (number - 1) * segment_bytes();
}

void RecordLog::commit() {
  std::atomic<std::uint64_t>& head = memory_.header().head;
  if (head.load(std::memory_order_relaxed) == head_) return;
  stored();
  head.store(head_, std::memory_order_release);
  stored();
}

RecordLog::Record RecordLog::read(LogPlace place) const {
  const std::uint32_t segment = segment_of(place);
  SPATE_CHECK(segment < segment_count());
  const std::size_t offset = std::uint64_t{place} * 8 - segment * std::uint64_t{segment_bytes()};
  const auto header = load<RecordHeader>(at(place));
  // Every one was measured when it was staged or scanned: this would be somebody's writing into it.
  SPATE_CHECK(record_bytes(header.payload_bytes) <= segment_bytes() - offset);
  return {header.kind, header.mark, place, {at(place) + kHeaderBytes, header.payload_bytes}};
}

void RecordLog::kill(LogPlace place) {
  set_mark(place, kDead, 0);
}

void RecordLog::shrink(LogPlace place, Mark mark, std::size_t payload_bytes) {
  SPATE_CHECK(mark != kDead && payload_bytes <= read(place).payload.size());
  set_mark(place, mark, record_bytes(payload_bytes));
}

void RecordLog::set_mark(LogPlace place, Mark mark, std::size_t live_bytes) {
  const auto header = load<RecordHeader>(at(place));
  SPATE_CHECK(header.mark != kDead);
  const std::size_t units = live_bytes / 8;
  RecordHeader next = header;
  next.mark = mark;
  next.needed_units = static_cast<std::uint16_t>(units <= kMaxUnits ? units : 0);
  std::uint32_t word;
  std::memcpy(&word, reinterpret_cast<const std::byte*>(&next) + kMarkOffset, sizeof word);
  // Not before the commit of what takes its place.
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(at(place) + kMarkOffset))
      .store(word, std::memory_order_release);
  stored();
  const std::size_t before = needed_bytes(header);
  const std::size_t after = mark == kDead ? 0 : needed_bytes(next);
  segments_[segment_of(place)].live_bytes -= static_cast<std::uint32_t>(before - after);
  live_bytes_ -= before - after;
}

std::uint32_t RecordLog::free_dead_segments() {
  std::uint32_t count = 0;
  for (std::uint32_t segment = 0; segment < segment_count(); ++segment) {
    if (segments_[segment].number == 0 || segments_[segment].live_bytes > 0) continue;
    if (segment == current_) continue;
    free_segment(segment);
    ++count;
  }
  return count;
}

void RecordLog::free_segment(std::uint32_t segment) {
  SPATE_CHECK(segments_[segment].number != 0 && segment != current_);
  // Not before the commit of the copies.
  memory_.table(segment).store(0, std::memory_order_release);
  stored();
  memory_.punch(segment, 1);
  stored();
  live_bytes_ -= segments_[segment].live_bytes;
  segments_[segment] = {};
  free_.push_back(segment);
}

std::optional<RecordLog::Emptiest> RecordLog::emptiest() const {
  std::optional<Emptiest> found;
  for (std::uint32_t segment = 0; segment < segment_count(); ++segment) {
    const Segment& each = segments_[segment];
    if (each.number == 0 || segment == current_) continue;
    if (!found || each.live_bytes < found->live_bytes) found = {segment, each.live_bytes};
  }
  return found;
}

void RecordLog::for_each_live(std::uint32_t segment,
                              const std::function<void(const Record&)>& visit) const {
  const std::size_t end = end_of(segment);
  for (std::size_t offset = 0; offset < end;) {
    const Record record = read(place_of(segment, offset));
    offset += record_bytes(record.payload.size());
    if (record.kind != kFiller && record.mark != kDead) visit(record);
  }
}

std::uint64_t RecordLog::room_bytes() const {
  return rest() + free_.size() * std::uint64_t{segment_bytes()};
}

std::uint64_t RecordLog::used_bytes() const {
  return (segment_count() - free_.size()) * std::uint64_t{segment_bytes()};
}

}  // namespace spate::core
