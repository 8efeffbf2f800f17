// What an echo client says, and so what it expects to hear: message `number` of connection `id`.
//
//   payload   | stamp (8 bytes) | filler …                                        |
//   stamp     48 bits, six to a byte, each byte '0' … 'o': 28 bits number, 20 bits connection
//   filler    printable ASCII, another stretch of one long pattern for each of `variants()` numbers
//
// Payloads shorter than 8 bytes are the start of the stamp. Everything is valid UTF-8, so the same
// bytes do for text and binary.
//
// Frames are built once, masked, each with a key of its own; a message costs one store for its
// stamp. The frames of consecutive numbers lie behind one another, so a burst is one contiguous
// span:
//
//   run_   | frame 0 | frame 1 | … | frame K-1 | frame 0' | … |     K variants, then room for one
//   burst
//
// With permessage-deflate each message is compressed when it is sent, from a fresh start, so that
// one of which the socket took a part comes out the same again; the filler is then JSON-like.
//
// Where a server speaks a protocol of its own, each payload goes out in an envelope. It may be JSON
// text, so a stamp's only byte that has a meaning there, the backslash, becomes the tilde, which no
// stamp has.
//
// One Script serves all connections of a process. Nothing here allocates after construction.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "codec/deflate.h"
#include "core/base.h"
#include "tools/spate-bench/frame_template.h"
#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/sizes.h"

namespace spate::bench {

class Script {
 public:
  static constexpr std::size_t kStampBytes = 8;
  static constexpr unsigned kNumberBits = 28;
  static constexpr unsigned kConnectionBits = 20;

  // `envelopes`: none, or one for each of sizes.distinct().
  Script(const Sizes& sizes, Opcode opcode, std::size_t max_burst,
         std::vector<Envelope> envelopes = {}, bool deflate = false);

  [[nodiscard]] Opcode opcode() const { return opcode_; }
  [[nodiscard]] std::size_t max_burst() const { return max_burst_; }

  [[nodiscard]] std::size_t payload_bytes(std::uint32_t id, std::uint64_t number) const {
    return sizes_.distinct()[sizes_.index_of(id, number)];
  }
  [[nodiscard]] std::size_t frame_bytes(std::uint32_t id, std::uint64_t number) const {
    return built_[sizes_.index_of(id, number) * variants_].bytes;
  }

  // The frames of `count` messages from `first` on, count ≤ max_burst(). Valid until the next call.
  ConstBytes frames(std::uint32_t id, std::uint64_t first, std::size_t count);

  // How many of those frames are whole in `bytes`, and how many bytes that is.
  struct Whole {
    std::size_t messages, bytes, payload_bytes;
  };
  [[nodiscard]] Whole whole_frames(std::uint32_t id, std::uint64_t first, std::size_t bytes) const;

  // The bytes with which an echo server answers messages [first, first + count), when it frames
  // each whole; empty where sizes are mixed or so large that the payload alone is compared as fast.
  // Valid until the next call.
  ConstBytes replies(std::uint32_t id, std::uint64_t first, std::size_t count);
  [[nodiscard]] std::size_t reply_bytes() const { return reply_bytes_; }  // 0: there are none

  // How many bytes of a payload tell its number; the same for all messages.
  [[nodiscard]] std::size_t stamp_bytes() const { return stamp_bytes_; }

  // The number that a received stamp means, taken as near to `expected` as it can be; nothing when
  // it is no stamp of this connection or is further than 2^20 away.
  struct Reading {
    bool good;
    std::uint64_t number;
  };
  [[nodiscard]] Reading read_stamp(std::uint64_t stamp, std::uint32_t id,
                                   std::uint64_t expected) const;

  // Exchanges backslashes and tildes: makes a stamp fit for an envelope, and takes it back.
  static std::uint64_t exchange_backslashes(std::uint64_t stamp);

  // Whether `chunk` is what stands at `offset` ≥ stamp_bytes() of message `number`.
  [[nodiscard]] bool filler_matches(std::uint64_t number, std::uint64_t offset,
                                    ConstBytes chunk) const {
    return std::memcmp(filler(number) + offset, chunk.data(), chunk.size()) == 0;
  }

  [[nodiscard]] std::size_t variants() const { return variants_; }

  static std::uint64_t stamp(std::uint32_t id, std::uint64_t number);

 private:
  struct Frame {
    std::size_t at;  // in run_
    std::size_t bytes;
    std::size_t payload_at;  // behind `at`
    std::uint64_t key;       // twice the masking key, as it falls on the stamp
  };

  [[nodiscard]] const std::byte* filler(std::uint64_t number) const {
    return pattern_.data() + (number & (variants_ - 1)) * kVariantStep;
  }
  Frame build(std::vector<std::byte>& into, std::size_t size, std::uint64_t number,
              std::uint64_t& seed) const;
  void build_replies(std::size_t count);
  void write_pattern(std::uint64_t& seed);
  ConstBytes deflated_frames(std::uint32_t id, std::uint64_t first, std::size_t count);
  std::size_t deflate_frame(std::byte* to, std::uint32_t id, std::uint64_t number);
  template <class Put>
  static void for_stamps(std::uint32_t id, std::uint64_t first, std::size_t count, Put put);
  void put_stamp(std::byte* to, std::uint64_t stamp) const;

  static constexpr std::size_t kVariantStep = 61;

  const Sizes sizes_;
  const Opcode opcode_;
  const std::size_t max_burst_;
  const std::vector<Envelope> envelopes_;
  std::size_t stamp_bytes_;
  std::size_t variants_;  // a power of two
  std::vector<std::byte> pattern_;
  std::vector<std::byte> run_;
  std::vector<Frame> built_;  // fixed size: variants_ + max_burst_; mixed: variants_ for each size
  std::size_t reply_bytes_ = 0;
  std::vector<std::byte> reply_run_;  // as run_, what a server would send
  std::vector<std::byte> scratch_;    // mixed sizes are put together here

  // With permessage-deflate.
  struct Compression {
    codec::ZlibMemory memory;
    codec::Deflater deflater;
    std::vector<std::byte> message, payload;
    std::vector<std::size_t> frame_bytes;  // of the last call of frames()
  };
  const std::unique_ptr<Compression> compression_;  // null: without
};

}  // namespace spate::bench
