// Compressing and inflating the payload of one message (RFC 7692 §7.2), over zlib.
//
//   message -> Deflater -> raw DEFLATE, ended by a sync flush, whose last four bytes 00 00 FF FF
//   are
//                          cut off -> payload with RSV1
//   payload with RSV1 -> Inflater, which puts 00 00 FF FF back -> message, in pieces of the
//   caller's
//
// Nothing grows with the input: output goes where the caller says and nowhere else, and an Inflater
// stops at the caller's limit while it inflates, so that a bomb costs no more than a message of the
// limit. Memory comes from the heap when a context is opened (an Inflater's window: with its first
// message) and is counted.
#pragma once

#include <zlib.h>

#include <cstdint>

#include "core/base.h"

namespace spate::codec {

// The heap as zlib sees it: counted, and refused past a limit. Outlives the contexts that use it.
class ZlibMemory {
 public:
  explicit ZlibMemory(std::uint64_t limit_bytes = UINT64_MAX) : limit_(limit_bytes) {}
  ZlibMemory(const ZlibMemory&) = delete;
  ZlibMemory& operator=(const ZlibMemory&) = delete;

  std::uint64_t bytes() const { return bytes_; }
  void serve(z_stream& stream);

 private:
  static voidpf allocate(voidpf self, uInt items, uInt size);
  static void release(voidpf self, voidpf address);

  const std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
};

// What a context takes at most, of a given window.
std::uint64_t deflater_bytes(int window_bits);
std::uint64_t inflater_bytes(int window_bits);

class Deflater {
 public:
  Deflater() = default;
  ~Deflater() { close(); }
  Deflater(const Deflater&) = delete;  // zlib's state points back
  Deflater& operator=(const Deflater&) = delete;

  // False when the heap or the limit refuses. `window_bits` is 9–15, `level` 1–9.
  bool open(ZlibMemory& memory, int window_bits, int level);
  void close();
  bool is_open() const { return open_; }

  // The payload for `message`, which is not empty and below 4 GiB. Refers back to the messages
  // before it since forget(). Bytes written, or 0 when they are more than `out` has room for: then,
  // as after forget(), the next message begins anew.
  std::size_t compress(ConstBytes message, Bytes out);
  // The peer has no memory of what was compressed so far.
  void forget() { fresh_ = false; }

  // Room that compress() needs beyond the bytes it returns.
  static constexpr std::size_t kSlackBytes = 5;

 private:
  z_stream stream_{};
  bool open_ = false;
  bool fresh_ = false;  // may go on from where it is
};

enum class InflateStatus : std::uint8_t {
  more,       // the piece is full; call again
  done,       // the message is whole
  bad,        // no DEFLATE data, or cut off
  too_big,    // more than the limit
  no_memory,  // the heap refused the window
};

struct [[nodiscard]] InflateResult {
  InflateStatus status;
  std::size_t bytes;  // written to the piece, whatever the status
};

class Inflater {
 public:
  Inflater() = default;
  ~Inflater() { close(); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // `window_bits` is 8–15.
  bool open(ZlibMemory& memory, int window_bits);
  void close();
  bool is_open() const { return open_; }

  // Begins a message; `payload` lives until next() has said something else than `more`. It may
  // refer back to the messages before it since forget().
  void start(ConstBytes payload, std::uint64_t limit_bytes);
  // Writes the next bytes of the message. `out` is not empty.
  InflateResult next(Bytes out);
  void forget() { fresh_ = false; }

 private:
  InflateStatus step();

  z_stream stream_{};
  std::uint64_t left_ = 0;  // of the limit
  bool open_ = false;
  bool fresh_ = false;
  bool in_tail_ = false;  // the payload was given to zlib; its last four bytes are
};

}  // namespace spate::codec
