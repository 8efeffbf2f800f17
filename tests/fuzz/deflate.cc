// A Deflater's output is what plain zlib inflates to the message, and an Inflater says of any bytes
// what plain zlib says of them, however its output is cut, and never writes beyond its limit.
//
// Input: window bits and level (1 byte), a limit (1 byte, in units of 256), the size of pieces
// (1 byte), then the bytes, which are taken both as a message and as a payload.
#include "codec/deflate.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace spate;

// Literally: append the tail, inflate. Nothing where that fails or is more than `limit`.
struct Plain {
  enum { good, bad, too_big } verdict;
  std::string message;
};

Plain plain_inflate(std::string payload, std::size_t limit) {
  const std::size_t payload_bytes = payload.size();
  payload += std::string("\0\0\xFF\xFF", 4);
  z_stream stream{};
  SPATE_CHECK(inflateInit2(&stream, -15) == Z_OK);
  std::string out(limit + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(payload.data());
  stream.avail_in = static_cast<uInt>(payload.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  Plain plain{Plain::bad, {}};
  for (;;) {
    const int result = inflate(&stream, Z_SYNC_FLUSH);
    const std::size_t read = payload.size() - stream.avail_in;
    if (stream.avail_out == 0) {
      plain.verdict = Plain::too_big;
      break;
    }
    if (result == Z_STREAM_END && read < payload_bytes) {
      SPATE_CHECK(inflateReset(&stream) == Z_OK);
      continue;
    }
    const bool ended = result == Z_STREAM_END && read == payload_bytes;
    const bool between_blocks = result == Z_OK && stream.avail_in == 0 && stream.data_type == 128;
    if (ended || between_blocks)
      plain = {Plain::good, out.substr(0, out.size() - stream.avail_out)};
    break;
  }
  (void)inflateEnd(&stream);
  return plain;
}

Plain pieces_inflate(codec::Inflater& inflater, std::string_view payload, std::size_t limit,
                     std::size_t piece) {
  inflater.start(as_bytes(payload), limit);
  Plain plain{Plain::bad, {}};
  for (;;) {
    const auto out = std::make_unique<std::byte[]>(piece);  // exact, for the sanitizer
    const codec::InflateResult result = inflater.next({out.get(), piece});
    plain.message += as_text({out.get(), result.bytes});
    SPATE_CHECK(plain.message.size() <= limit);
    if (result.status == codec::InflateStatus::more) continue;
    if (result.status == codec::InflateStatus::done) plain.verdict = Plain::good;
    if (result.status == codec::InflateStatus::too_big) plain.verdict = Plain::too_big;
    return plain;
  }
}

void check_payload(std::string_view payload, std::size_t limit, std::size_t piece) {
  const Plain expected = plain_inflate(std::string(payload), limit);
  codec::ZlibMemory memory;
  codec::Inflater inflater;
  SPATE_CHECK(inflater.open(memory, 15));
  for (const std::size_t size : {std::size_t{1} << 16, piece}) {
    inflater.forget();
    const Plain got = pieces_inflate(inflater, payload, limit, size);
    SPATE_CHECK(got.verdict == expected.verdict);
    SPATE_CHECK(expected.verdict != Plain::good || got.message == expected.message);
  }
}

// Twice, so that the second may refer to the first.
void check_message(std::string_view message, int window_bits, int level) {
  if (message.empty()) return;
  codec::ZlibMemory memory;
  codec::Deflater deflater;
  codec::Inflater inflater;
  SPATE_CHECK(deflater.open(memory, window_bits, level) && inflater.open(memory, window_bits));
  const std::size_t room = message.size() + message.size() / 8 + 64;
  for (int i = 0; i < 2; ++i) {
    const auto out = std::make_unique<std::byte[]>(room);
    const std::size_t bytes = deflater.compress(as_bytes(message), {out.get(), room});
    SPATE_CHECK(bytes > 0);
    const std::string_view payload = as_text({out.get(), bytes});
    const Plain got = pieces_inflate(inflater, payload, message.size(), room);
    SPATE_CHECK(got.verdict == Plain::good && got.message == message);
    if (i > 0) continue;
    const Plain plain = plain_inflate(std::string(payload), message.size());
    SPATE_CHECK(plain.verdict == Plain::good && plain.message == message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  check_payload(bytes, data[1] * std::size_t{256}, 1u + data[2]);
  check_message(bytes, 9 + data[0] % 7, 1 + data[0] / 7 % 9);
  return 0;
}
