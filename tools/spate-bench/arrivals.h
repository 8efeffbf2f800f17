// When the next burst is due. Open loop: the schedule never waits for the server.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

#include "tools/spate-bench/clock.h"

namespace spate::bench {

class Arrivals {
 public:
  // `per_second` > 0. Poisson arrivals are what independent clients make; constant ones are a
  // metronome.
  Arrivals(double per_second, bool poisson, std::uint64_t seed)
      : interval_ns_(static_cast<double>(kNsPerSecond) / per_second),
        poisson_(poisson),
        random_(seed) {}

  void start(std::uint64_t at_ns) {
    due_ = static_cast<double>(0);
    origin_ns_ = at_ns;
    advance();
  }
  [[nodiscard]] std::uint64_t due_ns() const {
    return origin_ns_ + static_cast<std::uint64_t>(due_);
  }
  void advance() { due_ += poisson_ ? -std::log(1.0 - uniform()) * interval_ns_ : interval_ns_; }

  // Below `bound`.
  std::uint32_t pick(std::uint32_t bound) {
    return static_cast<std::uint32_t>((random_() >> 32) * bound >> 32);
  }

 private:
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  double interval_ns_;
  bool poisson_;
  std::mt19937_64 random_;
  std::uint64_t origin_ns_ = 0;
  double due_ = 0;  // after origin_ns_; a double counts nanoseconds exactly for 104 days
};

}  // namespace spate::bench
