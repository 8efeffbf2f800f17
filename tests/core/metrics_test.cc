#include "core/metrics.h"

#include <gtest/gtest.h>

namespace spate::core {
namespace {

TEST(Counter, Adds) {
  Counter counter;
  counter.add();
  counter.add(41);
  EXPECT_EQ(counter, 42u);
}

TEST(Gauge, ComesAndGoes) {
  Gauge gauge;
  gauge.add(5);
  gauge.sub(2);
  EXPECT_EQ(gauge, 3u);
  gauge.set(1);
  EXPECT_EQ(gauge, 1u);
}

TEST(Histogram, BoundsGrowByAHalfThenAThird) {
  EXPECT_EQ(Histogram::bound(0), 1024u);
  EXPECT_EQ(Histogram::bound(1), 1536u);
  EXPECT_EQ(Histogram::bound(2), 2048u);
  EXPECT_EQ(Histogram::bound(Histogram::kBounds - 1), std::uint64_t{1} << 34);
  for (std::size_t i = 1; i < Histogram::kBounds; ++i)
    EXPECT_EQ(Histogram::bound(i) * (i % 2 == 0 ? 3 : 2),
              Histogram::bound(i - 1) * (i % 2 == 0 ? 4 : 3));
}

TEST(Histogram, ABoundBelongsToItsBucketAndTheNextValueToTheNext) {
  for (std::size_t i = 0; i < Histogram::kBounds; ++i) {
    EXPECT_EQ(Histogram::bucket_of(Histogram::bound(i)), i) << i;
    EXPECT_EQ(Histogram::bucket_of(Histogram::bound(i) + 1), i + 1) << i;
  }
  EXPECT_EQ(Histogram::bucket_of(0), 0u);
  EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::kBounds);
}

TEST(Histogram, CountsAndSums) {
  Histogram histogram;
  for (const std::int64_t ns : {0l, 1024l, 1025l, 1l << 40}) histogram.observe(ns);
  EXPECT_EQ(histogram.bucket(0), 2u);
  EXPECT_EQ(histogram.bucket(1), 1u);
  EXPECT_EQ(histogram.bucket(Histogram::kBounds), 1u);
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.sum(), 2049u + (std::uint64_t{1} << 40));
}

TEST(Histogram, AClockThatStoodStillIsNoTime) {
  Histogram histogram;
  histogram.observe(-1);
  EXPECT_EQ(histogram.bucket(0), 1u);
  EXPECT_EQ(histogram.sum(), 0u);
}

TEST(MetricsOf, CountsIntoWhatItWasGivenOrItsOwn) {
  Counter given;
  MetricsOf<Counter>(&given)->add(3);
  EXPECT_EQ(given, 3u);
  const MetricsOf<Counter> own(nullptr);
  own->add(2);
  EXPECT_EQ(*own, 2u);
}

}  // namespace
}  // namespace spate::core
