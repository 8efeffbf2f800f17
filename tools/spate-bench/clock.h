// Monotonic time in nanoseconds: the one clock that schedules, latencies and windows share.
#pragma once

#include <ctime>

#include <cstdint>

namespace spate::bench {

inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
inline constexpr std::uint64_t kNsPerMs = 1'000'000;

inline std::uint64_t now_ns() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<std::uint64_t>(at.tv_sec) * kNsPerSecond +
         static_cast<std::uint64_t>(at.tv_nsec);
}

}  // namespace spate::bench
