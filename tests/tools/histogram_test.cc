#include "tools/spate-bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace spate::bench {
namespace {

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 256; ++value) {
    EXPECT_EQ(Histogram::lowest_of(Histogram::bucket_of(value)), value);
    EXPECT_EQ(Histogram::middle_of(Histogram::bucket_of(value)), value);
  }
}

TEST(Histogram, BucketsTouchAndNeverOverlap) {
  for (std::size_t bucket = 0; bucket + 1 < Histogram::kBuckets; ++bucket) {
    const std::uint64_t lowest = Histogram::lowest_of(bucket);
    const std::uint64_t highest = Histogram::lowest_of(bucket + 1) - 1;
    ASSERT_EQ(Histogram::bucket_of(lowest), bucket);
    ASSERT_EQ(Histogram::bucket_of(highest), bucket);
  }
}

TEST(Histogram, ErrorIsBelowOnePercentEverywhere) {
  std::mt19937_64 random(1);
  for (unsigned bits = 1; bits <= Histogram::kValueBits; ++bits) {
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t value = random() >> (64 - bits);
      const auto reported = static_cast<double>(Histogram::middle_of(Histogram::bucket_of(value)));
      const auto exact = static_cast<double>(value);
      ASSERT_LE(std::abs(reported - exact), 0.004 * exact) << value;
    }
  }
}

TEST(Histogram, PercentilesAgreeWithSortedValues) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> latency(12, 2);
  std::vector<std::uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(static_cast<std::uint64_t>(latency(random)));
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  for (const double percent : {0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()) - 1e-9);
    const auto exact =
        static_cast<double>(values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(percent)), exact, 0.01 * exact) << percent;
  }
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.percentile(100), values.back());
  EXPECT_EQ(histogram.count(), values.size());
}

TEST(Histogram, PercentileIsTheSmallestValueThatSoManyDoNotExceed) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile(50), 50u);
  EXPECT_EQ(histogram.percentile(99), 99u);
  EXPECT_EQ(histogram.percentile(99.5), 100u);
  EXPECT_EQ(histogram.percentile(0), 1u);
  EXPECT_EQ(histogram.count_up_to(50), 50u);
}

TEST(Histogram, EmptySaysZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile(99), 0u);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.min(), 0u);
}

TEST(Histogram, RepeatedValuesCountAsOften) {
  Histogram histogram;
  histogram.record(10, 99);
  histogram.record(1'000'000, 1);
  EXPECT_EQ(histogram.percentile(99), 10u);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(99.1)), 1e6, 1e4);
  EXPECT_DOUBLE_EQ(histogram.mean(), (10.0 * 99 + 1e6) / 100);
}

TEST(Histogram, ValuesBeyondTheLargestCountAsTheLargest) {
  Histogram histogram;
  histogram.record(~std::uint64_t{0});
  EXPECT_EQ(histogram.max(), (std::uint64_t{1} << Histogram::kValueBits) - 1);
  EXPECT_EQ(histogram.count(), 1u);
}

TEST(Histogram, SumsAndDifferencesAreThoseOfTheirValues) {
  auto all = std::make_unique<Histogram>(), earlier = std::make_unique<Histogram>();
  for (std::uint64_t value = 1; value <= 200; ++value) {
    all->record(value);
    if (value <= 100) earlier->record(value);
  }
  const Histogram later = all->since(*earlier);
  EXPECT_EQ(later.count(), 100u);
  EXPECT_EQ(later.percentile(50), 150u);
  EXPECT_EQ(later.min(), 101u);
  earlier->add(later);
  EXPECT_EQ(earlier->count(), 200u);
  EXPECT_EQ(earlier->percentile(50), 100u);
  EXPECT_EQ(earlier->max(), 200u);
}

}  // namespace
}  // namespace spate::bench
