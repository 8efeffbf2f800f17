// Why a sync flush and not a final block: only with it may a context go on behind the message, and
// it is what every client expects (§7.2.1).
//
// Why the hash grows with the window (memLevel): a fresh start clears it, which at the largest is
// 64 KiB to clear for a message of twenty bytes.
#include "codec/deflate.h"

#include <algorithm>
#include <array>
#include <utility>

namespace spate::codec {
namespace {

// What a sync flush ends with (§7.2.1).
constexpr std::array<std::byte, 4> kTail{std::byte{0}, std::byte{0}, std::byte{0xFF},
                                         std::byte{0xFF}};

// zlib's own bookkeeping, rounded up (deflate_state and inflate_state of 1.2 and 1.3), and a header
// for each of its allocations.
constexpr std::uint64_t kStateBytes = 12 * 1024;

// In front of each allocation: its size. As large as what malloc aligns to.
constexpr std::size_t kSizeBytes = 16;

int memory_level(int window_bits) {
  return std::min(8, window_bits - 6);
}

Bytef* zlib_bytes(const std::byte* bytes) {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes));
}

}  // namespace

void ZlibMemory::serve(z_stream& stream) {
  stream = {};
  stream.zalloc = &ZlibMemory::allocate;
  stream.zfree = &ZlibMemory::release;
  stream.opaque = this;
}

voidpf ZlibMemory::allocate(voidpf self, uInt items, uInt size) {
  auto& memory = *static_cast<ZlibMemory*>(self);
  const std::uint64_t bytes = std::uint64_t{items} * size + kSizeBytes;
  if (bytes > memory.limit_ - memory.bytes_) return Z_NULL;
  auto* const block = static_cast<std::byte*>(std::malloc(bytes));
  if (block == nullptr) return Z_NULL;
  memory.bytes_ += bytes;
  store(block, bytes);
  return block + kSizeBytes;
}

void ZlibMemory::release(voidpf self, voidpf address) {
  std::byte* const block = static_cast<std::byte*>(address) - kSizeBytes;
  static_cast<ZlibMemory*>(self)->bytes_ -= load<std::uint64_t>(block);
  std::free(block);
}

std::uint64_t deflater_bytes(int window_bits) {
  const int level = memory_level(window_bits);
  return (std::uint64_t{1} << (window_bits + 2)) + (std::uint64_t{1} << (level + 9)) + kStateBytes;
}

std::uint64_t inflater_bytes(int window_bits) {
  return (std::uint64_t{1} << window_bits) + kStateBytes;
}

bool Deflater::open(ZlibMemory& memory, int window_bits, int level) {
  SPATE_CHECK(!open_ && window_bits >= 9 && window_bits <= 15);
  memory.serve(stream_);
  const int result = deflateInit2(&stream_, level, Z_DEFLATED, -window_bits,
                                  memory_level(window_bits), Z_DEFAULT_STRATEGY);
  SPATE_CHECK(result == Z_OK || result == Z_MEM_ERROR);
  open_ = fresh_ = result == Z_OK;
  return open_;
}

void Deflater::close() {
  if (std::exchange(open_, false)) (void)deflateEnd(&stream_);
}

std::size_t Deflater::compress(ConstBytes message, Bytes out) {
  SPATE_CHECK(open_ && !message.empty() && message.size() <= UINT32_MAX);
  if (!fresh_) SPATE_CHECK(deflateReset(&stream_) == Z_OK);
  const auto room = static_cast<uInt>(std::min<std::size_t>(out.size(), UINT32_MAX));
  stream_.next_in = zlib_bytes(message.data());
  stream_.avail_in = static_cast<uInt>(message.size());
  stream_.next_out = zlib_bytes(out.data());
  stream_.avail_out = room;
  const int result = room == 0 ? Z_BUF_ERROR : deflate(&stream_, Z_SYNC_FLUSH);
  SPATE_CHECK(result == Z_OK || result == Z_BUF_ERROR);
  // With no room left the flush may not be whole.
  fresh_ = result == Z_OK && stream_.avail_in == 0 && stream_.avail_out > 0;
  if (!fresh_) return 0;
  const std::size_t written = room - stream_.avail_out;
  SPATE_CHECK(written > kTail.size() &&
              std::equal(kTail.begin(), kTail.end(), out.data() + written - kTail.size()));
  return written - kTail.size();
}

bool Inflater::open(ZlibMemory& memory, int window_bits) {
  SPATE_CHECK(!open_ && window_bits >= 8 && window_bits <= 15);
  memory.serve(stream_);
  const int result = inflateInit2(&stream_, -window_bits);
  SPATE_CHECK(result == Z_OK || result == Z_MEM_ERROR);
  open_ = fresh_ = result == Z_OK;
  return open_;
}

void Inflater::close() {
  if (std::exchange(open_, false)) (void)inflateEnd(&stream_);
}

void Inflater::start(ConstBytes payload, std::uint64_t limit_bytes) {
  SPATE_CHECK(open_ && payload.size() <= UINT32_MAX);
  if (!fresh_) SPATE_CHECK(inflateReset(&stream_) == Z_OK);
  fresh_ = true;
  in_tail_ = false;
  left_ = limit_bytes;
  stream_.next_in = zlib_bytes(payload.data());
  stream_.avail_in = static_cast<uInt>(payload.size());
}

InflateResult Inflater::next(Bytes out) {
  const std::size_t room = std::min<std::uint64_t>({out.size(), left_, UINT32_MAX});
  stream_.next_out = zlib_bytes(out.data());
  stream_.avail_out = static_cast<uInt>(room);
  InflateStatus status = InflateStatus::more;
  while (status == InflateStatus::more && stream_.avail_out > 0) status = step();
  const std::size_t written = room - stream_.avail_out;
  left_ -= written;
  if (status == InflateStatus::more && left_ == 0) {
    // At the limit: is there one byte more, or only the end?
    std::byte beyond;
    stream_.next_out = zlib_bytes(&beyond);
    stream_.avail_out = 1;
    while (status == InflateStatus::more && stream_.avail_out > 0) status = step();
    if (stream_.avail_out == 0) status = InflateStatus::too_big;
  }
  if (status != InflateStatus::more && status != InflateStatus::done) forget();
  return {status, written};
}

// As far as input and room allow; `more` when the room is used up.
InflateStatus Inflater::step() {
  if (stream_.avail_in == 0 && !in_tail_) {
    in_tail_ = true;
    stream_.next_in = zlib_bytes(kTail.data());
    stream_.avail_in = static_cast<uInt>(kTail.size());
  }
  switch (inflate(&stream_, Z_SYNC_FLUSH)) {
    case Z_STREAM_END:
      // A final block (§7.2.3.4), which a sender pads with an empty one; forgiven if it does not.
      // Nothing of the tail may be part of it. What follows is a stream of its own.
      if (stream_.avail_in == (in_tail_ ? kTail.size() : 0)) {
        forget();
        return InflateStatus::done;
      }
      if (in_tail_) return InflateStatus::bad;
      SPATE_CHECK(inflateReset(&stream_) == Z_OK);
      return InflateStatus::more;
    case Z_OK:
    case Z_BUF_ERROR:
      if (!in_tail_ || stream_.avail_in > 0) return InflateStatus::more;
      // Whole is what ends between two blocks, at the end of a byte (data_type, see zlib.h), even
      // when it has just filled its room: asked again, zlib would be inside the next header.
      if (stream_.data_type == 128) return InflateStatus::done;
      return stream_.avail_out == 0 ? InflateStatus::more : InflateStatus::bad;
    case Z_MEM_ERROR:
      return InflateStatus::no_memory;
    default:
      return InflateStatus::bad;
  }
}

}  // namespace spate::codec
