#include "codec/frame.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace spate::codec {
namespace {

// The base framing protocol read literally, clause by clause, for a header of two bytes whose
// length and key fields follow. Slow and separate from the parser on purpose.
FrameError oracle(unsigned first, unsigned second, std::uint8_t allowed_rsv) {
  const bool rsv1 = (first & 0x40) != 0, rsv2 = (first & 0x20) != 0, rsv3 = (first & 0x10) != 0;
  if (rsv1 && (allowed_rsv & 4) == 0) return FrameError::reserved_bits;
  if (rsv2 && (allowed_rsv & 2) == 0) return FrameError::reserved_bits;
  if (rsv3 && (allowed_rsv & 1) == 0) return FrameError::reserved_bits;
  const unsigned opcode = first % 16;
  const bool known =
      opcode == 0 || opcode == 1 || opcode == 2 || opcode == 8 || opcode == 9 || opcode == 10;
  if (!known) return FrameError::reserved_opcode;
  const bool control = opcode >= 8;
  const unsigned length = second % 128;
  if (control && first < 128) return FrameError::fragmented_control;
  if (control && length > 125) return FrameError::control_too_long;
  if (control && (rsv1 || rsv2 || rsv3)) return FrameError::reserved_bits;
  if (second < 128) return FrameError::unmasked;
  return FrameError::none;
}

std::vector<std::byte> header(unsigned first, unsigned second) {
  std::vector<std::byte> bytes{std::byte(first), std::byte(second)};
  // A length that is minimal for its field, and a key.
  if (second % 128 == 126)
    for (const unsigned b : {0x01u, 0x00u}) bytes.push_back(std::byte(b));
  if (second % 128 == 127)
    for (const unsigned b : {0u, 0u, 0u, 0u, 0u, 1u, 0u, 0u}) bytes.push_back(std::byte(b));
  for (const unsigned b : {0x37u, 0xfau, 0x21u, 0x3du}) bytes.push_back(std::byte(b));
  return bytes;
}

TEST(Frame, All65536TwoByteHeadersAgreeWithTheOracle) {
  for (const std::uint8_t allowed_rsv : {std::uint8_t{0}, std::uint8_t{4}}) {
    for (unsigned first = 0; first < 256; ++first) {
      for (unsigned second = 0; second < 256; ++second) {
        const FrameError expected = oracle(first, second, allowed_rsv);
        FrameHeader out;
        const auto bytes = header(first, second);
        const FrameHeaderResult two = parse_frame_header({bytes.data(), 2}, allowed_rsv, out);
        ASSERT_EQ(two.error, expected) << first << ' ' << second;
        ASSERT_EQ(two.status,
                  expected == FrameError::none ? ParseStatus::need_more : ParseStatus::bad);
        const FrameHeaderResult whole = parse_frame_header(bytes, allowed_rsv, out);
        ASSERT_EQ(whole.error, expected);
        if (expected != FrameError::none) continue;
        ASSERT_EQ(whole.status, ParseStatus::ok);
        ASSERT_EQ(out.header_bytes, bytes.size());
        ASSERT_EQ(static_cast<unsigned>(out.opcode), first % 16);
        ASSERT_EQ(out.fin, first >= 128);
        ASSERT_EQ(out.rsv, first / 16 % 8);
        const unsigned length = second % 128;
        ASSERT_EQ(out.payload_bytes, length == 126 ? 256 : length == 127 ? 65536 : length);
      }
    }
  }
}

TEST(Frame, AnIncompleteHeaderNeedsMoreAtEveryLength) {
  for (const unsigned second : {0x80u, 0xFDu, 0xFEu, 0xFFu}) {
    const auto bytes = header(0x82, second);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      FrameHeader out;
      EXPECT_EQ(parse_frame_header({bytes.data(), size}, 0, out).status, ParseStatus::need_more);
    }
  }
}

TEST(Frame, NonMinimalLengthsAreBadBeforeTheKeyArrives) {
  FrameHeader out;
  const std::array<std::byte, 4> sixteen{std::byte{0x82}, std::byte{0xFE}, std::byte{0},
                                         std::byte{125}};
  EXPECT_EQ(parse_frame_header(sixteen, 0, out).error, FrameError::non_minimal_length);
  std::array<std::byte, 10> sixty_four{std::byte{0x82}, std::byte{0xFF}};
  sixty_four[8] = sixty_four[9] = std::byte{0xFF};
  EXPECT_EQ(parse_frame_header(sixty_four, 0, out).error, FrameError::non_minimal_length);
  sixty_four[2] = std::byte{0x80};
  EXPECT_EQ(parse_frame_header(sixty_four, 0, out).error, FrameError::length_out_of_range);
}

TEST(Frame, ServerHeadersAreMinimalAtEveryBoundary) {
  const struct {
    std::uint64_t payload;
    std::vector<unsigned> bytes;
  } rows[] = {
      {0, {0x82, 0}},
      {125, {0x82, 125}},
      {126, {0x82, 126, 0, 126}},
      {65535, {0x82, 126, 0xFF, 0xFF}},
      {65536, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
  };
  for (const auto& row : rows) {
    std::array<std::byte, kMaxServerHeaderBytes> out;
    ASSERT_EQ(build_server_header(out.data(), Opcode::binary, row.payload), row.bytes.size());
    ASSERT_EQ(server_header_bytes(row.payload), row.bytes.size());
    for (std::size_t i = 0; i < row.bytes.size(); ++i)
      EXPECT_EQ(std::to_integer<unsigned>(out[i]), row.bytes[i]) << row.payload << '@' << i;
  }
}

TEST(ClosePayload, EveryCodeIsJudgedAsTheRegistrySays) {
  for (unsigned code = 0; code < 65536; ++code) {
    const bool registered = code == 1000 || code == 1001 || code == 1002 || code == 1003 ||
                            (code >= 1007 && code <= 1014) || (code >= 3000 && code < 5000);
    const std::array<std::byte, 2> payload{std::byte(code >> 8), std::byte(code & 0xFF)};
    const ClosePayload close = parse_close_payload(payload);
    ASSERT_EQ(close.error, registered ? FrameError::none : FrameError::close_code_reserved) << code;
    ASSERT_EQ(close.code, code);
  }
}

TEST(ClosePayload, EmptyHasNoStatusAndOneByteIsTooShort) {
  EXPECT_EQ(parse_close_payload({}).code, kCloseNoStatus);
  const std::array<std::byte, 1> one{std::byte{3}};
  EXPECT_EQ(parse_close_payload(one).error, FrameError::close_payload_too_short);
}

TEST(ClosePayload, AReasonThatIsNotUtf8IsRefused) {
  std::array<std::byte, 3> payload{std::byte{3}, std::byte{0xE8}, std::byte{0xC3}};
  EXPECT_EQ(parse_close_payload(payload).error, FrameError::close_reason_not_utf8);
  payload[2] = std::byte{'x'};
  EXPECT_EQ(parse_close_payload(payload).reason, "x");
}

TEST(ClosePayload, AReasonIsCutAtACharacter) {
  std::array<std::byte, 2 + kMaxCloseReasonBytes> out;
  std::string reason(122, 'a');
  reason += "é";
  EXPECT_EQ(build_close_payload(out.data(), kCloseNormal, reason), 2 + 122u);
  EXPECT_EQ(build_close_payload(out.data(), kCloseNormal, std::string(123, 'a')), 125u);
}

}  // namespace
}  // namespace spate::codec
