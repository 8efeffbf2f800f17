#include "core/pointer_index.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "core/age_list.h"
#include "tests/core/random.h"

namespace spate::core {
namespace {

struct Thing {
  std::uint64_t key = 0;
  std::uint64_t hash = 0;
  Thing* older = nullptr;
  Thing* newer = nullptr;
};

Thing* find(const PointerIndex<Thing>& index, std::uint64_t hash, std::uint64_t key) {
  return index.find(hash, [&](const Thing& thing) { return thing.key == key; });
}

// Hashes of few values, so that runs meet, wrap round the end and are taken apart in every order.
TEST(PointerIndex, AgreesWithAMap) {
  for (const std::uint64_t hashes : {1, 3, 20, 1 << 20}) {
    SCOPED_TRACE(hashes);
    test::Random random(test::test_seed(hashes));
    PointerIndex<Thing> index;
    std::map<std::uint64_t, std::unique_ptr<Thing>> model;
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t key = random.below(200);
      // At the table's end, where a run goes on at its beginning.
      const std::uint64_t hash = ~std::uint64_t{0} - key * 0x9E37 % hashes;
      const auto there = model.find(key);
      ASSERT_EQ(find(index, hash, key), there == model.end() ? nullptr : there->second.get());
      const bool grows = i / 4000 % 2 == 0;
      if (there == model.end() && random.chance(grows ? 800 : 200)) {
        auto thing = std::make_unique<Thing>(Thing{key, hash});
        index.insert(hash, thing.get());
        model.emplace(key, std::move(thing));
      } else if (there != model.end() && random.chance(grows ? 200 : 800)) {
        index.erase(hash, there->second.get());
        model.erase(there);
      }
      ASSERT_EQ(index.count(), model.size());
    }
    std::set<const Thing*> seen;
    index.for_each([&](Thing& thing) { EXPECT_TRUE(seen.insert(&thing).second); });
    EXPECT_EQ(seen.size(), model.size());
  }
}

TEST(PointerIndex, ShrinksWhenItEmpties) {
  PointerIndex<Thing> index;
  EXPECT_EQ(index.bytes(), 0u);
  EXPECT_EQ(find(index, 1, 1), nullptr);
  std::vector<Thing> things(10000);
  for (std::size_t i = 0; i < things.size(); ++i) index.insert(i * 77, &things[i]);
  EXPECT_LE(index.bytes(), things.size() * 48);
  for (std::size_t i = 0; i < things.size(); ++i) index.erase(i * 77, &things[i]);
  EXPECT_LE(index.bytes(), 8 * 16u);
  EXPECT_TRUE(index.empty());
}

TEST(AgeList, KeepsTheOrderWhoeverLeaves) {
  AgeList<Thing> list;
  EXPECT_TRUE(list.empty());
  Thing things[4];
  for (Thing& thing : things) list.push_newest(thing);
  list.remove(things[1]);  // in the middle
  EXPECT_EQ(list.oldest(), &things[0]);
  list.remove(things[0]);  // the oldest
  EXPECT_EQ(list.oldest(), &things[2]);
  list.remove(things[3]);  // the newest
  list.push_newest(things[0]);
  EXPECT_EQ(list.oldest(), &things[2]);
  EXPECT_EQ(things[2].newer, &things[0]);
  list.remove(things[2]);
  list.remove(things[0]);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace spate::core
