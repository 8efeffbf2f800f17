// Lines to a descriptor that never waits: what it does not take at once is kept, up to a bound, and
// past the bound dropped and counted. One thread at a time.
//
//   regular file        write(): a disk does not say "later"
//   pipe, terminal      write() to the same file opened anew with O_NONBLOCK; setting the flag on
//   the
//                       description that came with the descriptor would change it for the shell and
//                       every other process that shares it
//   socket              send(MSG_DONTWAIT)
//   cannot be reopened  poll(), then write() of at most PIPE_BUF bytes; waits only if another
//   process
//                       fills the pipe in between
#pragma once

#include <string>
#include <string_view>

#include "core/base.h"

namespace spate::core::log {

class LogOutput {
 public:
  static constexpr std::size_t kMaxKeptBytes = 64 << 10;

  // Does not own `fd`, but the one it may open in its place.
  explicit LogOutput(int fd);
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  // A whole line with its end, at most PIPE_BUF bytes.
  void write(std::string_view line);

  // Writes what was kept, as far as it goes. True when nothing is left.
  bool flush();

  // The same, waiting up to `wait_ms` for the reader.
  bool flush(int wait_ms);

  // Whether a line of `bytes` would be written or kept.
  bool has_room(std::size_t bytes) const { return kept_.size() + bytes <= kMaxKeptBytes; }

  // Lines dropped so far, and of those the ones that nobody has been told of.
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t unreported() const { return dropped_ - reported_; }
  void mark_reported() { reported_ = dropped_; }

  // In a forked child: what was kept and counted is the parent's to write.
  void forget();

 private:
  enum class Way : std::uint8_t { plain, send, poll_first };

  long put(std::string_view bytes);  // bytes written, 0 for "later", negative for "never"

  int fd_;
  Way way_ = Way::poll_first;
  bool owned_ = false;
  std::string kept_;  // lines; the first may have lost its beginning to a partial write
  std::uint64_t dropped_ = 0;
  std::uint64_t reported_ = 0;
};

}  // namespace spate::core::log
