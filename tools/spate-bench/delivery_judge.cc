#include "tools/spate-bench/delivery_judge.h"

#include <algorithm>

namespace spate::bench {

DeliveryJudge::DeliveryJudge(Worker& worker)
    : worker_(worker),
      options_(worker.options()),
      stats_(worker.stats()),
      board_(worker.board()),
      followed_(options_.raw ? 0 : worker.connections().size() * options_.publishers),
      spread_(Board::kSlots) {}

std::size_t DeliveryJudge::find(std::string_view text, std::size_t from) {
  if (from == 0 && text.substr(std::min(marker_at_, text.size())).starts_with(Publication::kMarker))
    return marker_at_;
  return text.find(Publication::kMarker, from);
}

bool DeliveryJudge::hear(std::uint32_t subscriber, ConstBytes message, std::uint64_t now) {
  const std::string_view text = as_text(message);
  std::size_t at = find(text, 0);
  if (at == text.npos) return false;
  marker_at_ = at;
  while (at != text.npos) {
    const auto publication = Publication::read(message.subspan(at));
    if (!publication || publication->publisher >= options_.publishers) {
      stats_.error(Error::corrupted);
      return true;
    }
    const std::size_t size =
        options_.sizes
            .distinct()[options_.sizes.index_of(publication->publisher, publication->number)];
    if (size > message.size() - at) {
      stats_.error(Error::wrong_length);
      return true;
    }
    if (!publication->filler_matches(message.subspan(at, size))) stats_.error(Error::corrupted);
    if (follow(subscriber, *publication))
      deliver(publication->publisher * Publication::kNumbers + publication->number,
              publication->due_ns, size, now);
    at = at + size < text.size() ? find(text, at + size) : text.npos;
  }
  return true;
}

void DeliveryJudge::hear_raw(std::uint64_t number, std::uint64_t now) {
  const std::uint64_t due_ns = board_.raw_due_ns[number % Board::kSlots];
  deliver(number % Publication::kNumbers, due_ns, options_.sizes.largest(), now);
}

// False when it came before. What is overtaken counts as lost at the end, unless it still comes.
bool DeliveryJudge::follow(std::uint32_t subscriber, const Publication& publication) {
  Followed& followed =
      followed_[subscriber * std::size_t{options_.publishers} + publication.publisher];
  const auto number = static_cast<std::uint32_t>(publication.number);
  // Without a confirmation nobody knows where a subscription began: with what comes first.
  if (followed.expected == Followed::kNothing)
    followed.expected = options_.ready_when.empty() ? number : 0;
  constexpr unsigned kUnused = 4;  // of 32 bits 28 count
  const auto off = static_cast<std::int32_t>((number - followed.expected) << kUnused) >> kUnused;
  if (off >= 0) {
    followed.missing += static_cast<std::uint32_t>(off);
    followed.expected = (number + 1) % static_cast<std::uint32_t>(Publication::kNumbers);
    return true;
  }
  stats_.error(followed.missing > 0 ? Error::reordered : Error::duplicated);
  if (followed.missing == 0) return false;
  --followed.missing;
  return true;
}

void DeliveryJudge::deliver(std::uint64_t key, std::uint64_t due_ns, std::size_t bytes,
                            std::uint64_t now) {
  stats_.received.add();
  stats_.received_bytes.add(bytes);
  ++deliveries_;
  const bool measured = worker_.measured(due_ns);
  if (measured) stats_.latency.record(now - std::min(now, due_ns));
  Spread& spread = spread_[Board::slot_of(key)];
  if (spread.key != key + 1) spread = {key + 1, 0};
  if (++spread.count != subscribers_ || !board_.process_has(key)) return;
  if (measured) stats_.last_latency.record(now - std::min(now, due_ns));
  completed_.push_back(static_cast<std::uint32_t>(key / Publication::kNumbers));
}

std::uint64_t DeliveryJudge::lost(std::uint32_t subscriber) const {
  std::uint64_t sum = 0;
  for (std::uint32_t id = 0; id < options_.publishers; ++id) {
    const Followed& one = followed(subscriber, id);
    const std::uint64_t published = board_.published[id];
    sum += one.missing + (one.expected == Followed::kNothing
                              ? published
                              : (published - one.expected) % Publication::kNumbers);
  }
  return sum;
}

}  // namespace spate::bench
