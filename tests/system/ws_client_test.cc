// The oracle itself: that it builds the frames it says, and that it lets no departure pass.
#include "tests/system/ws_client.h"

#include <gtest/gtest.h>

namespace spate::tests {
namespace {

using std::string_literals::operator""s;

// Feeds `bytes` whole and byte by byte; both must come to the same end.
std::string violation_of(const std::string& bytes) {
  FrameReader whole;
  whole.feed(bytes);
  while (whole.next()) {
  }
  FrameReader piecewise;
  for (const char byte : bytes) {
    piecewise.feed(std::string(1, byte));
    while (piecewise.next()) {
    }
  }
  EXPECT_EQ(whole.violation().empty(), piecewise.violation().empty()) << hex(bytes);
  return whole.violation();
}

// RFC 6455 §5.7.
TEST(BuildFrame, MakesTheFramesThatTheRfcPrints) {
  EXPECT_EQ(build_frame({.payload = "Hello", .masked = false}), "\x81\x05Hello");
  EXPECT_EQ(text_frame("Hello"), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  EXPECT_EQ(build_frame({.fin = false, .payload = "Hel", .masked = false}), "\x01\x03Hel");
  EXPECT_EQ(build_frame({.opcode = kContinuation, .payload = "lo", .masked = false}), "\x80\x02lo");
  EXPECT_EQ(ping_frame("Hello"), "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  EXPECT_EQ(build_header({.opcode = kBinary, .masked = false, .announced_length = 256}),
            "\x82\x7e\x01\x00"s);
  EXPECT_EQ(build_header({.opcode = kBinary, .masked = false, .announced_length = 65536}),
            "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s);
}

TEST(BuildFrame, MakesIllegalFramesToo) {
  EXPECT_EQ(build_header({.rsv1 = true, .opcode = 0xb, .masked = false}), "\xcb\x00"s);
  EXPECT_EQ(build_header({.rsv2 = true, .rsv3 = true, .masked = false}), "\xb1\x00"s);
  EXPECT_EQ(
      build_header({.payload = "x", .masked = false, .length_form = LengthForm::sixteen_bits}),
      "\x81\x7e\x00\x01"s);
}

// RFC 6455 §1.3.
TEST(AcceptValue, IsTheOneThatTheRfcPrints) {
  EXPECT_EQ(accept_value("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(FrameReader, YieldsWhatAServerMaySend) {
  FrameReader reader;
  reader.feed("\x81\x05Hello\x89\x00\x82\x7e\x00\x7e"s + std::string(126, 'x') +
              "\x88\x02\x03\xe8"s);
  auto frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, "Hello");
  frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, kPing);
  frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, std::string(126, 'x'));
  frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->close_code(), 1000);
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.violation(), "");
  EXPECT_EQ(reader.pending_bytes(), 0u);
}

TEST(FrameReader, NamesEveryDeparture) {
  const std::string departures[] = {
      "\xc1\x00"s,                                  // rsv1
      "\xa1\x00"s,                                  // rsv2
      "\x91\x00"s,                                  // rsv3
      "\x83\x00"s,                                  // reserved opcode
      "\x8b\x00"s,                                  // reserved control opcode
      "\x81\x80\x01\x02\x03\x04"s,                  // masked
      "\x81\x7e\x00\x7d"s + std::string(125, 'x'),  // 125 in 16 bits
      "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"s,  // 65535 in 64 bits
      "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"s,  // high bit
      "\x09\x00"s,                                  // fragmented ping
      "\x8a\x7e\x00\x7e"s + std::string(126, 'x'),  // pong of 126 bytes
      "\x88\x01\x03"s,                              // close body of one byte
      "\x88\x02\x03\xed"s,                          // close code 1005
      "\x88\x02\x03\xee"s,                          // close code 1006
      "\x88\x02\x03\xf7"s,                          // close code 1015
      "\x88\x02\x03\xe7"s,                          // close code 999
      "\x88\x02\x13\x88"s,                          // close code 5000
      "\x88\x00\x81\x00"s,                          // text after close
  };
  for (const std::string& bytes : departures) EXPECT_NE(violation_of(bytes), "") << hex(bytes);
}

TEST(ResponseHead, IsTakenApartStrictly) {
  const auto head = parse_response_head("HTTP/1.1 426 Upgrade Required\r\nA: b \r\nA:c\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 426);
  EXPECT_EQ(head->count("a"), 2u);
  EXPECT_EQ(head->value("a"), "b");
  EXPECT_FALSE(parse_response_head("HTTP/1.0 200 OK\r\n\r\n"));
  EXPECT_FALSE(parse_response_head("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"));
  EXPECT_FALSE(parse_response_head("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"));
  EXPECT_FALSE(parse_response_head("\r\n"));
}

TEST(ComplainAboutUpgrade, MissesNothing) {
  const std::string good =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  const auto complaint_with = [&good](const std::string& from, const std::string& to) {
    std::string spoilt = good;
    spoilt.replace(spoilt.find(from), from.size(), to);
    const auto head = parse_response_head(spoilt);
    return head ? complain_about_upgrade(*head) : "malformed";
  };
  EXPECT_EQ(complaint_with("101", "101"), "");
  for (const auto& [from, to] : std::initializer_list<std::pair<std::string, std::string>>{
           {"101", "200"},
           {"Upgrade: websocket\r\n", ""},
           {"websocket", "h2c"},
           {"Connection: Upgrade", "Connection: close"},
           {"Connection: ", "Upgrade: websocket\r\nConnection: "},
           {"s3pPL", "s3pPM"},
           {"Connection: ", "Content-Length: 0\r\nConnection: "}}) {
    EXPECT_NE(complaint_with(from, to), "") << to;
  }
}

}  // namespace
}  // namespace spate::tests
