#include "core/rate_limit.h"

#include <gtest/gtest.h>

namespace spate::core {
namespace {

TEST(RateLimit, OneLineASecondAndKey) {
  RateLimit limit;
  EXPECT_EQ(limit.pass("origin", 5000), 0u);
  EXPECT_EQ(limit.pass("origin", 5001), std::nullopt);
  EXPECT_EQ(limit.pass("origin", 5999), std::nullopt);
  EXPECT_EQ(limit.pass("path", 5999), 0u);
  EXPECT_EQ(limit.pass("origin", 6000), 2u);
  EXPECT_EQ(limit.pass("origin", 7000), 0u);
}

TEST(RateLimit, WhatWasHeldBackIsCollectedOnceItsSecondIsOver) {
  RateLimit limit;
  limit.pass("origin", 0, 1);
  limit.pass("path", 0);
  limit.pass("origin", 10, 2);
  limit.pass("origin", 20, 3);
  EXPECT_TRUE(limit.collect(999).empty());
  const std::vector<RateLimit::Held> held = limit.collect(1000);
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].key, "origin");
  EXPECT_EQ(held[0].count, 2u);
  EXPECT_EQ(held[0].tag, 3);
  EXPECT_TRUE(limit.collect(5000).empty());
  // Reporting counts as speaking.
  limit.pass("origin", 6000);
  limit.pass("origin", 6001);
  ASSERT_EQ(limit.collect(7000).size(), 1u);
  EXPECT_EQ(limit.pass("origin", 7500), std::nullopt);
}

TEST(RateLimit, KeysPastTheMostShareAnEntry) {
  RateLimit limit;
  for (std::size_t i = 0; i < RateLimit::kMaxKeys - 1; ++i)
    EXPECT_EQ(limit.pass("key" + std::to_string(i), 0), 0u);
  EXPECT_EQ(limit.pass("one more", 0), 0u);
  EXPECT_EQ(limit.pass("and one", 0), std::nullopt);
  EXPECT_EQ(limit.pass("one more", 0), std::nullopt);
  EXPECT_EQ(limit.pass("key0", 1000), 0u);
  const std::vector<RateLimit::Held> held = limit.collect(1000);
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].key, "others");
  EXPECT_EQ(held[0].count, 2u);
}

}  // namespace
}  // namespace spate::core
