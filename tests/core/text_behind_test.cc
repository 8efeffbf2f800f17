#include "core/text_behind.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace spate::core {
namespace {

struct Named : TextBehind<Named> {
  std::uint32_t count = 7;
  std::unique_ptr<std::string> more;
  char last = 'x';
};

TEST(TextBehind, TheTextIsBehindTheMembers) {
  for (const std::size_t bytes : {0u, 1u, 8u, 15u, 16u, 100'000u}) {
    const std::string text(bytes, 't');
    const std::unique_ptr<Named> named(Named::make(text));
    EXPECT_EQ(named->text(), text);
    EXPECT_EQ(named->text().data(), reinterpret_cast<const char*>(named.get()) + sizeof(Named));
    named->count = ~0u;
    named->more = std::make_unique<std::string>("a text of its own, longer than a few bytes");
    named->last = '\xff';
    EXPECT_EQ(named->text(), text);
  }
}

TEST(TextBehind, ATextMayHoldNuls) {
  using namespace std::string_view_literals;
  const std::unique_ptr<Named> named(Named::make("a\0b"sv));
  EXPECT_EQ(named->text(), "a\0b"sv);
  EXPECT_EQ(named->count, 7u);
}

// What there are very many of is no larger than it says.
TEST(TextBehind, ALengthIsAllThatIsAdded) {
  EXPECT_EQ(sizeof(Named), 24u);
}

}  // namespace
}  // namespace spate::core
