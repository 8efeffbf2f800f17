// Any chunking of the same bytes gives the same events. Input: the limit (1 byte), the chunk sizes
// (16 bytes, used in turn), then the client's bytes.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "codec/message_decoder.h"

namespace {

using spate::Bytes;
using spate::codec::DecoderState;
using spate::codec::Event;
using spate::codec::EventKind;
using spate::codec::FrameRules;
using spate::codec::MessageDecoder;

constexpr std::size_t kChunkSizes = 16;

void append_event(std::string& said, const Event& event) {
  said += static_cast<char>('a' + static_cast<int>(event.kind));
  said += static_cast<char>('0' + static_cast<int>(event.error));
  said.append(reinterpret_cast<const char*>(event.payload.data()), event.payload.size());
  said += '\n';
}

// `chunks` empty: all at once. `echo`: replies are built in place and must not change what follows.
std::string decode(const std::uint8_t* wire, std::size_t size, const FrameRules& rules,
                   std::span<const std::uint8_t> chunks, bool echo) {
  std::string said;
  std::vector<std::byte> kept;
  DecoderState state{};
  std::size_t at = 0, turn = 0;
  while (at < size) {
    std::size_t bytes = size - at;
    if (!chunks.empty()) bytes = std::min<std::size_t>(bytes, 1u + chunks[turn++ % chunks.size()]);
    // Exactly as large as its content, so that a sanitizer sees the first byte too far.
    const std::size_t window_bytes = kept.size() + bytes;
    const auto block = std::make_unique<std::byte[]>(window_bytes);
    std::copy(kept.begin(), kept.end(), block.get());
    std::memcpy(block.get() + kept.size(), wire + at, bytes);
    at += bytes;
    MessageDecoder decoder(rules, state, {block.get(), window_bytes}, block.get());
    for (;;) {
      const Event event = decoder.next();
      if (event.kind == EventKind::need_more) break;
      append_event(said, event);
      if (event.kind == EventKind::bad || event.kind == EventKind::close) return said;
      if (!echo || event.kind != EventKind::message) continue;
      const std::size_t header = spate::codec::server_header_bytes(event.payload.size());
      if (std::byte* const room = decoder.room_before(event.payload, header)) {
        spate::codec::build_server_header(room, event.opcode, event.payload.size());
        decoder.keep_until(event.payload.data() + event.payload.size());
      }
    }
    const Bytes rest = decoder.rest();
    kept.assign(rest.begin(), rest.end());
    if (kept.size() != state.assembled && kept.size() - state.assembled > 138) __builtin_trap();
  }
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 + kChunkSizes) return 0;
  const FrameRules rules{.max_message_bytes = data[0] * 16u,
                         .allowed_rsv = static_cast<std::uint8_t>(data[0] & 4)};
  const std::span chunks(data + 1, kChunkSizes);
  const std::uint8_t* const wire = data + 1 + kChunkSizes;
  const std::size_t bytes = size - 1 - kChunkSizes;
  const std::string whole = decode(wire, bytes, rules, {}, false);
  if (decode(wire, bytes, rules, chunks, false) != whole) __builtin_trap();
  if (decode(wire, bytes, rules, chunks, true) != whole) __builtin_trap();
  if (decode(wire, bytes, rules, {}, true) != whole) __builtin_trap();
  return 0;
}
