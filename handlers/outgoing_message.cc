#include "handlers/outgoing_message.h"

namespace spate::handlers {

OutgoingMessage::OutgoingMessage(codec::Opcode opcode, ConstBytes payload)
    : opcode_(opcode),
      payload_bytes_(payload.size()),
      plain_(
          core::BlockRef::allocate(codec::server_header_bytes(payload.size()) + payload.size())) {
  if (!plain_) return;
  const std::size_t header = codec::build_server_header(plain_.data(), opcode, payload.size());
  if (!payload.empty()) std::memcpy(plain_.data() + header, payload.data(), payload.size());
}

const core::BlockRef& OutgoingMessage::deflated(Deflation& deflation, int window_bits) {
  if (!plain_) return plain_;
  // Peers whose windows all hold it whole get the same frame.
  const int bits = Deflation::window_bits_for(payload_bytes_, window_bits);
  core::BlockRef& block = deflated_[static_cast<std::size_t>(bits - 9)];
  if (!block) block = deflation.shared_frame(bits, opcode_, payload());
  if (!block) block = plain_;
  return block;
}

}  // namespace spate::handlers
