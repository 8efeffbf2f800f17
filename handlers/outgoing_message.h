// One message to many connections: encoded once for each way that its receivers take it, and sent
// to each by reference.
//
//   OutgoingMessage message(Opcode::text, payload);
//   for (…) socket.send(message);
//
// The plain frame is made at once, for it holds the payload; a compressed one when the first
// connection wants it, one for each size of window. One worker, one thread.
#pragma once

#include <array>
#include <cstdint>

#include "handlers/deflation.h"

namespace spate::handlers {

class OutgoingMessage {
 public:
  OutgoingMessage(codec::Opcode opcode, ConstBytes payload);

  // False when the heap refused: there is nothing to send.
  explicit operator bool() const { return static_cast<bool>(plain_); }

  const core::BlockRef& plain() const { return plain_; }
  // For a peer that negotiated permessage-deflate with windows of that size: compressed, or plain
  // where that is better.
  const core::BlockRef& deflated(Deflation& deflation, int window_bits);

 private:
  ConstBytes payload() const { return plain_.bytes().last(payload_bytes_); }

  const codec::Opcode opcode_;
  const std::size_t payload_bytes_;
  core::BlockRef plain_;
  std::array<core::BlockRef, 7> deflated_;  // for 9–15 bits; plain_ where compressing lost
};

}  // namespace spate::handlers
