#include "codec/base64url.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using test::GuardPages;

std::string encoded(ConstBytes bytes) {
  std::string text(base64url_encoded_bytes(bytes.size()), '\0');
  EXPECT_EQ(base64url_encode(text, bytes), text.size());
  return text;
}

TEST(Base64url, Vectors) {
  // RFC 4648 §10 without its padding, and RFC 7515 appendix C.
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg"},
      {"fo", "Zm8"},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg"},
      {"fooba", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy"},
      {"\x03\xEC\xFF\xE0\xC1", "A-z_4ME"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(encoded(as_bytes(plain)), text);
    std::byte out[6];
    const Base64Decoded decoded = base64url_decode(out, text);
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
    {"one character", "Z", Base64Error::length, "RFC 4648 §4"},
    {"a character too many", "Zm9vY", Base64Error::length, "RFC 4648 §4"},
    {"padding", "Zg==", Base64Error::padding, "RFC 7515 §2"},
    {"padding inside", "Zg=v", Base64Error::padding, "RFC 7515 §2"},
    {"plain alphabet +", "A+z_4ME", Base64Error::character, "RFC 4648 §5"},
    {"plain alphabet /", "A-z/4ME", Base64Error::character, "RFC 4648 §5"},
    {"a space", "Zm9 ", Base64Error::character, "RFC 4648 §3.3"},
    {"a line break", "Zm9v\nZm9", Base64Error::character, "RFC 7515 §2"},
    {"a point", "Zm9v.A", Base64Error::character, "RFC 4648 §5"},
    {"NUL", std::string_view("Zm9\0", 4), Base64Error::character, "RFC 4648 §3.3"},
    {"bits that encode nothing, one byte", "Zh", Base64Error::trailing_bits, "RFC 4648 §3.5"},
    {"bits that encode nothing, two bytes", "Zm9", Base64Error::trailing_bits, "RFC 4648 §3.5"},
};

TEST(Base64url, Refusals) {
  for (const Refusal& row : kRefusals) {
    std::byte out[16];
    const Base64Decoded decoded = base64url_decode(out, row.text);
    EXPECT_EQ(decoded.error, row.error) << row.name << " (" << row.clause << ")";
    EXPECT_EQ(decoded.bytes, 0u) << row.name;
  }
}

// Around the blocks that it works in, against pages that cannot be touched.
TEST(Base64url, ThereAndBackAtEveryLength) {
  const GuardPages guarded(800);
  for (std::size_t bytes = 0; bytes <= 800; ++bytes) {
    std::vector<std::byte> plain(bytes);
    for (std::size_t i = 0; i < bytes; ++i) plain[i] = static_cast<std::byte>(i * 37 + bytes);
    const std::string text = encoded(plain);
    EXPECT_EQ(text.find_first_of("+/="), std::string::npos);
    ASSERT_EQ(base64url_decoded_bytes(text.size()), bytes);
    const Bytes out = guarded.at_end(bytes);
    const Base64Decoded decoded = base64url_decode(out, text);
    ASSERT_TRUE(decoded.ok()) << bytes;
    ASSERT_EQ(decoded.bytes, bytes);
    EXPECT_EQ(as_text(out), as_text(plain));
    if (bytes == 0) continue;
    EXPECT_EQ(base64url_decode(out.subspan(1), text).error, Base64Error::no_room);
  }
}

TEST(Base64url, AMistakeInALaterBlockIsSeen) {
  std::string text(600, 'A');
  std::byte out[450];
  ASSERT_TRUE(base64url_decode(out, text).ok());
  for (const std::size_t at : {0u, 255u, 256u, 511u, 512u, 599u}) {
    std::string wrong = text;
    wrong[at] = '*';
    EXPECT_EQ(base64url_decode(out, wrong).error, Base64Error::character) << at;
  }
}

}  // namespace
}  // namespace spate::codec
