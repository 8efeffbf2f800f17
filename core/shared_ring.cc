#include "core/shared_ring.h"

#include <algorithm>

namespace spate::core {

namespace {

constexpr std::uint64_t first_word(std::uint32_t bytes, std::uint8_t kind) {
  return std::uint64_t{bytes} | std::uint64_t{kind} << 32;
}

}  // namespace

std::uint64_t RingWriter::append(std::uint8_t kind, std::uint64_t tag, ConstBytes payload) {
  const std::size_t bytes = ring_record_bytes(payload.size());
  SPATE_CHECK(bytes <= capacity_);
  const std::uint64_t begin = head();
  const std::uint64_t number = words_.count.load(std::memory_order_relaxed);
  // Where a writer that was killed has written, behind its claim, there is nothing left to read.
  words_.claimed.store(std::max(words_.claimed.load(std::memory_order_relaxed), begin + bytes),
                       std::memory_order_release);
  hook_.stored();
  std::byte* to = data_ + (begin & (capacity_ - 1));
  store_word(to, first_word(static_cast<std::uint32_t>(payload.size()), kind));
  store_word(to + 8, tag);
  store_word(to + 16, number);
  to += kRingHeaderBytes;
  store_words(to, payload);
  hook_.stored();
  words_.count.store(number + 1, std::memory_order_relaxed);
  hook_.stored();
  // Against the flag of a reader that is about to sleep, which it sets before it looks here again.
  words_.head.store(begin + bytes, std::memory_order_seq_cst);
  hook_.stored();
  return begin;
}

RingRead RingReader::peek(RingRecord& record) const {
  if (cursor_ == head()) return RingRead::nothing;
  const std::byte* const from = at(cursor_);
  const std::uint64_t first = load_word(from);
  record.tag = load_word(from + 8);
  record.number = load_word(from + 16);
  if (lapped()) return RingRead::lapped;
  const auto payload_bytes = static_cast<std::uint32_t>(first);
  const std::size_t bytes = ring_record_bytes(payload_bytes);
  if (bytes > head() - cursor_ || bytes > capacity_) return RingRead::damaged;
  record.kind = static_cast<std::uint8_t>(first >> 32);
  record.begin = cursor_;
  record.end = cursor_ + bytes;
  record.payload = {from + kRingHeaderBytes, payload_bytes};
  return RingRead::record;
}

}  // namespace spate::core
