// permessage-deflate in one worker (RFC 7692): what is agreed to, and the compressors that its
// connections share.
//
//   offers -> negotiate() -> adopt(): a DeflatePeer, eight bytes kept with the connection
//   message -> deflated_frame()          payload with RSV1 -> inflate()
//
// A connection without contexts of its own owns nothing: each message is compressed and inflated
// from a fresh start, by compressors of the worker. There is one for each size of window, because a
// fresh start clears the compressor's tables: a short message uses the smallest that holds it
// whole.
//
// With --deflate-context-takeover a connection may keep contexts, where the client wants them and
// --deflate-memory has room for both at their largest; they are made with its first message.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "codec/deflate.h"
#include "codec/deflate_terms.h"
#include "codec/frame.h"
#include "core/block.h"
#include "handlers/handler_metrics.h"

namespace spate::handlers {

struct DeflateOptions {
  int level = 3;
  std::uint64_t min_bytes = 256;            // shorter messages are sent plain
  bool context_takeover = false;            // where the client allows it
  std::uint64_t memory_bytes = 64 << 20;    // of all contexts that connections keep
  std::uint64_t max_message_bytes = 65536;  // inflated
  DeflateMetrics* metrics = nullptr;        // null: of its own
};

// Of one connection.
struct DeflatePeer {
  std::uint32_t context = 0;     // of Deflation::contexts_, from 1 on; 0: none of its own
  std::uint8_t window_bits = 0;  // how far our messages may refer back; 0: not negotiated
};

class Deflation {
 public:
  // Windows of kept contexts: 4 KiB hold the last few messages, which is what the next one is like,
  // at a fifth of the memory of the largest.
  static constexpr std::uint8_t kContextWindowBits = 12;
  // Buffers that grew beyond this for one message go back after it.
  static constexpr std::size_t kKeptBytes = 256 * 1024;
  // Text is validated while it is inflated, in pieces of this size.
  static constexpr std::size_t kValidateBytes = 16 * 1024;

  explicit Deflation(const DeflateOptions& options);
  ~Deflation();

  // The answer to a client's offers; nothing when none is acceptable.
  std::optional<codec::DeflateAgreement> negotiate(const codec::ExtensionOffers& offers);
  // A connection begins, and ends.
  DeflatePeer adopt(const codec::DeflateTerms& terms);
  void release(DeflatePeer peer);

  struct Inflated {
    codec::FrameError error = codec::FrameError::none;
    bool no_memory = false;
    Bytes message{};  // valid until the next call, or trim()
  };
  Inflated inflate(DeflatePeer peer, codec::Opcode opcode, ConstBytes payload);
  // Gives memory back that only a large message needed.
  void trim();

  // A whole frame with the message compressed; empty when it is better sent plain.
  core::BlockRef deflated_frame(DeflatePeer peer, codec::Opcode opcode, ConstBytes message);
  // The same for every peer whose window is not smaller, whether it keeps a context or not.
  core::BlockRef shared_frame(int window_bits, codec::Opcode opcode, ConstBytes message);
  // Something was sent to the peer that its context did not compress.
  void forget(DeflatePeer peer);

  // The smallest window that is of full use to a message, at most the peer's.
  static int window_bits_for(std::size_t message_bytes, int peer_window_bits);
  bool worth_trying(std::size_t message_bytes) const {
    return message_bytes > 0 && message_bytes >= options_.min_bytes;
  }
  std::uint64_t memory_bytes() const { return shared_memory_.bytes() + context_memory_.bytes(); }
  const DeflateOptions& options() const { return options_; }
  const DeflateMetrics& metrics() const { return *metrics_; }

 private:
  struct Context {
    codec::DeflateTerms terms;
    codec::Deflater deflater;
    codec::Inflater inflater;
  };
  // Bytes from the heap, uninitialised, that may be refused.
  class Buffer {
   public:
    bool grow(std::size_t bytes);  // to at least as many; false when the heap refuses
    void trim();
    std::byte* data() const { return bytes_.get(); }
    std::size_t size() const { return size_; }

   private:
    struct Free {
      void operator()(std::byte* bytes) const { std::free(bytes); }
    };
    std::unique_ptr<std::byte, Free> bytes_;
    std::size_t size_ = 0;
  };

  static std::uint64_t cost(const codec::DeflateTerms& terms);
  codec::Inflater* inflater_of(DeflatePeer peer);
  codec::Deflater* deflater_of(DeflatePeer peer, std::size_t message_bytes);
  codec::Deflater* shared_deflater(int window_bits);
  core::BlockRef frame(codec::Deflater* deflater, codec::Opcode opcode, ConstBytes message);
  Inflated inflate_pieces(codec::Inflater& inflater, bool text);
  void count_memory();

  const DeflateOptions options_;
  const core::MetricsOf<DeflateMetrics> metrics_;
  codec::ZlibMemory shared_memory_;
  codec::ZlibMemory context_memory_;
  std::uint64_t promised_bytes_ = 0;  // of contexts, as if all were made
  codec::Inflater inflater_;
  std::array<codec::Deflater, 7> deflaters_;  // for 9–15 bits
  std::vector<std::unique_ptr<Context>> contexts_;
  std::vector<std::uint32_t> free_contexts_;
  Buffer inflated_;
  Buffer deflated_;
};

}  // namespace spate::handlers
