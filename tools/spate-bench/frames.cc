#include "tools/spate-bench/frames.h"

#include <algorithm>

namespace spate::bench {

namespace {

// splitmix64: any seed is good, and it costs nothing.
std::uint64_t next_random(std::uint64_t& seed) {
  std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

std::uint32_t random_masking_key(std::uint64_t& seed) {
  for (;;) {
    const auto key = static_cast<std::uint32_t>(next_random(seed));
    if ((key & 0xff) && (key & 0xff00) && (key & 0xff0000) && (key & 0xff000000)) return key;
  }
}

std::size_t write_server_header(std::byte* to, Opcode opcode, std::uint64_t payload_bytes) {
  constexpr std::byte kFin{0x80};
  to[0] = kFin | static_cast<std::byte>(opcode);
  if (payload_bytes < 126) {
    to[1] = static_cast<std::byte>(payload_bytes);
  } else if (payload_bytes < 65536) {
    to[1] = std::byte{126};
    store(to + 2, big_endian(static_cast<std::uint16_t>(payload_bytes)));
  } else {
    to[1] = std::byte{127};
    store(to + 2, big_endian(payload_bytes));
  }
  return server_header_bytes(payload_bytes);
}

std::size_t write_client_header(std::byte* to, Opcode opcode, std::uint64_t payload_bytes,
                                std::uint32_t key) {
  constexpr std::byte kMask{0x80};
  const std::size_t at = write_server_header(to, opcode, payload_bytes);
  to[1] |= kMask;
  store(to + at, key);
  return at + sizeof key;
}

void apply_mask(Bytes payload, std::uint32_t key, std::uint64_t offset) {
  std::byte key_bytes[4];
  store(key_bytes, key);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= key_bytes[(offset + i) & 3];
}

std::string client_frame(Opcode opcode, std::string_view payload, std::uint32_t key) {
  std::string frame(client_header_bytes(payload.size()) + payload.size(), '\0');
  auto* to = reinterpret_cast<std::byte*>(frame.data());
  const std::size_t header = write_client_header(to, opcode, payload.size(), key);
  std::memcpy(to + header, payload.data(), payload.size());
  apply_mask({to + header, payload.size()}, key);
  return frame;
}

std::size_t FrameReader::take_header(ConstBytes bytes) {
  std::size_t taken = 0;
  const auto have = [&](std::size_t wanted) {
    const std::size_t n =
        std::min(wanted - std::min<std::size_t>(wanted, head_bytes_), bytes.size() - taken);
    std::memcpy(head_ + head_bytes_, bytes.data() + taken, n);
    head_bytes_ = static_cast<std::uint8_t>(head_bytes_ + n);
    taken += n;
    return head_bytes_ >= wanted;
  };
  if (!have(2)) return taken;
  const auto length = static_cast<std::uint8_t>(head_[1]);
  if (length & 0x80) bad_ = true;  // §5.1: a server does not mask
  if (!have(length < 126 ? 2 : length == 126 ? 4 : 10)) return taken;
  header_known();
  return taken;
}

void FrameReader::header_known() {
  const auto first = static_cast<std::uint8_t>(head_[0]);
  const auto length = static_cast<std::uint8_t>(head_[1]);
  const std::uint8_t opcode = first & 0x0f;
  fin_ = first & 0x80;
  opcode_ = static_cast<Opcode>(opcode);
  payload_left_ = length < 126    ? length
                  : length == 126 ? big_endian(load<std::uint16_t>(head_ + 2))
                                  : big_endian(load<std::uint64_t>(head_ + 2));
  const bool begins = opcode == 1 || opcode == 2;
  if (begins) compressed_ = first & 0x40;
  const std::uint8_t allowed = compressed_allowed_ && begins ? 0x40 : 0;
  if (first & 0x70 & ~allowed) bad_ = true;                    // §5.2: rsv is for extensions
  if ((opcode > 2 && opcode < 8) || opcode > 10) bad_ = true;  // §5.2
  if (opcode >= 8 && (!fin_ || payload_left_ > kMaxControlPayloadBytes)) bad_ = true;  // §5.5
  if (opcode < 8 && (opcode == 0) != in_message_) bad_ = true;                         // §5.4
  if (length == 126 && payload_left_ < 126) bad_ = true;  // §5.2: minimal lengths
  if (length == 127 && (payload_left_ < 65536 || payload_left_ >> 63)) bad_ = true;
  if (opcode < 8) in_message_ = true;
  head_bytes_ = 0;
  in_payload_ = true;
}

}  // namespace spate::bench
