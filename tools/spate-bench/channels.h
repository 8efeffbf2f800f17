// Who is subscribed to what, and where publications go. They go round the channels; subscribers
// have --subscriptions neighbouring channels each, the next one those that follow:
//
//   --channels 5 --subscriptions 2     subscriber 0: 0 1   1: 2 3   2: 4 0   3: 1 2   4: 3 4
//
// A publisher's numbers start again at a multiple of the channels, so that a number alone tells
// the channel.
#pragma once

#include <cstdint>

#include "tools/spate-bench/options.h"
#include "tools/spate-bench/publication.h"

namespace spate::bench {

class Channels {
 public:
  explicit Channels(const Options& options)
      : options_(options),
        count_(options.channels),
        each_(options.subscriptions),
        rounds_(static_cast<std::uint32_t>(Publication::kNumbers / count_)) {}

  [[nodiscard]] std::uint32_t count() const { return count_; }
  // A publisher's numbers are below; in each round one goes to every channel.
  [[nodiscard]] std::uint64_t numbers() const { return std::uint64_t{rounds_} * count_; }
  [[nodiscard]] std::uint32_t rounds() const { return rounds_; }
  [[nodiscard]] std::uint32_t channel_of(std::uint64_t number) const {
    return static_cast<std::uint32_t>(number % count_);
  }
  [[nodiscard]] std::uint32_t round_of(std::uint64_t number) const {
    return static_cast<std::uint32_t>(number / count_);
  }
  // Of the first `published` publications, how many went to a channel.
  [[nodiscard]] std::uint64_t published_to(std::uint32_t channel, std::uint64_t published) const {
    return (published + count_ - 1 - channel) / count_;
  }

  // Subscribers by their number over all processes.
  [[nodiscard]] std::uint32_t of(std::uint64_t subscriber, std::uint32_t subscription) const {
    return channel_of(subscriber * each_ + subscription);
  }
  // Which of its subscriptions a channel is; what is not below --subscriptions is none.
  [[nodiscard]] std::uint32_t place(std::uint64_t subscriber, std::uint32_t channel) const {
    return channel_of(std::uint64_t{channel} + count_ - of(subscriber, 0));
  }
  // Load processes with a subscriber of a channel.
  [[nodiscard]] std::uint32_t procs_with(std::uint32_t channel) const {
    std::uint32_t procs = 0;
    for (std::uint32_t proc = 0; proc < options_.procs; ++proc) {
      const std::uint64_t first = options_.first_subscriber(proc);
      const std::uint64_t subscriptions = (options_.first_subscriber(proc + 1) - first) * each_;
      procs += place(first, channel) < subscriptions ? 1 : 0;
    }
    return procs;
  }

 private:
  const Options& options_;
  const std::uint32_t count_;
  const std::uint32_t each_;
  const std::uint32_t rounds_;
};

}  // namespace spate::bench
