// What the processes of a storm tell each other, in memory that all share.
#pragma once

#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spate::tests {

inline constexpr std::uint32_t kClientsAChannel = 1000;
inline constexpr std::int64_t kSecondNs = 1'000'000'000;
inline constexpr std::int64_t kMillisecondNs = 1'000'000;
inline constexpr std::size_t kMaxPublications = 10'000;

// Times in buckets of a tenth of a millisecond.
class Times {
 public:
  void add(std::int64_t ns) {
    const auto bucket = static_cast<std::size_t>(std::max<std::int64_t>(ns, 0) / 100'000);
    buckets_[std::min(bucket, kBuckets - 1)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const auto& bucket : buckets_) sum += bucket.load();
    return sum;
  }
  // Milliseconds: the end of the bucket that the quantile is in.
  double at(double quantile) const {
    const auto wanted = static_cast<double>(count()) * quantile;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBuckets; ++i)
      if ((sum += buckets_[i].load()) > 0 && static_cast<double>(sum) >= wanted)
        return static_cast<double>(i + 1) / 10;
    return 0;
  }

 private:
  static constexpr std::size_t kBuckets = 200'000;  // twenty seconds
  std::array<std::atomic<std::uint32_t>, kBuckets> buckets_{};
};

// One publication, for whoever asks what made it late.
struct Publication {
  std::atomic<std::int64_t> published_ns{0};  // wall time
  std::atomic<bool> connected{false};         // over a connection made for it
  std::atomic<std::int64_t> answered_ns{0};   // since published_ns, as all below
  std::atomic<std::int64_t> first_ns{0};      // delivery to a survivor
  std::atomic<std::int64_t> last_ns{0};
};

// What the processes tell each other.
struct Shared {
  std::atomic<std::uint32_t> subscribed{0};  // clients that are, now
  std::atomic<std::int64_t> blow_ns{0};      // wall time, as everything that is stamped
  std::atomic<std::int64_t> back_ns{0};      // when all were again
  std::atomic<bool> over{false};
  std::array<std::atomic<std::uint64_t>, 1000> published{};  // offsets, by channel
  std::array<Publication, kMaxPublications> publications{};
  Times before;                                  // latency, before the blow
  Times during;                                  // of survivors, until all are back
  Times acknowledged;                            // how long publishing took
  Times visits;                                  // to /health, after the blow
  Times returns;                                 // from the blow to being subscribed
  std::atomic<std::int64_t> longest_turn_ns{0};  // of a load process: how late it may have looked
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> recovered_publications{0};
  std::atomic<std::uint64_t> lost_connections{0};
  std::atomic<std::uint64_t> recoveries{0};
  std::atomic<std::uint64_t> attempts{0};  // to connect, after the blow
  std::atomic<std::uint64_t> unrecovered{0};
  std::atomic<std::uint64_t> missing{0};
  std::atomic<std::uint64_t> doubled{0};
  std::atomic<std::uint64_t> incomplete{0};  // clients that ended without their last publication
};

inline std::int64_t wall_ns() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
}

inline std::string channel_name(std::uint32_t channel) {
  return "storm:" + std::to_string(channel);
}

// The number behind `key` at or behind `from`; none: 0. *end is moved behind it.
inline std::uint64_t number_behind(std::string_view text, std::string_view key,
                                   std::size_t from = 0, std::size_t* end = nullptr) {
  std::uint64_t value = 0;
  const std::size_t at = text.find(key, from);
  if (end != nullptr) *end = at;
  if (at == std::string_view::npos) return 0;
  const char* const digits = text.data() + at + key.size();
  const auto [stop, error] = std::from_chars(digits, text.data() + text.size(), value);
  if (end != nullptr) *end = static_cast<std::size_t>(stop - text.data());
  return error == std::errc() ? value : 0;
}

}  // namespace spate::tests
