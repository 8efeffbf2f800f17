#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <random>

#include "tools/spate-bench/arrivals.h"
#include "tools/spate-bench/due_times.h"

namespace spate::bench {
namespace {

TEST(Arrivals, ConstantOnesKeepTheirInterval) {
  Arrivals arrivals(3, false, 1);
  arrivals.start(1000);
  for (std::uint64_t i = 1; i <= 9; ++i, arrivals.advance())
    EXPECT_NEAR(static_cast<double>(arrivals.due_ns()), 1000 + static_cast<double>(i) * 1e9 / 3, 1);
}

TEST(Arrivals, PoissonOnesHaveTheRateAndTheSpread) {
  Arrivals arrivals(1000, true, 1);
  arrivals.start(0);
  constexpr int kCount = 100'000;
  double last = 0, squares = 0;
  for (int i = 0; i < kCount; ++i, arrivals.advance()) {
    const auto due = static_cast<double>(arrivals.due_ns());
    squares += (due - last) * (due - last);
    last = due;
  }
  EXPECT_NEAR(last / kCount, 1e6, 2e4);                    // mean interval: 1 ms
  EXPECT_NEAR(std::sqrt(squares / kCount), 1.414e6, 3e4);  // E[x²] = 2 mean²
}

TEST(Arrivals, PicksEveryConnectionEquallyOften) {
  Arrivals arrivals(1, true, 5);
  int picked[7] = {};
  for (int i = 0; i < 70'000; ++i) ++picked[arrivals.pick(7)];
  for (const int n : picked) EXPECT_NEAR(n, 10'000, 500);
}

TEST(DueTimes, AgreesWithAListOfEveryMessage) {
  std::mt19937 random(1);
  DueTimes times;
  std::deque<std::uint64_t> list;  // of the outstanding messages
  std::uint64_t answered = 0, due = 0;
  for (std::uint64_t ns = 1; ns < 20'000; ++ns) {
    for (std::uint64_t burst = random() % 5; burst > 0; burst = 0) {
      due += burst;
      times.push(due, ns);
      list.insert(list.end(), burst, ns);
    }
    const std::uint64_t most = ns % 1000 < 900 ? 4 : 100;  // now a backlog, now none
    for (std::uint64_t n = random() % most; n > 0 && !list.empty(); --n) {
      const DueTimes::Oldest oldest = times.oldest(answered);
      ASSERT_EQ(oldest.ns, list.front());
      std::uint64_t together = 0;
      while (together < list.size() && list[together] == list.front()) ++together;
      ASSERT_EQ(oldest.messages, together);
      list.pop_front();
      times.answered(++answered);
    }
  }
}

}  // namespace
}  // namespace spate::bench
