#include "codec/accept_key.h"

#include <gtest/gtest.h>

#include <string>

#include "codec/base64.h"
#include "codec/sha1.h"

namespace spate::codec {
namespace {

std::string_view text(const std::array<char, kWebSocketAcceptBytes>& accept) {
  return {accept.data(), accept.size()};
}

TEST(AcceptKey, Rfc6455Examples) {
  // RFC 6455 §1.3 and §4.2.2.
  EXPECT_EQ(text(accept_key("dGhlIHNhbXBsZSBub25jZQ==")), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(AcceptKey, IsTheHashOfKeyAndGuidInBase64) {
  // RFC 6455 §4.2.2 item 5.4, literally.
  for (int i = 0; i < 64; ++i) {
    std::string key(kWebSocketKeyBytes, static_cast<char>('0' + i));
    const Sha1Digest digest = sha1(as_bytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    std::string expected(base64_encoded_bytes(digest.size()), '\0');
    base64_encode(expected, digest);
    EXPECT_EQ(text(accept_key(key)), expected);
  }
}

TEST(AcceptKey, EveryCharacterOfTheKeyCounts) {
  const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
  const auto expected = accept_key(key);
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] = other[i] == 'x' ? 'y' : 'x';
    EXPECT_NE(accept_key(other), expected) << "character " << i;
  }
}

TEST(AcceptKeyDeathTest, AKeyThatWasNotValidatedIsABug) {
  EXPECT_DEATH((void)accept_key("short"), "check failed");
}

}  // namespace
}  // namespace spate::codec
