// Judges what subscribers receive: each publication whole, once and in its publisher's order; takes
// the latencies, and finds out when every subscriber, here and in the other load processes, has a
// publication.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/spate-bench/board.h"
#include "tools/spate-bench/publication.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

class DeliveryJudge {
 public:
  explicit DeliveryJudge(Worker& worker);

  // Subscribers of this process that are open and subscribed.
  void set_subscribers(std::uint64_t count) { subscribers_ = count; }

  // A whole message. False when no publication is in it.
  bool hear(std::uint32_t subscriber, ConstBytes message, std::uint64_t now);
  // The next publication of a server that parses nothing, known by its place alone.
  void hear_raw(std::uint64_t number, std::uint64_t now);

  // Publishers of whose publications every subscriber has one more, since the last call of clear().
  [[nodiscard]] const std::vector<std::uint32_t>& completed() const { return completed_; }
  void clear_completed() { completed_.clear(); }

  // What all subscribers have received, each publication counted once.
  [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }
  // What this one has not.
  [[nodiscard]] std::uint64_t lost(std::uint32_t subscriber) const;

 private:
  // How far a subscriber has followed a publisher.
  struct Followed {
    static constexpr std::uint32_t kNothing = ~std::uint32_t{0};
    std::uint32_t expected = kNothing;  // the next number, modulo Publication::kNumbers
    std::uint32_t missing = 0;          // overtaken, and not come since
  };
  // How many subscribers of this process have a publication.
  struct Spread {
    std::uint64_t key = 0;
    std::uint64_t count = 0;
  };

  [[nodiscard]] const Followed& followed(std::uint32_t subscriber, std::uint32_t publisher) const {
    return followed_[subscriber * std::size_t{options_.publishers} + publisher];
  }
  [[nodiscard]] std::size_t find(std::string_view text, std::size_t from);
  bool follow(std::uint32_t subscriber, const Publication& publication);
  void deliver(std::uint64_t key, std::uint64_t due_ns, std::size_t bytes, std::uint64_t now);

  Worker& worker_;
  const Options& options_;
  Stats& stats_;
  Board& board_;
  std::vector<Followed> followed_;  // subscriber × publisher; subscribers by Connection::index
  std::vector<Spread> spread_;      // by Board::slot_of
  std::vector<std::uint32_t> completed_;
  std::uint64_t subscribers_ = 0;
  std::uint64_t deliveries_ = 0;
  std::size_t marker_at_ = 0;  // where the last message had it: the next has it there too
};

}  // namespace spate::bench
