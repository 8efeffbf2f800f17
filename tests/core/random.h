// Random numbers for tests: the same ones in every run, unless SPATE_SEED asks for others. Each
// test prints the seed it used, so that a failure can be had again.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace spate::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // 0 … bound - 1.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  bool chance(unsigned per_mille) { return below(1000) < per_mille; }
  // Small numbers and large ones about equally often: 0 … 2^bits - 1.
  std::uint64_t spread(unsigned bits) { return engine_() >> (64 - between(1, bits)); }

 private:
  std::mt19937_64 engine_;
};

// The seed of a test that wants one; `index` tells apart the rounds of one test.
inline std::uint64_t test_seed(std::uint64_t index = 0) {
  static const std::uint64_t first = [] {
    const char* const wanted = std::getenv("SPATE_SEED");
    const std::uint64_t seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20250611;
    std::printf("SPATE_SEED=%" PRIu64 "\n", seed);
    return seed;
  }();
  return first + index * 0x9E3779B97F4A7C15u;
}

}  // namespace spate::test
