// Frames to messages (RFC 6455 §5.4–§5.6), in place and without allocation: the decoder is given a
// window of received bytes and yields whole messages, control frames and errors.
//
// A window, between two calls of next():
//
//      floor           message       message + assembled    next           end
//        |  free to write |  payload so far  |  spent headers |  not yet read |
//        +----------------+------------------+----------------+---------------+
//
// Invariant: floor <= message, message + assembled <= next <= end. Payload is unmasked while it is
// moved down over the headers before it, so that a message is contiguous when it is whole, and each
// byte is touched once. Text is validated as it arrives: an error shows inside a half-received
// frame.
//
// What a half-received message needs is DecoderState (it lives with the bytes that are kept) and
// the bytes rest() names. When both are empty a connection keeps nothing.
#pragma once

#include <cstdint>

#include "codec/frame.h"
#include "codec/mask.h"
#include "codec/utf8.h"
#include "core/base.h"

namespace spate::codec {

// What a connection negotiated and was granted; constant while it lives.
struct FrameRules {
  std::uint64_t max_message_bytes = 65536;
  // As it comes, of a message with reserved bits: what compresses badly becomes a little larger.
  std::uint64_t max_compressed_bytes = 0;
  std::uint8_t allowed_rsv = 0;  // RSV bits in use by extensions, as in FrameHeader::rsv
};

// All zero between messages. Only moves forward.
struct DecoderState {
  std::uint64_t assembled = 0;    // payload bytes of the message so far, unmasked and validated
  std::uint64_t remaining = 0;    // payload bytes of the current frame that have not arrived
  std::uint32_t masking_key = 0;  // rotated to the next payload byte
  Utf8State utf8{};
  Opcode opcode = Opcode::continuation;  // the message's; continuation = no message begun
  bool in_frame = false;                 // a data frame's header was read, its payload not all
  bool fin = false;                      // the current frame is the message's last
  std::uint8_t rsv = 0;                  // of the message's first frame

  bool in_message() const { return opcode != Opcode::continuation; }
};

enum class EventKind : std::uint8_t { need_more, message, ping, pong, close, bad };

struct Event {
  EventKind kind;
  Opcode opcode;     // of a message: text or binary
  std::uint8_t rsv;  // of a message
  FrameError error;  // when bad
  Bytes payload;     // unmasked, in the window; lives until the next call of next()
};

class MessageDecoder {
 public:
  // `window` begins with what rest() named after the last window, followed by what was received.
  // `rules` and `state` outlive the decoder.
  // `floor` <= window.data(): bytes from there on may be overwritten (room for a reply's header).
  MessageDecoder(const FrameRules& rules, DecoderState& state, Bytes window, std::byte* floor)
      : rules_(rules),
        state_(state),
        floor_(floor),
        message_(window.data()),
        next_(window.data() + state.assembled),
        end_(window.data() + window.size()) {}

  // The next thing in the window. After need_more, close or bad it is not called again.
  Event next() {
    // The common case, kept apart from all others: a whole unfragmented data frame with a short
    // length. 0x81 and 0x82 are FIN with text and binary.
    if (end_ - next_ >= 6 && !state_.in_message()) [[likely]] {
      const auto first = std::to_integer<unsigned>(next_[0]);
      const unsigned length = std::to_integer<unsigned>(next_[1]) ^ 0x80u;
      if ((first == 0x81 || first == 0x82) && length < 126 &&
          static_cast<std::size_t>(end_ - next_) >= 6 + length &&
          length <= rules_.max_message_bytes) [[likely]]
        return short_message(static_cast<Opcode>(first & 0x0F), length);
    }
    return next_general();
  }

  // Where a header of `bytes` may be written so that it ends where `payload` begins, or null when
  // something that is still needed lies there. Only for the payload of the last event.
  std::byte* room_before(Bytes payload, std::size_t bytes) const {
    if (state_.in_message()) return nullptr;
    return payload.data() - bytes >= floor_ ? payload.data() - bytes : nullptr;
  }

  // The window is taken up to `end`, by a reply that was built in it: nothing below is written
  // again, and the next message is placed so that its reply follows without a gap.
  void keep_until(std::byte* end) {
    floor_ = end;
    packing_ = true;
  }

  // After need_more: the bytes to keep for the next window, gathered into one piece.
  Bytes rest();

  // Whether a frame has ended in this window: the next one's time begins anew.
  bool frame_ended() const { return frame_ended_; }
  // After need_more: whether a frame has begun and not ended.
  bool inside_frame() const { return state_.in_frame || next_ != end_; }

  // Continuation frames that began in this window.
  std::uint32_t continuations() const { return continuations_; }

  // After need_more: how large a window would let the current frame arrive whole.
  std::uint64_t wanted_bytes() const {
    return state_.assembled + state_.remaining + kMaxClientHeaderBytes;
  }

 private:
  Event short_message(Opcode opcode, std::size_t length) {
    std::byte* const source = next_ + 6;
    std::byte* const payload = packing_ ? floor_ + 2 : source;
    const bool ascii = unmask(payload, source, length, load<std::uint32_t>(next_ + 2));
    next_ = source + length;
    frame_ended_ = true;
    if (opcode == Opcode::text && !ascii) {
      Utf8State utf8{};
      if (!utf8_validate(utf8, {payload, length}) || !utf8_complete(utf8))
        return bad(FrameError::invalid_utf8);
    }
    return {EventKind::message, opcode, 0, FrameError::none, {payload, length}};
  }

  Event next_general();
  FrameError judge_sequence(const FrameHeader& header) const;
  FrameError judge_large(const FrameHeader& header) const;
  void begin_frame(const FrameHeader& header);
  Event control_frame(const FrameHeader& header);
  bool take_payload();
  Event finish_message();

  static Event bad(FrameError error) {
    return {EventKind::bad, Opcode::continuation, 0, error, {}};
  }

  const FrameRules& rules_;
  DecoderState& state_;
  std::byte* floor_;
  std::byte* message_;  // while in a message: where its payload begins
  std::byte* next_;
  std::byte* end_;
  bool packing_ = false;  // a reply ends at floor_
  bool frame_ended_ = false;
  std::uint32_t continuations_ = 0;
};

}  // namespace spate::codec
