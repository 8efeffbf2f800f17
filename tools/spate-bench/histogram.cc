#include "tools/spate-bench/histogram.h"

#include <algorithm>
#include <cmath>

namespace spate::bench {

void Histogram::add(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

Histogram Histogram::since(const Histogram& earlier) const {
  Histogram difference;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t times = buckets_[i] - earlier.buckets_[i];
    if (times > 0) difference.record(std::min(middle_of(i), max_), times);
  }
  return difference;
}

std::uint64_t Histogram::min() const {
  const auto first = std::ranges::find_if(buckets_, [](std::uint64_t n) { return n > 0; });
  return first == buckets_.end() ? 0
                                 : lowest_of(static_cast<std::size_t>(first - buckets_.begin()));
}

double Histogram::standard_deviation() const {
  if (count_ == 0) return 0;
  double squares = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const double off = static_cast<double>(middle_of(i)) - mean();
    squares += static_cast<double>(buckets_[i]) * off * off;
  }
  return std::sqrt(squares / static_cast<double>(count_));
}

std::uint64_t Histogram::percentile(double percent) const {
  const double share = std::clamp(percent, 0.0, 100.0) / 100;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_) - 1e-9)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted)
      return seen == count_ && wanted == count_ ? max_ : std::min(middle_of(i), max_);
  }
  return max_;
}

std::uint64_t Histogram::count_up_to(std::uint64_t value) const {
  const std::size_t last = std::min(bucket_of(value), kBuckets - 1);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i <= last; ++i) seen += buckets_[i];
  return seen;
}

}  // namespace spate::bench
