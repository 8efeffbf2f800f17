#include "tools/spate-bench/delivery_judge.h"

#include <algorithm>
#include <charconv>

namespace spate::bench {

DeliveryJudge::DeliveryJudge(Worker& worker)
    : worker_(worker),
      options_(worker.options()),
      stats_(worker.stats()),
      board_(worker.board()),
      channels_(options_),
      first_id_(options_.first_id(worker.number())),
      spread_(Board::kSlots),
      subscribers_(channels_.count()) {
  if (options_.raw) return;
  const std::size_t subscriptions = worker.connections().size() * options_.subscriptions;
  followed_.resize(subscriptions * options_.publishers);
  if (!options_.offset_mark.empty()) offsets_.resize(subscriptions);
}

void DeliveryJudge::count_subscriptions(std::uint32_t subscriber, int by) {
  for (std::uint32_t i = 0; i < options_.subscriptions; ++i)
    subscribers_[channels_.of(number_of(subscriber), i)] += static_cast<std::uint32_t>(by);
}

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
    const std::size_t next = at + size < text.size() ? find(text, at + size) : text.npos;
    const std::uint32_t place =
        channels_.place(number_of(subscriber), channels_.channel_of(publication->number));
    if (place >= options_.subscriptions) {
      stats_.error(Error::wrong_channel);
    } else if (follow(index_of(subscriber, place), *publication)) {
      if (!offsets_.empty())
        check_offset(index_of(subscriber, place),
                     text.substr(at + size, std::min(next, text.size()) - at - size));
      deliver(*publication, size, now);
    }
    at = next;
  }
  return true;
}

void DeliveryJudge::hear_raw(std::uint64_t number, std::uint64_t now) {
  deliver({.number = number % Publication::kNumbers,
           .due_ns = board_.raw_due_ns[number % Board::kSlots]},
          options_.sizes.largest(), now);
}

// False when it came before. What is overtaken counts as lost at the end, unless it still comes.
bool DeliveryJudge::follow(std::size_t subscription, const Publication& publication) {
  Followed& followed = followed_[subscription * options_.publishers + publication.publisher];
  const std::uint32_t rounds = channels_.rounds();
  const std::uint32_t round = channels_.round_of(publication.number);
  // Without a confirmation nobody knows where a subscription began: with what comes first.
  if (followed.expected == Followed::kNothing)
    followed.expected = options_.ready_when.empty() ? round : 0;
  const std::uint32_t ahead = (round + rounds - followed.expected) % rounds;
  if (ahead <= rounds / 2) {
    followed.missing += ahead;
    followed.expected = (round + 1) % rounds;
    return true;
  }
  stats_.error(followed.missing > 0 ? Error::reordered : Error::duplicated);
  if (followed.missing == 0) return false;
  --followed.missing;
  return true;
}

void DeliveryJudge::check_offset(std::size_t subscription, std::string_view behind) {
  const std::size_t mark = behind.find(options_.offset_mark);
  if (mark == behind.npos) return;
  const char* const digits = behind.data() + mark + options_.offset_mark.size();
  std::uint64_t offset = 0;
  std::from_chars(digits, behind.data() + behind.size(), offset);
  std::uint64_t& last = offsets_[subscription];
  if (last != 0 && offset != last + 1) stats_.error(Error::wrong_offset);
  last = offset;
}

void DeliveryJudge::deliver(const Publication& publication, std::size_t bytes, std::uint64_t now) {
  stats_.received.add();
  stats_.received_bytes.add(bytes);
  ++deliveries_;
  const std::uint64_t due_ns = publication.due_ns;
  const bool measured = worker_.measured(due_ns);
  if (measured) stats_.latency.record(now - std::min(now, due_ns));
  const std::uint32_t channel = channels_.channel_of(publication.number);
  const std::uint64_t key = publication.publisher * Publication::kNumbers + publication.number;
  Spread& spread = spread_[Board::slot_of(key)];
  if (spread.key != key + 1) spread = {key + 1, 0};
  if (++spread.count != subscribers_[channel] ||
      !board_.process_has(key, channels_.procs_with(channel)))
    return;
  if (measured) stats_.last_latency.record(now - std::min(now, due_ns));
  completed_.push_back(publication.publisher);
}

bool DeliveryJudge::all_delivered() const {
  std::uint64_t sum = 0;
  for (std::uint32_t id = 0; id < options_.publishers; ++id)
    for (std::uint32_t channel = 0; channel < channels_.count(); ++channel)
      sum += channels_.published_to(channel, board_.published[id]) * subscribers_[channel];
  return deliveries_ >= sum;
}

std::uint64_t DeliveryJudge::lost(std::uint32_t subscriber) const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < options_.subscriptions; ++i) {
    const std::uint32_t channel = channels_.of(number_of(subscriber), i);
    for (std::uint32_t id = 0; id < options_.publishers; ++id) {
      const Followed& one = followed_[index_of(subscriber, i) * options_.publishers + id];
      const std::uint64_t published = channels_.published_to(channel, board_.published[id]);
      sum += one.missing + (one.expected == Followed::kNothing
                                ? published
                                : (published - one.expected) % channels_.rounds());
    }
  }
  return sum;
}

}  // namespace spate::bench
