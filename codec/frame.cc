#include "codec/frame.h"

#include "codec/utf8.h"

namespace spate::codec {

namespace {

constexpr FrameHeaderResult bad(FrameError error) {
  return {ParseStatus::bad, error};
}
constexpr FrameHeaderResult kNeedMore{ParseStatus::need_more, FrameError::none};

// What the first two bytes alone say is wrong.
FrameError judge_first_two(unsigned first, unsigned second, std::uint8_t allowed_rsv) {
  const unsigned opcode = first & 0x0F;
  if (((first >> 4) & 0x7 & ~allowed_rsv) != 0) return FrameError::reserved_bits;
  if ((opcode & 0x7) > 2) return FrameError::reserved_opcode;
  if ((opcode & 0x8) != 0) {
    if ((first & 0x80) == 0) return FrameError::fragmented_control;
    if ((second & 0x7F) > kMaxControlPayloadBytes) return FrameError::control_too_long;
    // Compression applies to messages; a control frame has no bit to set (RFC 7692 §6.1).
    if ((first & 0x70) != 0) return FrameError::reserved_bits;
  }
  if ((second & 0x80) == 0) return FrameError::unmasked;
  return FrameError::none;
}

}  // namespace

FrameHeaderResult parse_frame_header(ConstBytes in, std::uint8_t allowed_rsv, FrameHeader& out) {
  out = {};
  if (in.size() < 2) return kNeedMore;
  const auto first = std::to_integer<unsigned>(in[0]);
  const auto second = std::to_integer<unsigned>(in[1]);
  if (const FrameError error = judge_first_two(first, second, allowed_rsv);
      error != FrameError::none)
    return bad(error);
  out.opcode = static_cast<Opcode>(first & 0x0F);
  out.rsv = static_cast<std::uint8_t>((first >> 4) & 0x7);
  out.fin = (first & 0x80) != 0;

  std::uint64_t payload_bytes = second & 0x7F;
  std::size_t header_bytes = 6;
  if (payload_bytes == 126) {
    if (in.size() < 4) return kNeedMore;
    payload_bytes = big_endian(load<std::uint16_t>(&in[2]));
    if (payload_bytes < 126) return bad(FrameError::non_minimal_length);
    header_bytes = 8;
  } else if (payload_bytes == 127) {
    if (in.size() < 10) return kNeedMore;
    payload_bytes = big_endian(load<std::uint64_t>(&in[2]));
    if ((payload_bytes >> 63) != 0) return bad(FrameError::length_out_of_range);
    if (payload_bytes <= 0xFFFF) return bad(FrameError::non_minimal_length);
    header_bytes = 14;
  }
  // The length is judged before the key is complete, so that a limit can refuse it at once.
  out.payload_bytes = payload_bytes;
  out.header_bytes = static_cast<std::uint8_t>(header_bytes);
  if (in.size() < header_bytes) return kNeedMore;
  out.masking_key = load<std::uint32_t>(&in[header_bytes - 4]);
  return {ParseStatus::ok, FrameError::none};
}

ClosePayload parse_close_payload(ConstBytes payload) {
  if (payload.empty()) return {FrameError::none, kCloseNoStatus, {}};
  if (payload.size() < 2) return {FrameError::close_payload_too_short, kCloseNoStatus, {}};
  const CloseCode code = big_endian(load<std::uint16_t>(payload.data()));
  if (!close_code_on_wire(code)) return {FrameError::close_code_reserved, code, {}};
  const ConstBytes reason = payload.subspan(2);
  Utf8State state{};
  if (!utf8_validate(state, reason) || !utf8_complete(state))
    return {FrameError::close_reason_not_utf8, code, {}};
  return {FrameError::none, code, as_text(reason)};
}

}  // namespace spate::codec
