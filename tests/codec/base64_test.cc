#include "codec/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using test::GuardPages;

std::string encoded(ConstBytes bytes) {
  std::string text(base64_encoded_bytes(bytes.size()), '\0');
  text.resize(base64_encode(text, bytes));
  return text;
}

TEST(Base64, Rfc4648Vectors) {
  // RFC 4648 §10.
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(encoded(as_bytes(plain)), text);
    std::byte out[6];
    const Base64Decoded decoded = base64_decode(out, text);
    ASSERT_TRUE(decoded.ok()) << text;
    EXPECT_EQ(as_text({out, decoded.bytes}), plain);
  }
}

struct Refusal {
  const char* name;
  std::string_view text;
  Base64Error error;
  const char* clause;
};

constexpr Refusal kRefusals[] = {
    {"no padding", "Zg", Base64Error::length, "RFC 4648 §3.2"},
    {"half the padding", "Zg=", Base64Error::length, "RFC 4648 §3.2"},
    {"one character", "Z", Base64Error::length, "RFC 4648 §4"},
    {"padding too much", "Zm9v====", Base64Error::padding, "RFC 4648 §3.2"},
    {"padding alone", "====", Base64Error::padding, "RFC 4648 §3.2"},
    {"three of padding", "Z===", Base64Error::padding, "RFC 4648 §3.2"},
    {"padding first", "=m9v", Base64Error::padding, "RFC 4648 §3.2"},
    {"padding inside", "Zg==Zm9v", Base64Error::padding, "RFC 4648 §3.2"},
    {"padding, then a character", "Zm=v", Base64Error::padding, "RFC 4648 §3.2"},
    {"space", "Zm9 ", Base64Error::character, "RFC 4648 §3.3"},
    {"line break", "Zm9v\r\nYg", Base64Error::character, "RFC 4648 §3.1"},
    {"leading space", " Zg=", Base64Error::character, "RFC 4648 §3.3"},
    {"NUL", std::string_view("Zm9\0", 4), Base64Error::character, "RFC 4648 §3.3"},
    {"URL alphabet -", "Zm9-", Base64Error::character, "RFC 4648 §5"},
    {"URL alphabet _", "Zm9_", Base64Error::character, "RFC 4648 §5"},
    {"not ASCII", "Zm9\xc3", Base64Error::character, "RFC 4648 §3.3"},
    {"bad in the last group", "Zm9v!g==", Base64Error::character, "RFC 4648 §3.3"},
    {"bits after one byte", "Zh==", Base64Error::trailing_bits, "RFC 4648 §3.5"},
    {"bits after one byte, high", "Zo==", Base64Error::trailing_bits, "RFC 4648 §3.5"},
    {"bits after two bytes", "Zm9=", Base64Error::trailing_bits, "RFC 4648 §3.5"},
    {"bits after two bytes, high", "Zm+=", Base64Error::trailing_bits, "RFC 4648 §3.5"},
};

TEST(Base64, Refusals) {
  const GuardPages pages(64);
  for (const Refusal& row : kRefusals) {
    const ConstBytes text = pages.copy_to_end(as_bytes(row.text));
    std::byte out[16];
    const Base64Decoded decoded = base64_decode(out, as_text(text));
    EXPECT_EQ(decoded.error, row.error) << row.name << " (" << row.clause << ")";
    EXPECT_EQ(decoded.bytes, 0u) << row.name;
  }
}

TEST(Base64, NoRoomIsRefusedBeforeAnythingIsWritten) {
  std::byte out[3] = {std::byte{1}, std::byte{2}, std::byte{3}};
  EXPECT_EQ(base64_decode(Bytes(out, 2), "Zm9v").error, Base64Error::no_room);
  EXPECT_EQ(out[0], std::byte{1});
  EXPECT_EQ(base64_decode(Bytes(out, 0), "Zg==").error, Base64Error::no_room);
  EXPECT_EQ(base64_decode(Bytes(out, 2), "Zm8=").error, Base64Error::none);
}

// Every group of one, two and three characters that stand for something decodes to the bytes that
// encode to it, and nothing else does.
TEST(Base64, DecodingIsTheInverseOfEncodingForEveryLastGroup) {
  std::size_t accepted = 0;
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const char one[4] = {static_cast<char>(first), static_cast<char>(second), '=', '='};
      const std::string_view text(one, 4);
      std::byte out[3];
      const Base64Decoded decoded = base64_decode(out, text);
      if (!decoded.ok()) continue;
      ++accepted;
      ASSERT_EQ(decoded.bytes, 1u);
      ASSERT_EQ(encoded(ConstBytes(out, 1)), text);
    }
  }
  EXPECT_EQ(accepted, 256u);
}

TEST(Base64, EveryLengthComesBackBetweenGuardPages) {
  const GuardPages source(1024), text_pages(1024), target(1024);
  for (std::size_t bytes = 0; bytes <= 130; ++bytes) {
    const Bytes plain = source.at_end(bytes);
    for (std::size_t i = 0; i < bytes; ++i) plain[i] = static_cast<std::byte>(i * 73 + bytes);
    const Bytes text = text_pages.at_end(base64_encoded_bytes(bytes));
    const std::span<char> characters(reinterpret_cast<char*>(text.data()), text.size());
    ASSERT_EQ(base64_encode(characters, plain), text.size());
    const Bytes out = target.at_end(bytes);
    const Base64Decoded decoded = base64_decode(out, as_text(text));
    ASSERT_TRUE(decoded.ok());
    ASSERT_EQ(decoded.bytes, bytes);
    ASSERT_TRUE(std::equal(out.begin(), out.end(), plain.begin()));
  }
}

TEST(Base64, ErrorTableIsInOrder) {
  for (std::size_t i = 0; i < std::size(kBase64Errors); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kBase64Errors[i].error), i);
  }
}

TEST(Base64DeathTest, EncodingIntoTooLittleRoomIsABug) {
  char out[3];
  EXPECT_DEATH(base64_encode(out, as_bytes("f")), "check failed");
}

}  // namespace
}  // namespace spate::codec
