#include "core/lease_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tests/core/faulty_sys.h"
#include "tests/core/process_state.h"

namespace spate::core {
namespace {

using test::Call;
using test::Random;
using test::sys_faults;

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
constexpr const char* kName = "memfd:spate-lease";

class LeasePoolTest : public testing::Test {
 protected:
  LeasePoolTest() { sys_faults().reset(); }
  ~LeasePoolTest() override {
    sys_faults().reset();
    EXPECT_EQ(test::open_descriptors(kName).size(), 0u);
    EXPECT_EQ(test::mappings(kName), 0u);
  }

  static test::FileBytes files() { return test::file_bytes(test::open_descriptors(kName)); }
  static void fill(Lease& lease, unsigned value) {
    std::memset(lease.begin(), static_cast<int>(value), lease.room());
  }
};

TEST_F(LeasePoolTest, AWindowHoldsWhatWasAskedFor) {
  LeasePool pool(kPlenty);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, Lease::usable(4096), Lease::usable(4096) + 1,
        Lease::usable(65536), Lease::usable(65536) + 1, std::size_t{1} << 24}) {
    SCOPED_TRACE(bytes);
    Lease* const lease = pool.acquire(bytes);
    ASSERT_NE(lease, nullptr);
    EXPECT_EQ(lease->size(), 0u);
    EXPECT_GE(lease->room(), bytes);
    EXPECT_GE(lease->begin() - lease->ring.base(), static_cast<std::ptrdiff_t>(Lease::kHeadroom));
    // The smallest class that holds it.
    if (lease->ring.capacity() > LeasePool::kMinCapacity) {
      EXPECT_LT(Lease::usable(lease->ring.capacity() / 2), bytes);
    }
    EXPECT_EQ(pool.leased_bytes(), lease->ring.capacity());
    EXPECT_EQ(pool.leased(), 1u);
    pool.release(lease);
    EXPECT_EQ(pool.leased_bytes(), 0u);
    EXPECT_EQ(pool.leased(), 0u);
  }
}

TEST_F(LeasePoolTest, MoreThanTheLargestClassIsRefused) {
  LeasePool pool(kPlenty);
  EXPECT_EQ(pool.acquire(std::size_t{1} << 31), nullptr);
  EXPECT_EQ(pool.acquire(std::numeric_limits<std::size_t>::max()), nullptr);
  EXPECT_EQ(pool.leased(), 0u);
}

TEST_F(LeasePoolTest, TheCapOnBytesCountsWholeRings) {
  LeasePool pool(3 * 4096);
  Lease* const small = pool.acquire(1);
  ASSERT_NE(small, nullptr);
  Lease* const large = pool.acquire(Lease::usable(8192));
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(pool.acquire(1), nullptr);
  pool.release(small);
  EXPECT_EQ(pool.acquire(5000), nullptr);  // 8192 more would be too many
  Lease* const again = pool.acquire(1);
  EXPECT_NE(again, nullptr);
  pool.release(again);
  pool.release(large);
  LeasePool none(0);
  EXPECT_EQ(none.acquire(1), nullptr);
}

TEST_F(LeasePoolTest, TheCapOnLeasesKeepsMappingsBounded) {
  LeasePool pool(kPlenty);
  std::vector<Lease*> held;
  while (Lease* const lease = pool.acquire(1)) held.push_back(lease);
  EXPECT_EQ(held.size(), LeasePool::kMaxLeases);
  EXPECT_EQ(pool.acquire(1 << 20), nullptr);
  EXPECT_LE(test::mappings(kName), 2 * LeasePool::kMaxLeases);
  pool.release(held.back());
  held.back() = pool.acquire(1);
  EXPECT_NE(held.back(), nullptr);
  for (Lease* const lease : held) pool.release(lease);
  pool.trim();
  EXPECT_EQ(test::mappings(kName), 0u);
}

TEST_F(LeasePoolTest, RingsOnLoanDoNotTouch) {
  LeasePool pool(kPlenty);
  std::vector<Lease*> held;
  for (unsigned i = 0; i < 200; ++i) {
    held.push_back(pool.acquire(std::size_t{1} << (i % 14)));
    ASSERT_NE(held.back(), nullptr);
    fill(*held.back(), i);
  }
  // Every other one goes and comes back: the ones that stayed must not have noticed.
  for (unsigned i = 0; i < 200; i += 2) pool.release(held[i]);
  for (unsigned i = 0; i < 200; i += 2) {
    held[i] = pool.acquire(std::size_t{1} << (i % 14));
    fill(*held[i], i);
  }
  for (unsigned i = 0; i < 200; ++i) {
    const std::byte* const at = held[i]->begin();
    for (std::size_t k = 0; k < held[i]->room(); ++k)
      ASSERT_EQ(at[k], static_cast<std::byte>(i)) << i << " at " << k;
  }
  for (Lease* const lease : held) pool.release(lease);
}

TEST_F(LeasePoolTest, AReturnedRingIsWarmUntilTrimmed) {
  LeasePool pool(kPlenty);
  Lease* const lease = pool.acquire(60000);
  std::byte* const base = lease->ring.base();
  fill(*lease, 1);
  EXPECT_GE(files().resident, 60000u);
  pool.release(lease);
  EXPECT_EQ(pool.warm_bytes(), 65536u);
  EXPECT_GE(files().resident, 60000u);
  Lease* const again = pool.acquire(60000);
  EXPECT_EQ(again->ring.base(), base);  // no system call was made for it
  EXPECT_EQ(again->size(), 0u);
  EXPECT_EQ(again->begin(), base + Lease::kHeadroom);
  EXPECT_EQ(pool.warm_bytes(), 0u);
  pool.release(again);
  pool.trim();
  EXPECT_EQ(pool.warm_bytes(), 0u);
  EXPECT_EQ(files().resident, 0u);
  EXPECT_EQ(test::mappings(kName), 0u);
}

TEST_F(LeasePoolTest, WarmMemoryIsBounded) {
  LeasePool pool(kPlenty);
  std::vector<Lease*> held;
  for (int i = 0; i < 40; ++i) {
    held.push_back(pool.acquire(60000));
    fill(*held.back(), 7);
  }
  for (Lease* const lease : held) pool.release(lease);
  EXPECT_LE(pool.warm_bytes(), LeasePool::kWarmBytes);
  EXPECT_GT(pool.warm_bytes(), LeasePool::kWarmBytes / 2);
  EXPECT_LE(files().resident, LeasePool::kWarmBytes);
  EXPECT_LE(test::mappings(kName), 2 * LeasePool::kWarmBytes / 65536);
}

TEST_F(LeasePoolTest, AColdRingGivesItsPagesBackAndItsSlotIsUsedAgain) {
  LeasePool pool(kPlenty);
  Lease* const stays = pool.acquire(3 << 20);
  Lease* const goes = pool.acquire(3 << 20);
  fill(*stays, 1);
  fill(*goes, 2);
  const test::FileBytes both = files();
  EXPECT_GE(both.resident, 6u << 20);
  pool.release(goes);
  EXPECT_EQ(pool.warm_bytes(), 0u);  // too large to be kept warm
  EXPECT_LE(files().resident, both.resident - (3u << 20));
  EXPECT_GE(files().resident, 3u << 20);
  Lease* const comes = pool.acquire(3 << 20);
  EXPECT_EQ(files().length, both.length);
  for (std::size_t k = 0; k < comes->room(); ++k) ASSERT_EQ(comes->begin()[k], std::byte{0});
  for (std::size_t k = 0; k < stays->room(); ++k) ASSERT_EQ(stays->begin()[k], std::byte{1});
  pool.release(stays);
  pool.release(comes);
}

TEST_F(LeasePoolTest, AnyRefusalOfTheKernelIsARefusalAndLosesNothing) {
  const std::int64_t mapped = sys_faults().mapped_bytes();
  {
    LeasePool pool(kPlenty);
    const struct {
      Call call;
      std::uint64_t number;
    } steps[] = {{Call::memfd_create, 0},
                 {Call::ftruncate, 0},
                 {Call::reserve, 0},
                 {Call::map_shared, 0},
                 {Call::map_shared, 1}};
    for (const auto& step : steps) {
      SCOPED_TRACE(static_cast<int>(step.call));
      sys_faults().reset();
      sys_faults().fail(step.call, step.number, ENOMEM);
      EXPECT_EQ(pool.acquire(2 << 20), nullptr);
      EXPECT_EQ(sys_faults().injected(), 1u);
      EXPECT_EQ(pool.leased(), 0u);
      EXPECT_EQ(pool.leased_bytes(), 0u);
    }
    Lease* const lease = pool.acquire(2 << 20);
    ASSERT_NE(lease, nullptr);
    EXPECT_EQ(files().length, lease->ring.capacity());  // the refused ones took no slot for good
    // A hole that is not punched costs memory, nothing else.
    fill(*lease, 9);
    sys_faults().fail(Call::punch_hole, 0, EOPNOTSUPP);
    pool.release(lease);
    Lease* const again = pool.acquire(2 << 20);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->size(), 0u);
    pool.release(again);
  }
  EXPECT_EQ(sys_faults().mapped_bytes(), mapped);
}

TEST_F(LeasePoolTest, AHundredThousandCyclesGrowNothing) {
  Random random(test::test_seed());
  LeasePool pool(64 << 20);
  std::vector<Lease*> held;
  test::FileBytes settled;
  std::size_t settled_mappings = 0;
  constexpr int kCycles = 100'000;
  for (int i = 0; i < kCycles; ++i) {
    if (i % 1000 == 0) pool.trim();
    if (held.size() < 16) {
      Lease* const lease = pool.acquire(random.spread(20));
      ASSERT_NE(lease, nullptr);
      lease->begin()[0] = std::byte{1};
      held.push_back(lease);
    } else {
      const std::size_t at = random.below(held.size());
      pool.release(held[at]);
      held[at] = held.back();
      held.pop_back();
    }
    if (i == kCycles / 10) {
      settled = files();
      settled_mappings = test::mappings(kName);
    }
  }
  // 16 at a time of 9 classes (1 MiB is asked for at most): no class has more than 17 slots.
  EXPECT_LE(files().length, 17u * 2 * (2u << 20));
  EXPECT_LE(files().length, 2 * settled.length);
  EXPECT_LE(test::mappings(kName), settled_mappings + 2 * (16 + 256));
  for (Lease* const lease : held) pool.release(lease);
  pool.trim();
  EXPECT_EQ(files().resident, 0u);
  EXPECT_EQ(test::mappings(kName), 0u);
}

// A stream passes through one lease: bytes are added behind the window and taken from its front, as
// a connection does that keeps the rest of what it decoded.
TEST_F(LeasePoolTest, TheWindowGoesRoundTheRingForEver) {
  Random random(test::test_seed(1));
  LeasePool pool(kPlenty);
  Lease* const lease = pool.acquire(4000);
  std::string model;
  unsigned char next = 0;
  for (int i = 0; i < 20000; ++i) {
    ASSERT_EQ(lease->size(), model.size());
    ASSERT_EQ(lease->room(), lease->ring.capacity() - Lease::kHeadroom - model.size());
    ASSERT_GE(lease->head, Lease::kHeadroom);
    // What a reply's header overwrites, the headroom, is no part of the window, mirrored or not.
    std::memset(lease->begin() - Lease::kHeadroom, 0xEE, Lease::kHeadroom);
    ASSERT_EQ(std::string_view(reinterpret_cast<char*>(lease->begin()), model.size()), model);
    const std::size_t added = random.below(lease->room() + 1);
    std::byte* const end = lease->begin() + model.size();
    for (std::size_t k = 0; k < added; ++k) {
      end[k] = static_cast<std::byte>(next);
      model.push_back(static_cast<char>(next++));
    }
    const std::size_t taken = random.chance(200) ? model.size() : random.below(model.size() + 1);
    const std::size_t cut = random.chance(100) ? random.below(model.size() - taken + 1) : 0;
    lease->keep({lease->begin() + taken, model.size() - taken - cut});
    model = model.substr(taken, model.size() - taken - cut);
    next = model.empty() ? 0 : static_cast<unsigned char>(model.back() + 1);
  }
  pool.release(lease);
}

}  // namespace
}  // namespace spate::core
