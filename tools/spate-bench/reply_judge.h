// Judges what an echo server sends back: every message whole, once and in order, or named for what
// is wrong with it; and takes the latencies.
//
// A message that another overtakes is remembered until it comes (reordered) or the run ends (lost);
// one that was given up and still comes is late. Nothing is remembered while the server does its
// work.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "codec/deflate.h"
#include "tools/spate-bench/script.h"
#include "tools/spate-bench/talk.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

class ReplyJudge {
 public:
  ReplyJudge(Worker& worker, Script& script);

  enum class Verdict : std::uint8_t { go_on, protocol_error, closing };

  // Bytes of one read. Moves talk.expected on; pings are put into talk.controls.
  Verdict hear(Connection& connection, Talk& talk, ConstBytes bytes, std::uint64_t now);
  // The same for a server that parses nothing: only counts.
  void hear_raw(Talk& talk, ConstBytes bytes, std::uint64_t now);

  // Messages sent and due before `before` are lost.
  void give_up(const Connection& connection, Talk& talk, std::uint64_t before, std::uint64_t now);
  // A new conversation begins on this connection: what it still missed is lost.
  void begin(const Connection& connection, std::uint64_t now);
  // The run is over: all that is outstanding is lost.
  void finish(Talk& talk, std::uint64_t now);
  void finish_missing(std::uint64_t now);

 private:
  class Listener;
  static constexpr std::size_t kInflatePieceBytes = 16 * 1024;
  struct Missing {
    std::uint64_t due_ns;
    bool given_up;
  };
  static constexpr std::size_t kMostMissing = 4096;  // of a connection; older ones are lost

  // Takes replies that are just what they should be off the front: how many bytes.
  std::size_t hear_expected(std::uint32_t id, Talk& talk, ConstBytes bytes);
  void message(const Connection& connection, Talk& talk);
  void out_of_order(std::uint32_t index, std::uint64_t number, std::size_t payload_bytes);
  void overtaken(std::uint32_t index, Talk& talk, std::uint64_t until);
  void settle(Talk& talk, std::uint64_t messages, std::size_t payload_bytes);
  void answered(std::uint64_t due_ns, std::uint64_t messages);
  void record_run();
  void lose(std::uint64_t due_ns, std::uint64_t now);

  Worker& worker_;
  Stats& stats_;
  Script& script_;
  const std::uint64_t raw_reply_bytes_;
  // Messages that came back together and were due together: one entry in the histogram.
  std::uint64_t heard_at_ = 0;
  std::uint64_t run_due_ns_ = 0;
  std::uint64_t run_length_ = 0;
  std::unordered_map<std::uint32_t, std::map<std::uint64_t, Missing>> missing_;
  // For compressed replies, each of which begins anew.
  codec::ZlibMemory memory_;
  codec::Inflater inflater_;
  std::vector<std::byte> piece_;
};

}  // namespace spate::bench
