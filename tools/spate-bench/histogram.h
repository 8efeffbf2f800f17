// A histogram of nanoseconds whose relative error is below 0.4 % from 0 to 73 minutes.
//
// Values below 256 have a bucket each; above, each power of two is divided into 128 buckets:
//
//   value   0 .. 255 | 256 .. 511 | 512 .. 1023 | …
//   bucket  0 .. 255 | 256 .. 383 | 384 ..  511 | …     width 1, 2, 4, …
//
// A percentile is reported as the middle of its bucket, so it is off by at most half a width: 1/256
// of the value. Larger values count as the largest.
//
// Plain data that is valid when zero: it lives in pages that a load process shares with the
// conductor, which may read it while it grows (one writer; a live figure may miss the newest
// values). 36 KiB; record() costs a few nanoseconds and never allocates.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace spate::bench {

class Histogram {
 public:
  static constexpr unsigned kValueBits = 42;
  static constexpr std::uint64_t kPerOctave = 128;
  static constexpr std::size_t kBuckets = (kValueBits - 8) * kPerOctave + 2 * kPerOctave;

  void record(std::uint64_t value, std::uint64_t times = 1) {
    constexpr std::uint64_t kLargest = (std::uint64_t{1} << kValueBits) - 1;
    if (value > kLargest) value = kLargest;
    buckets_[bucket_of(value)] += times;
    count_ += times;
    sum_ += static_cast<double>(value) * static_cast<double>(times);
    if (value > max_) max_ = value;
  }

  void add(const Histogram& other);
  // What was recorded since `earlier`, a copy of this same histogram. The maximum is then only
  // known to its bucket.
  [[nodiscard]] Histogram since(const Histogram& earlier) const;

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] std::uint64_t min() const;
  [[nodiscard]] double mean() const { return count_ ? sum_ / static_cast<double>(count_) : 0; }
  [[nodiscard]] double standard_deviation() const;
  // The smallest recorded value that `percent` of all values do not exceed; 0 when empty.
  [[nodiscard]] std::uint64_t percentile(double percent) const;
  // How many values are not above the bucket that holds `value`.
  [[nodiscard]] std::uint64_t count_up_to(std::uint64_t value) const;

  static constexpr std::size_t bucket_of(std::uint64_t value) {
    if (value < 2 * kPerOctave) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 8;
    return shift * kPerOctave + (value >> shift);
  }
  static constexpr std::uint64_t lowest_of(std::size_t bucket) {
    if (bucket < 2 * kPerOctave) return bucket;
    const unsigned shift = static_cast<unsigned>(bucket / kPerOctave) - 1;
    return (bucket - shift * kPerOctave) << shift;
  }
  static constexpr std::uint64_t middle_of(std::size_t bucket) {
    return (lowest_of(bucket) + lowest_of(bucket + 1) - 1) / 2;
  }

 private:
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace spate::bench
