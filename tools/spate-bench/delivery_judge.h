// Judges what subscribers receive: each publication whole, once and in its publisher's order; takes
// the latencies, and finds out when every subscriber, here and in the other load processes, has a
// publication.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/spate-bench/board.h"
#include "tools/spate-bench/channels.h"
#include "tools/spate-bench/publication.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

class DeliveryJudge {
 public:
  explicit DeliveryJudge(Worker& worker);

  // A subscriber of this process is open and subscribed; or is so no more.
  void joined(std::uint32_t subscriber) { count_subscriptions(subscriber, 1); }
  void left(std::uint32_t subscriber) { count_subscriptions(subscriber, -1); }

  // A whole message. False when no publication is in it.
  bool hear(std::uint32_t subscriber, ConstBytes message, std::uint64_t now);
  // The next publication of a server that parses nothing, known by its place alone.
  void hear_raw(std::uint64_t number, std::uint64_t now);

  // Publishers of whose publications every subscriber has one more, since the last call of clear().
  [[nodiscard]] const std::vector<std::uint32_t>& completed() const { return completed_; }
  void clear_completed() { completed_.clear(); }

  // Whether all subscribers of this process have all that has been published.
  [[nodiscard]] bool all_delivered() const;
  // What this one has not.
  [[nodiscard]] std::uint64_t lost(std::uint32_t subscriber) const;

 private:
  // How far a subscriber has followed a publisher in a channel.
  struct Followed {
    static constexpr std::uint32_t kNothing = ~std::uint32_t{0};
    std::uint32_t expected = kNothing;  // the next round of the channels, modulo their rounds
    std::uint32_t missing = 0;          // overtaken, and not come since
  };
  // How many of a channel's subscribers of this process have a publication.
  struct Spread {
    std::uint64_t key = 0;
    std::uint64_t count = 0;
  };

  [[nodiscard]] std::size_t index_of(std::uint32_t subscriber, std::uint32_t subscription) const {
    return subscriber * std::size_t{options_.subscriptions} + subscription;
  }
  // Of its number over all processes.
  [[nodiscard]] std::uint64_t number_of(std::uint32_t subscriber) const {
    return std::uint64_t{subscriber} + first_id_ - options_.publishers;
  }
  void count_subscriptions(std::uint32_t subscriber, int by);
  [[nodiscard]] std::size_t find(std::string_view text, std::size_t from);
  bool follow(std::size_t subscription, const Publication& publication);
  void check_offset(std::size_t subscription, std::string_view behind);
  void deliver(const Publication& publication, std::size_t bytes, std::uint64_t now);

  Worker& worker_;
  const Options& options_;
  Stats& stats_;
  Board& board_;
  const Channels channels_;
  const std::uint32_t first_id_;
  std::vector<Followed> followed_;      // subscription × publisher
  std::vector<std::uint64_t> offsets_;  // of a subscription's last publication; 0: none yet
  std::vector<Spread> spread_;          // by Board::slot_of
  std::vector<std::uint32_t> completed_;
  std::vector<std::uint32_t> subscribers_;  // open and subscribed, by channel
  std::uint64_t deliveries_ = 0;
  std::size_t marker_at_ = 0;  // where the last message had it: the next has it there too
};

}  // namespace spate::bench
