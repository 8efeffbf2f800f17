#include "codec/close_code.h"

namespace spate::codec {

std::size_t build_close_payload(std::byte* to, CloseCode code, std::string_view reason) {
  store(to, big_endian(code));
  std::size_t bytes = reason.size();
  if (bytes > kMaxCloseReasonBytes) {
    bytes = kMaxCloseReasonBytes;
    // A cut inside a character would make the frame invalid UTF-8: step back to its first byte.
    while (bytes > 0 && (static_cast<unsigned char>(reason[bytes]) & 0xC0) == 0x80) --bytes;
  }
  if (bytes > 0) std::memcpy(to + 2, reason.data(), bytes);
  return 2 + bytes;
}

}  // namespace spate::codec
