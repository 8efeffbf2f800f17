#include "core/mirror_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/sys.h"
#include "tests/core/faulty_sys.h"
#include "tests/core/process_state.h"

namespace spate::core {
namespace {

using test::Call;
using test::sys_faults;

constexpr std::size_t kPage = 4096;

class MirrorRingTest : public testing::Test {
 protected:
  MirrorRingTest() { sys_faults().reset(); }
  ~MirrorRingTest() override { sys_faults().reset(); }
};

TEST_F(MirrorRingTest, BothHalvesAreOneMemory) {
  for (const std::size_t capacity : {kPage, 2 * kPage, 16 * kPage, 256 * kPage}) {
    SCOPED_TRACE(capacity);
    const MirrorRing ring = MirrorRing::create("spate-test", capacity);
    ASSERT_NE(ring.base(), nullptr);
    ASSERT_EQ(ring.capacity(), capacity);
    for (std::size_t i = 0; i < 2 * capacity; i += 61) {
      ring.base()[i] = static_cast<std::byte>(i * 7 + 1);
      ASSERT_EQ(ring.base()[(i + capacity) % (2 * capacity)], static_cast<std::byte>(i * 7 + 1));
    }
  }
}

TEST_F(MirrorRingTest, AWindowThatWrapsIsOnePiece) {
  const MirrorRing ring = MirrorRing::create("spate-test", kPage);
  ASSERT_NE(ring.base(), nullptr);
  std::string text(kPage, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('!' + i % 90);
  for (std::size_t start = 1; start < kPage; start += 37) {
    std::memcpy(ring.base() + start, text.data(), text.size());
    const std::string_view whole(reinterpret_cast<const char*>(ring.base()), kPage);
    ASSERT_EQ(whole.substr(start), text.substr(0, kPage - start));
    ASSERT_EQ(whole.substr(0, start), text.substr(kPage - start));
  }
}

TEST_F(MirrorRingTest, NeighboursInOneFileDoNotTouch) {
  const int fd = sys::memfd_create("spate-test");
  ASSERT_GE(fd, 0);
  ASSERT_EQ(sys::ftruncate(fd, 3 * kPage), 0);
  std::vector<MirrorRing> rings;
  for (std::uint64_t i = 0; i < 3; ++i) rings.push_back(MirrorRing::map(fd, i * kPage, kPage));
  sys::close(fd);  // the mappings keep the memory
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_NE(rings[i].base(), nullptr);
    std::memset(rings[i].base() + kPage / 2, static_cast<int>('a' + i), kPage);
  }
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t at = 0; at < 2 * kPage; ++at)
      ASSERT_EQ(std::to_integer<std::size_t>(rings[i].base()[at]), 'a' + i);
}

TEST_F(MirrorRingTest, ACapacityThatIsNoMultipleOfThePageIsRefused) {
  const std::int64_t mapped = sys_faults().mapped_bytes();
  const std::size_t descriptors = test::open_descriptors().size();
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, kPage - 1, kPage + 512}) {
    SCOPED_TRACE(capacity);
    EXPECT_EQ(MirrorRing::create("spate-test", capacity).base(), nullptr);
  }
  EXPECT_EQ(sys_faults().mapped_bytes(), mapped);
  EXPECT_EQ(test::open_descriptors().size(), descriptors);
}

// Fails at step 0, 1, 2, … until it succeeds.
TEST_F(MirrorRingTest, AnyRefusalOfTheKernelLeavesNothingBehind) {
  const std::int64_t mapped = sys_faults().mapped_bytes();
  const std::size_t descriptors = test::open_descriptors().size();
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
    const MirrorRing ring = MirrorRing::create("spate-test", 4 * kPage);
    EXPECT_EQ(ring.base(), nullptr);
    EXPECT_EQ(ring.capacity(), 0u);
    EXPECT_EQ(sys_faults().injected(), 1u);
    EXPECT_EQ(sys_faults().mapped_bytes(), mapped);
    EXPECT_EQ(test::open_descriptors().size(), descriptors);
  }
  sys_faults().reset();
  EXPECT_NE(MirrorRing::create("spate-test", 4 * kPage).base(), nullptr);
  EXPECT_EQ(test::mappings("spate-test"), 0u);
}

TEST_F(MirrorRingTest, MovingHandsTheMappingOver) {
  const std::size_t before = test::mappings("spate-test");
  {
    MirrorRing first = MirrorRing::create("spate-test", kPage);
    std::byte* const base = first.base();
    base[5] = std::byte{42};
    MirrorRing second(std::move(first));
    EXPECT_EQ(first.base(), nullptr);
    EXPECT_EQ(second.base(), base);
    second = MirrorRing::create("spate-test", 2 * kPage);  // unmaps what it had
    EXPECT_EQ(second.capacity(), 2 * kPage);
    MirrorRing& itself = second;
    second = std::move(itself);
    EXPECT_EQ(second.capacity(), 2 * kPage);
    second = MirrorRing();
    EXPECT_EQ(test::mappings("spate-test"), before);
  }
  EXPECT_EQ(test::mappings("spate-test"), before);
}

}  // namespace
}  // namespace spate::core
