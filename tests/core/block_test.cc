#include "core/block.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace spate::core {
namespace {

// Use after free and leaks are for the sanitizers to see; what is judged here is that the bytes
// stay as they are for as long as anyone holds them.
TEST(Block, BytesLiveUntilTheLastHolderGoes) {
  std::vector<BlockRef> holders;
  {
    const BlockRef block = BlockRef::copy(as_bytes("publication"));
    ASSERT_TRUE(block);
    for (int i = 0; i < 100; ++i) holders.push_back(block);
  }
  const std::byte* const at = holders[0].data();
  while (holders.size() > 1) {
    holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(holders.size() / 2));
    ASSERT_EQ(as_text(holders[0].bytes()), "publication");
    ASSERT_EQ(holders.back().data(), at);
  }
}

TEST(Block, CopiesShareAndMovesHandOver) {
  BlockRef one = BlockRef::copy(as_bytes("x"));
  BlockRef two = one;
  EXPECT_EQ(one.data(), two.data());
  BlockRef three = std::move(one);
  EXPECT_FALSE(one);
  EXPECT_EQ(three.data(), two.data());
  two = BlockRef();
  EXPECT_FALSE(two);
  EXPECT_EQ(as_text(three.bytes()), "x");
  const BlockRef& self = three;
  three = self;
  EXPECT_EQ(as_text(three.bytes()), "x");
  three = BlockRef::copy(as_bytes("y"));
  EXPECT_EQ(as_text(three.bytes()), "y");
}

TEST(Block, AnEmptyBlockIsABlock) {
  const BlockRef block = BlockRef::copy({});
  ASSERT_TRUE(block);
  EXPECT_EQ(block.size(), 0u);
  EXPECT_TRUE(block.bytes().empty());
  EXPECT_FALSE(BlockRef());
}

TEST(Block, AllocatedBytesMayBeWrittenToTheLast) {
  for (const std::size_t bytes : {1u, 15u, 16u, 17u, 4096u}) {
    const BlockRef block = BlockRef::allocate(bytes);
    ASSERT_TRUE(block);
    ASSERT_EQ(block.size(), bytes);
    std::memset(block.data(), 0x5A, bytes);
    EXPECT_EQ(as_text(block.bytes()), std::string(bytes, 'Z'));
  }
}

}  // namespace
}  // namespace spate::core
