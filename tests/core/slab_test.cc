#include "core/slab.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "tests/core/random.h"

namespace spate::core {
namespace {

using test::Random;

// Fills itself with its number and is counted while it lives.
template <std::size_t kBytes, std::size_t kAlign>
struct alignas(kAlign) Canary {
  static inline std::int64_t living = 0;

  explicit Canary(std::uint32_t value) {
    ++living;
    for (std::size_t i = 0; i < kBytes; ++i) bytes[i] = pattern(value, i);
  }
  ~Canary() { --living; }
  bool intact(std::uint32_t value) const {
    for (std::size_t i = 0; i < kBytes; ++i)
      if (bytes[i] != pattern(value, i)) return false;
    return true;
  }
  static std::uint8_t pattern(std::uint32_t value, std::size_t i) {
    return static_cast<std::uint8_t>(value * 31 + i * 7 + 1);
  }

  std::array<std::uint8_t, kBytes> bytes;
};

template <typename T>
class SlabTest : public testing::Test {};

using Sizes = testing::Types<Canary<1, 1>, Canary<7, 1>, Canary<8, 8>, Canary<24, 8>,
                             Canary<112, 16>, Canary<128, 64>, Canary<336, 8>, Canary<4096, 64>,
                             Canary<30000, 8>, Canary<60000, 8>>;
TYPED_TEST_SUITE(SlabTest, Sizes);

TYPED_TEST(SlabTest, NoObjectTouchesAnother) {
  Random random(test::test_seed(sizeof(TypeParam)));
  struct Live {
    TypeParam* object;
    std::uint32_t value;
  };
  std::vector<Live> live;
  constexpr std::size_t kBusy = sizeof(TypeParam) < 4096 ? 3000 : 60;
  {
    Slab<TypeParam> slab;
    std::uint32_t next = 0;
    for (unsigned i = 0; i < 20 * kBusy; ++i) {
      const bool growing = i / (4 * kBusy) % 2 == 0;
      if (live.empty() || random.chance(growing ? 700 : 300)) {
        TypeParam* const object = slab.create(next);
        ASSERT_NE(object, nullptr);
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(object) % alignof(TypeParam), 0u);
        live.push_back({object, next++});
      } else {
        const std::size_t at = random.below(live.size());
        ASSERT_TRUE(live[at].object->intact(live[at].value)) << "after " << i << " steps";
        slab.destroy(live[at].object);
        live[at] = live.back();
        live.pop_back();
      }
      ASSERT_EQ(slab.count(), live.size());
      ASSERT_EQ(TypeParam::living, static_cast<std::int64_t>(live.size()));
      ASSERT_GE(slab.bytes(), live.size() * sizeof(TypeParam));
    }
    for (const Live& each : live) ASSERT_TRUE(each.object->intact(each.value));
    for (const Live& each : live) slab.destroy(each.object);
    EXPECT_LE(slab.bytes(), Slab<TypeParam>::kChunkBytes);
  }
  EXPECT_EQ(TypeParam::living, 0);
}

using Small = Canary<128, 64>;

TEST(Slab, ChunksGoBackWhenTheirLastObjectDoes) {
  constexpr std::size_t kChunk = Slab<Small>::kChunkBytes;
  Slab<Small> slab;
  EXPECT_EQ(slab.bytes(), 0u);
  std::vector<Small*> objects;
  while (slab.bytes() < 10 * kChunk) objects.push_back(slab.create(1u));
  const std::size_t per_chunk = (objects.size() - 1) / 9;
  EXPECT_GE(per_chunk, (kChunk - 64) / 128);
  // In the order of their birth: one empty chunk is kept, every further one goes.
  for (std::size_t i = 0; i < objects.size(); ++i) {
    slab.destroy(objects[i]);
    const std::size_t living_chunks = 10 - (i + 1) / per_chunk;
    ASSERT_LE(slab.bytes(), (living_chunks + 1) * kChunk) << i;
  }
  EXPECT_EQ(slab.bytes(), kChunk);
}

TEST(Slab, OneObjectComingAndGoingKeepsItsChunk) {
  Slab<Small> slab;
  Small* const first = slab.create(1u);
  slab.destroy(first);
  for (int i = 0; i < 100; ++i) {
    Small* const object = slab.create(1u);
    EXPECT_EQ(object, first);
    EXPECT_EQ(slab.bytes(), Slab<Small>::kChunkBytes);
    slab.destroy(object);
  }
}

TEST(Slab, AFullChunkIsUsedAgainOnceAPlaceIsFree) {
  Slab<Small> slab;
  std::vector<Small*> objects{slab.create(0u)};
  while (slab.bytes() == Slab<Small>::kChunkBytes) objects.push_back(slab.create(0u));
  // All but the last lie in the full first chunk.
  Small* const freed = objects[objects.size() / 2];
  slab.destroy(freed);
  objects.erase(objects.begin() + static_cast<std::ptrdiff_t>(objects.size() / 2));
  bool found = false;
  for (std::size_t i = objects.size(); i > 0 && !found; --i) {
    objects.push_back(slab.create(0u));
    found = objects.back() == freed;
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(slab.bytes(), 2 * Slab<Small>::kChunkBytes);
  for (Small* const object : objects) slab.destroy(object);
}

}  // namespace
}  // namespace spate::core
