// One connection's part in an echo conversation. Its messages are numbered from 0; at any moment
//
//   [0, expected)      came back, or are remembered as missing
//   [expected, sent)   are with the kernel or the server
//   [sent, due)        wait for the socket to take them; sent_part bytes of message `sent` are gone
//
// A message that waits is not stored: its frame follows from its number.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/spate-bench/control_queue.h"
#include "tools/spate-bench/due_times.h"
#include "tools/spate-bench/frames.h"

namespace spate::bench {

struct Talk {
  FrameReader reader;
  DueTimes due_times;  // of [expected, due)
  ControlQueue controls;
  std::uint64_t expected = 0;
  std::uint64_t sent = 0;
  std::uint64_t due = 0;
  std::size_t sent_part = 0;
  // Of the message that is coming in: its bytes so far, its stamp, which one it turned out to be.
  std::uint64_t bytes = 0;
  std::uint64_t stamp = 0;
  std::uint64_t number = 0;
  static constexpr std::uint32_t kSilent = ~std::uint32_t{0};
  std::uint32_t open_index = kSilent;  // in the player's list of those that may talk
  bool wrong_type = false;
  bool wrong_content = false;
  bool not_inflated = false;
  std::unique_ptr<std::string> compressed;  // what has come of a compressed message

  // Of what one connection may have outstanding; beyond, nothing more is sent.
  static constexpr std::uint64_t kMostOutstanding = 1 << 16;

  [[nodiscard]] std::uint64_t outstanding() const { return due - expected; }
  [[nodiscard]] DueTimes::Oldest oldest() const { return due_times.oldest(expected); }
  // The oldest outstanding messages are answered, or remembered otherwise.
  void settle(std::uint64_t messages) {
    expected += messages;
    due_times.answered(expected);
  }
};

}  // namespace spate::bench
