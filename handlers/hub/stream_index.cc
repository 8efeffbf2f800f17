// A publication does not move its stream's timer: it would touch four cache lines of strangers. The
// timer goes off at the deadline it was armed for, and is armed again for the one that holds by
// then: once in a stream's time to live.
#include "handlers/hub/stream_index.h"

#include <algorithm>
#include <vector>

#include "handlers/hub/log_record.h"

namespace spate::handlers::hub {

void KeptRing::make_room() {
  if (count_ < capacity_) return;
  const std::uint32_t wider = capacity_ == 0 ? 4 : capacity_ * 2;
  auto places = std::make_unique<core::LogPlace[]>(wider);
  for (std::uint64_t offset = newest_; holds(offset); --offset)
    places[offset & (wider - 1)] = at(offset);
  places_ = std::move(places);
  capacity_ = wider;
}

void KeptRing::push_newest(std::uint64_t offset, core::LogPlace place) {
  SPATE_CHECK(count_ == 0 || offset == newest_ + 1);
  make_room();
  newest_ = offset;
  ++count_;
  at(offset) = place;
}

void KeptRing::push_oldest(core::LogPlace place) {
  SPATE_CHECK(count_ > 0 && oldest() > 1);
  make_room();
  ++count_;
  at(oldest()) = place;
}

StreamIndex::~StreamIndex() {
  std::vector<Stream*> all;
  all.reserve(count());
  for_each([&](Stream& stream) { all.push_back(&stream); });
  for (Stream* const stream : all) slab_.destroy(stream);
}

Stream* StreamIndex::find(std::uint64_t hash, std::string_view channel) const {
  return index_.find(
      hash, [&](const Stream& stream) { return channel_of(log_.read(stream.state)) == channel; });
}

Stream& StreamIndex::create(std::uint64_t hash) {
  Stream* const stream = slab_.create();
  SPATE_CHECK(stream != nullptr);
  stream->hash = hash;
  index_.insert(hash, stream);
  return *stream;
}

void StreamIndex::erase(Stream& stream) {
  unlist(stream);
  if (stream.armed()) wheel_.cancel(stream);
  index_.erase(stream.hash, &stream);
  slab_.destroy(&stream);
}

void StreamIndex::list(Stream& stream) {
  unlist(stream);
  stream.listed = stream.kept.count() > 0 ? Stream::List::keeping : Stream::List::idle;
  list_of(stream).push_newest(stream);
}

void StreamIndex::unlist(Stream& stream) {
  if (stream.listed != Stream::List::none) list_of(stream).remove(stream);
  stream.listed = Stream::List::none;
}

void StreamIndex::arm(Stream& stream, std::int64_t now_ms) {
  constexpr std::int64_t kFarthestMs = std::int64_t{90} * 24 * 3600 * 1000;  // and then again
  std::int64_t deadline_ms = std::min(stream.meta_deadline_ms, now_ms + kFarthestMs);
  if (stream.kept.count() > 0) deadline_ms = std::min(deadline_ms, stream.history_deadline_ms);
  const core::Tick deadline = tick_before(deadline_ms) + 1;
  const bool earlier = static_cast<std::int32_t>(deadline - stream.deadline) < 0;
  if (!stream.armed() || earlier) wheel_.arm(stream, deadline);
}

}  // namespace spate::handlers::hub
