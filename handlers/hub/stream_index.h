// The streams of a LogBroker: what is kept of each channel and where in the log it is.
//
// The heap has what is needed to find and expire: 152 to 176 bytes a stream, its place in the table
// included, and 4 to 8 for each publication that it keeps. Everything else, the channel's name
// too, is read from the record that tells of the stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/age_list.h"
#include "core/pointer_index.h"
#include "core/record_log.h"
#include "core/slab.h"
#include "core/timer_wheel.h"
#include "handlers/hub/publication.h"

namespace spate::handlers::hub {

// The places of a run of offsets, from oldest() to newest() without a hole.
//
//      | … | 9 | 10 | 11 | 7 | 8 | … |      offset modulo a power of two
class KeptRing {
 public:
  std::uint32_t count() const { return count_; }
  std::uint64_t oldest() const { return newest_ - count_ + 1; }
  std::uint64_t newest() const { return newest_; }
  bool holds(std::uint64_t offset) const { return newest_ - offset < count_; }

  core::LogPlace& at(std::uint64_t offset) const {
    SPATE_CHECK(holds(offset));
    return places_[offset & (capacity_ - 1)];
  }
  // The one behind the newest, or any into an empty ring.
  void push_newest(std::uint64_t offset, core::LogPlace place);
  // The one before the oldest.
  void push_oldest(core::LogPlace place);
  void pop_oldest() {
    if (--count_ == 0) clear();
  }

 private:
  void make_room();
  void clear() {
    places_.reset();
    capacity_ = 0;
  }

  std::unique_ptr<core::LogPlace[]> places_;
  std::uint32_t capacity_ = 0;
  std::uint32_t count_ = 0;
  std::uint64_t newest_ = 0;
};

// One incarnation of a channel's stream. Its timer is armed for its next deadline or earlier.
struct Stream : core::TimerNode {
  std::uint64_t hash = 0;
  std::uint64_t born = 0;
  Epoch epoch;
  std::uint64_t top = 0;
  KeptRing kept;                         // ends at top, unless it is empty
  std::int64_t history_deadline_ms = 0;  // what is kept goes
  std::int64_t meta_deadline_ms = 0;     // the stream is forgotten
  std::int64_t recorded_ms = 0;          // the last use that the log knows of
  Stream* older = nullptr;
  Stream* newer = nullptr;
  core::LogPlace state = core::kNoPlace;  // the record that tells of it
  bool versioned = false;                 // and has a version
  enum class List : std::uint8_t { none, keeping, idle } listed = List::none;

  StreamPosition position() const { return {top, epoch}; }
};

class StreamIndex {
 public:
  StreamIndex(const core::RecordLog& log, std::int64_t now_ms) : log_(log) {
    advance(now_ms, [](Stream&) {});
  }
  ~StreamIndex();
  StreamIndex(const StreamIndex&) = delete;
  StreamIndex& operator=(const StreamIndex&) = delete;

  std::uint64_t hash(std::string_view channel) const {
    return core::siphash64(log_.salt(), channel);
  }
  Stream* find(std::uint64_t hash, std::string_view channel) const;
  // Its state is set before the next find(). Listed by list().
  Stream& create(std::uint64_t hash);
  void erase(Stream& stream);

  // Its last use was now: it becomes the youngest among those that keep something, or among those
  // that do not.
  void list(Stream& stream);
  void unlist(Stream& stream);
  // Who has gone unused the longest; null: there are none.
  Stream* oldest_keeping() const { return keeping_.oldest(); }
  Stream* oldest_idle() const { return idle_.oldest(); }

  // Makes the timer go off once the stream's next deadline has passed, or earlier.
  void arm(Stream& stream, std::int64_t now_ms);
  // Calls `due(Stream&)` for those whose timer went off; it may erase the stream or arm it again.
  template <typename Due>
  void advance(std::int64_t now_ms, Due&& due) {
    wheel_.advance(tick_before(now_ms),
                   [&](core::TimerNode& node) { due(static_cast<Stream&>(node)); });
  }

  template <typename Visit>
  void for_each(Visit&& visit) const {
    index_.for_each(visit);
  }
  std::size_t count() const { return index_.count(); }
  std::size_t bytes() const { return index_.bytes() + slab_.bytes(); }

 private:
  static core::Tick tick_before(std::int64_t ms) {
    return static_cast<core::Tick>(ms * 1'000'000 / core::kTickNs);
  }
  core::AgeList<Stream>& list_of(const Stream& stream) {
    return stream.listed == Stream::List::keeping ? keeping_ : idle_;
  }

  const core::RecordLog& log_;
  core::PointerIndex<Stream> index_;
  core::Slab<Stream> slab_;
  core::TimerWheel wheel_;
  core::AgeList<Stream> keeping_;
  core::AgeList<Stream> idle_;
};

}  // namespace spate::handlers::hub
