// What a broker knows, out of its log. Records of a stream come in any order, since copying forward
// moves old ones behind new ones, and now and then twice, where the last broker was killed between
// making a copy and freeing the original. So everything is collected first: of each stream the
// latest incarnation and the record that tells most of it, and all of its publications, which are
// then sorted. What nobody wants after that, the last broker had no time to mark.
#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "handlers/hub/log_broker.h"

namespace spate::handlers::hub {

class LogBroker::Rebuild {
 public:
  Rebuild(LogBroker& broker, std::int64_t now) : broker_(broker), now_(now) {}

  void see(const core::RecordLog::Record& record) {
    const auto decoded = decode(record);
    damaged_ = damaged_ || !decoded || !readable(*decoded, record);
    if (damaged_) return;
    if (decoded->kind == RecordKind::user) return see_user(*decoded, record.place);
    if (decoded->result)
      results_.push_back({decoded->result->time_ms, decoded->result->key, record.place});
    Stream* const stream = decoded->of_stream() ? see_stream(*decoded, record.place) : nullptr;
    found_.push_back({stream, decoded->stream.born, decoded->stream.offset, record.place,
                      decoded->of_history()});
  }
  bool damaged() const { return damaged_; }

  void finish() {
    find_results();
    find_histories();
    for (const Found& each : found_)
      broker_.release(wanted_by_stream(each) ? each.stream : nullptr, each.place);
    begin_streams();
    broker_.metrics_->results.set(broker_.results_.count());
  }

 private:
  struct Found {
    Stream* stream;
    std::uint64_t born;
    std::uint64_t offset;
    core::LogPlace place;
    bool of_history;
  };
  struct FoundResult {
    std::int64_t time_ms;
    KeyHash key;
    core::LogPlace place;
  };

  // Its lists too: later they are taken for granted.
  bool readable(const DecodedRecord& decoded, const core::RecordLog::Record& record) {
    if (decoded.kind != RecordKind::publication) return true;
    const bool whole = broker_.reader_.add(record);
    broker_.reader_.clear();
    return whole;
  }

  // Of two copies the later one.
  void see_user(const DecodedRecord& record, core::LogPlace place) {
    const bool told = record.mark == RecordMark::told;
    if (core::LogPlace* const other = broker_.users_.place_of(record.user.name))
      broker_.log_.kill(std::exchange(*other, place));
    else
      broker_.users_.restore(record.user.name, place, record.user.since_ms, told, now_);
  }

  static bool wanted_by_stream(const Found& each) {
    return each.stream != nullptr && each.born == each.stream->born;
  }

  Stream* see_stream(const DecodedRecord& record, core::LogPlace place) {
    const std::uint64_t hash = broker_.streams_.hash(record.stream.channel);
    Stream* stream = broker_.streams_.find(hash, record.stream.channel);
    if (stream == nullptr) {
      stream = &broker_.streams_.create(hash);
    } else if (record.stream.born < stream->born ||
               (record.stream.born == stream->born && !tells_more(record, *stream))) {
      return stream;
    }
    stream->born = record.stream.born;
    stream->epoch = record.stream.epoch;
    stream->top = record.stream.offset;
    stream->recorded_ms = record.used_ms;
    stream->state = place;
    return stream;
  }

  // A later record of the same says at least as much; but a publication does not know what was
  // removed, and so a state goes before it.
  bool tells_more(const DecodedRecord& record, const Stream& stream) const {
    const auto rank = [](std::uint64_t offset, std::int64_t used_ms, RecordKind kind) {
      return std::tuple(offset, used_ms, kind == RecordKind::state);
    };
    const DecodedRecord last = broker_.decode_at(stream.state);
    return rank(record.stream.offset, record.used_ms, record.kind) >=
           rank(stream.top, stream.recorded_ms, last.kind);
  }

  void find_results() {
    std::ranges::stable_sort(results_, {}, &FoundResult::time_ms);
    for (const FoundResult& each : results_) {
      if (now_ - each.time_ms >= ResultTable::kKeptMs) continue;
      if (auto* const entry = broker_.results_.find(each.key)) broker_.results_.erase(*entry);
      broker_.results_.insert(each.key, each.time_ms, each.place);
    }
  }

  // Of each stream the run of offsets that ends at its top.
  void find_histories() {
    std::vector<Found> publications;
    std::ranges::copy_if(found_, std::back_inserter(publications), [](const Found& each) {
      return each.of_history && wanted_by_stream(each);
    });
    // Of two copies the later one.
    std::ranges::reverse(publications);
    std::ranges::stable_sort(publications, [](const Found& a, const Found& b) {
      return std::tuple(a.stream, b.offset) < std::tuple(b.stream, a.offset);  // newest first
    });
    const Stream* last = nullptr;
    std::uint64_t next = 0;
    std::uint64_t kept_from = 0;
    for (const Found& each : publications) {
      if (each.stream != last) {
        last = each.stream;
        next = last->top;
        kept_from = broker_.decode_at(last->state).stream.kept_from;
      }
      if (each.offset != next || next < kept_from) continue;
      if (each.stream->kept.count() == 0)
        each.stream->kept.push_newest(each.offset, each.place);
      else
        each.stream->kept.push_oldest(each.place);
      --next;
    }
  }

  // Deadlines, and who was used last.
  void begin_streams() {
    std::vector<Stream*> streams;
    broker_.streams_.for_each([&](Stream& stream) { streams.push_back(&stream); });
    std::ranges::stable_sort(streams, {}, [](const Stream* stream) { return stream->recorded_ms; });
    broker_.metrics_->streams.set(streams.size());
    std::uint64_t kept = 0;
    for (const Stream* const stream : streams) kept += stream->kept.count();
    broker_.metrics_->kept.set(kept);
    for (Stream* const stream : streams) {
      broker_.set_deadlines(*stream);
      broker_.streams_.list(*stream);
      if (broker_.expire(*stream, now_)) broker_.streams_.arm(*stream, now_);
    }
  }

  LogBroker& broker_;
  const std::int64_t now_;
  bool damaged_ = false;
  std::vector<Found> found_;
  std::vector<FoundResult> results_;
};

core::Result<bool> LogBroker::open() {
  Rebuild rebuild(*this, now_ms());
  auto opened = log_.open([&](const core::RecordLog::Record& record) { rebuild.see(record); });
  if (!opened) return opened;
  if (rebuild.damaged()) return core::Failure{"a record of the history's log makes no sense"};
  rebuild.finish();
  metrics_->log_limit.set(log_.segment_count() * std::uint64_t{log_.segment_bytes()});
  metrics_->presence.set(0);
  metrics_->users_online.set(users_.online());
  count_memory();
  return true;
}

}  // namespace spate::handlers::hub
