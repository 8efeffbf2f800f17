#include "tools/spate-bench/frames.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/spate-bench/handshake.h"

namespace spate::bench {
namespace {

// What a reader reported, as text.
struct Heard {
  std::string log;
  void message_begin(Opcode opcode) { log += opcode == Opcode::text ? "text(" : "binary("; }
  void message_bytes(ConstBytes bytes) { log += as_text(bytes); }
  void message_end() { log += ") "; }
  void control(Opcode opcode, ConstBytes payload) {
    log += std::to_string(static_cast<int>(opcode)) + "[" + std::string(as_text(payload)) + "] ";
  }
};

struct Stream {
  std::string bytes;
  const char* heard;  // nullptr: RFC 6455 forbids it
  const char* clause;
};

using namespace std::string_literals;

const Stream kStreams[] = {
    {"\x81\x02hi"s, "text(hi) ", "RFC 6455 §5.6"},
    {"\x82\x00"s, "binary() ", "RFC 6455 §5.6"},
    {"\x01\x01"
     "a\x00\x01"
     "b\x80\x01"
     "c"s,
     "text(abc) ", "RFC 6455 §5.4"},
    {"\x01\x01"
     "a\x89\x01"
     "p\x80\x01"
     "b"s,
     "text(a9[p] b) ", "RFC 6455 §5.4"},
    {"\x88\x02\x03\xe8"s, "8[\x03\xe8] ", "RFC 6455 §5.5.1"},
    {"\x8a\x00\x81\x01x"s, "10[] text(x) ", "RFC 6455 §5.5.3"},
    {"\x81\x82\x01\x02\x03\x04zz"s, nullptr, "RFC 6455 §5.1: a server does not mask"},
    {"\xc1\x00"s, nullptr, "RFC 6455 §5.2: rsv1"},
    {"\x83\x00"s, nullptr, "RFC 6455 §5.2: opcode 3"},
    {"\x8b\x00"s, nullptr, "RFC 6455 §5.2: opcode 11"},
    {"\x80\x00"s, nullptr, "RFC 6455 §5.4: nothing to continue"},
    {"\x01\x00\x81\x00"s, nullptr, "RFC 6455 §5.4: a new message inside one"},
    {"\x09\x00"s, nullptr, "RFC 6455 §5.5: fragmented control"},
    {"\x89\x7e\x00\x80"s, nullptr, "RFC 6455 §5.5: long control"},
    {"\x82\x7e\x00\x05"s, nullptr, "RFC 6455 §5.2: not the shortest length"},
    {"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"s, nullptr,
     "RFC 6455 §5.2: not the shortest length"},
    {"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"s, nullptr, "RFC 6455 §5.2: highest bit set"},
};

// Empty when refused.
std::string hear(const std::vector<std::string>& pieces) {
  FrameReader reader;
  Heard heard;
  for (const std::string& piece : pieces)
    if (!reader.feed(as_bytes(piece), heard)) return "refused";
  return heard.log;
}

TEST(FrameReader, HearsEachStreamWholeAndSplitAnywhere) {
  for (const Stream& stream : kStreams) {
    const std::string expected = stream.heard ? stream.heard : "refused";
    EXPECT_EQ(hear({stream.bytes}), expected) << stream.clause;
    std::vector<std::string> bytewise;
    for (std::size_t at = 0; at < stream.bytes.size(); ++at) {
      EXPECT_EQ(hear({stream.bytes.substr(0, at), stream.bytes.substr(at)}), expected)
          << stream.clause << " split at " << at;
      bytewise.push_back(stream.bytes.substr(at, 1));
    }
    EXPECT_EQ(hear(bytewise), expected) << stream.clause;
  }
}

TEST(FrameReader, LengthBoundaries) {
  for (const std::size_t length : {125u, 126u, 127u, 65535u, 65536u}) {
    std::string bytes = "\x82";
    const std::size_t header = server_header_bytes(length);
    if (header == 2) bytes += static_cast<char>(length);
    if (header == 4) bytes += "\x7e"s + static_cast<char>(length >> 8) + static_cast<char>(length);
    if (header == 10)
      bytes += "\x7f\0\0\0\0\0"s + static_cast<char>(length >> 16) +
               static_cast<char>(length >> 8) + static_cast<char>(length);
    bytes.append(length, 'v');
    EXPECT_EQ(hear({bytes}), "binary(" + std::string(length, 'v') + ") ");
  }
}

TEST(ClientFrame, IsMaskedWithItsKey) {
  const std::string frame = client_frame(Opcode::ping, "abcde", 0x04030201);
  EXPECT_EQ(frame, "\x89\x85\x01\x02\x03\x04"s + static_cast<char>('a' ^ 1) +
                       static_cast<char>('b' ^ 2) + static_cast<char>('c' ^ 3) +
                       static_cast<char>('d' ^ 4) + static_cast<char>('e' ^ 1));
}

TEST(MaskingKey, HasNoZeroByte) {
  std::uint64_t seed = 1;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint32_t key = random_masking_key(seed);
    for (int shift = 0; shift < 32; shift += 8) ASSERT_NE(key >> shift & 0xff, 0u);
  }
}

TEST(Handshake, JudgesAnswers) {
  Handshake handshake("example.org", "/chat", {"Origin: http://example.org"});
  const std::string request(handshake.request(3, 1));
  EXPECT_TRUE(request.starts_with("GET /chat HTTP/1.1\r\nHost: example.org\r\n"));
  EXPECT_NE(request.find("\r\nOrigin: http://example.org\r\n"), request.npos);
  EXPECT_NE(request, handshake.request(4, 1));
  EXPECT_NE(request, handshake.request(3, 2));
  EXPECT_EQ(request, handshake.request(3, 1));
  const std::string head = "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  EXPECT_EQ(handshake.refuse("HTTP/1.1 403 No\r\n\r\n", 3, 1), Error::handshake_refused);
  EXPECT_EQ(handshake.refuse("SSH-2.0\r\n\r\n", 3, 1), Error::handshake_malformed);
  EXPECT_EQ(handshake.refuse("HTTP/1.1 101 Fine\r\n\r\n", 3, 1), Error::handshake_malformed);
  EXPECT_EQ(handshake.refuse(head + "\r\n", 3, 1), Error::handshake_accept_key);
  EXPECT_EQ(
      handshake.refuse(head + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", 3, 1),
      Error::handshake_accept_key);
}

}  // namespace
}  // namespace spate::bench
