// Why one pass that moves while it unmasks, instead of unmasking in place and copying when
// fragments or replies must be joined: a load that straddles bytes just stored waits for the store
// to retire, which on small pipelined frames costs more than parsing them.
#include "codec/message_decoder.h"

#include <algorithm>

namespace spate::codec {

namespace {
// Text is unmasked and validated in blocks of this size, so that the second pass finds it in the
// cache.
constexpr std::uint64_t kValidateBlockBytes = 16 * 1024;
}  // namespace

Event MessageDecoder::next_general() {
  for (;;) {
    if (state_.in_frame) {
      if (!take_payload()) return bad(FrameError::invalid_utf8);
      if (state_.remaining > 0) return {EventKind::need_more, {}, 0, FrameError::none, {}};
      state_.in_frame = false;
      frame_ended_ = true;
      if (state_.fin) return finish_message();
    }
    FrameHeader header;
    const ConstBytes unread{next_, static_cast<std::size_t>(end_ - next_)};
    const FrameHeaderResult result = parse_frame_header(unread, rules_.allowed_rsv, header);
    // The first two bytes are judged whole, then what they mean here, then the length: the same
    // error comes first however the bytes arrive.
    const bool length_is_bad = result.error == FrameError::non_minimal_length ||
                               result.error == FrameError::length_out_of_range;
    if (result.status == ParseStatus::bad && !length_is_bad) return bad(result.error);
    if (unread.size() >= 2) {
      if (const FrameError error = judge_sequence(header); error != FrameError::none)
        return bad(error);
    }
    if (length_is_bad) return bad(result.error);
    if (result.status == ParseStatus::need_more)
      return {EventKind::need_more, {}, 0, FrameError::none, {}};
    if (is_control(header.opcode)) return control_frame(header);
    begin_frame(header);
  }
}

FrameError MessageDecoder::judge_sequence(const FrameHeader& header) const {
  if (is_control(header.opcode)) return FrameError::none;
  const bool continues = header.opcode == Opcode::continuation;
  if (continues && !state_.in_message()) return FrameError::unexpected_continuation;
  if (!continues && state_.in_message()) return FrameError::expected_continuation;
  // An extension's bit belongs to a message's first frame (RFC 7692 §6.1).
  if (continues && header.rsv != 0) return FrameError::reserved_bits;
  // payload_bytes is 0 until the length is known; written so that the sum cannot overflow.
  if (header.payload_bytes >
      rules_.max_message_bytes - std::min(state_.assembled, rules_.max_message_bytes)) [[unlikely]]
    return judge_large(header);
  return FrameError::none;
}

// Too large for a plain message.
FrameError MessageDecoder::judge_large(const FrameHeader& header) const {
  const std::uint8_t rsv = state_.in_message() ? state_.rsv : header.rsv;
  const std::uint64_t max = rsv == 0 ? 0 : rules_.max_compressed_bytes;
  return header.payload_bytes > max - std::min(state_.assembled, max) ? FrameError::message_too_big
                                                                      : FrameError::none;
}

void MessageDecoder::begin_frame(const FrameHeader& header) {
  next_ += header.header_bytes;
  if (!state_.in_message()) {
    state_.opcode = header.opcode;
    state_.rsv = header.rsv;
    state_.assembled = 0;
    state_.utf8 = {};
    message_ = next_;
    if (packing_) {
      // A whole message is placed where its reply's header just fits; of a fragmented one the
      // length is not known yet, and any header may be needed.
      const std::size_t room =
          header.fin ? server_header_bytes(header.payload_bytes) : kMaxServerHeaderBytes;
      message_ = std::min(next_, floor_ + room);
    }
  } else {
    ++continuations_;
  }
  state_.fin = header.fin;
  state_.in_frame = true;
  state_.remaining = header.payload_bytes;
  state_.masking_key = header.masking_key;
}

// Moves what has arrived of the current frame's payload to the message's end.
bool MessageDecoder::take_payload() {
  const bool text = state_.opcode == Opcode::text && state_.rsv == 0;
  auto available =
      std::min<std::uint64_t>(state_.remaining, static_cast<std::size_t>(end_ - next_));
  while (available > 0) {
    const auto bytes =
        static_cast<std::size_t>(text ? std::min(available, kValidateBlockBytes) : available);
    std::byte* const to = message_ + state_.assembled;
    const bool ascii = unmask(to, next_, bytes, state_.masking_key);
    if (text && !(ascii && utf8_complete(state_.utf8)) && !utf8_validate(state_.utf8, {to, bytes}))
      return false;
    state_.masking_key = rotate_masking_key(state_.masking_key, bytes);
    state_.assembled += bytes;
    state_.remaining -= bytes;
    next_ += bytes;
    available -= bytes;
  }
  return true;
}

Event MessageDecoder::finish_message() {
  if (state_.opcode == Opcode::text && state_.rsv == 0 && !utf8_complete(state_.utf8))
    return bad(FrameError::invalid_utf8);
  const Event event{EventKind::message,
                    state_.opcode,
                    state_.rsv,
                    FrameError::none,
                    {message_, static_cast<std::size_t>(state_.assembled)}};
  state_ = {};
  return event;
}

Event MessageDecoder::control_frame(const FrameHeader& header) {
  const auto bytes = static_cast<std::size_t>(header.payload_bytes);
  // Kept as it came until it is whole: it is short, and lies behind what is assembled.
  if (static_cast<std::size_t>(end_ - next_) < header.header_bytes + bytes)
    return {EventKind::need_more, {}, 0, FrameError::none, {}};
  std::byte* const source = next_ + header.header_bytes;
  std::byte* const payload = packing_ && !state_.in_message() ? floor_ + 2 : source;
  unmask(payload, source, bytes, header.masking_key);
  next_ = source + bytes;
  frame_ended_ = true;
  const EventKind kind = header.opcode == Opcode::ping   ? EventKind::ping
                         : header.opcode == Opcode::pong ? EventKind::pong
                                                         : EventKind::close;
  return {kind, header.opcode, 0, FrameError::none, {payload, bytes}};
}

Bytes MessageDecoder::rest() {
  const auto unread = static_cast<std::size_t>(end_ - next_);
  if (!state_.in_message()) return {next_, unread};
  std::byte* const tail = message_ + state_.assembled;
  if (tail != next_) std::memmove(tail, next_, unread);
  return {message_, static_cast<std::size_t>(state_.assembled) + unread};
}

}  // namespace spate::codec
