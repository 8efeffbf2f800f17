// A client that knows bytes only: it sends them in any chops, collects what comes back, and notes
// how the connection ended. Sending goes on reading, so that an echo larger than the sockets'
// buffers cannot lock both ends. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/system/stream.h"

namespace spate::tests {

class RawClient {
 public:
  enum class End { none, fin, reset };

  explicit RawClient(std::unique_ptr<Stream> stream);

  // Writes `bytes` in pieces of `chop_bytes` (0: as large as the kernel takes), one write each,
  // without waiting between them. False when the peer took no more or the deadline passed first.
  bool send(std::string_view bytes, Deadline deadline, std::size_t chop_bytes = 0);

  // The same, without reading meanwhile; returns how many bytes were taken by the deadline.
  std::size_t send_unread(std::string_view bytes, Deadline deadline);

  // Waits until something arrived or the peer ended; false at the deadline, or when it had ended
  // before.
  bool receive(Deadline deadline);

  // Waits until at least `count` bytes are in inbox().
  bool receive_bytes(std::size_t count, Deadline deadline);

  // Waits until inbox() holds `text`; returns the position behind it, or npos.
  std::size_t receive_through(std::string_view text, Deadline deadline);

  // Waits for the peer's end of the connection, collecting what comes before it.
  End receive_end(Deadline deadline);

  void shutdown_write() { stream_->shutdown_write(); }
  void reset() { stream_->reset(); }

  // What arrived and was not taken; take() empties it.
  const std::string& inbox() const { return inbox_; }
  std::string take();
  std::string take(std::size_t count);

  End end() const { return end_; }
  // A write has failed: the peer has reset the connection.
  bool send_failed() const { return send_failed_; }
  // For reports of failures: how much, and the first bytes, of each direction since the start, or
  // since start_transcript().
  void start_transcript();
  std::size_t sent_bytes() const { return sent_bytes_; }
  std::size_t received_bytes() const { return received_bytes_; }
  const std::string& sent_first() const { return sent_first_; }
  const std::string& received_first() const { return received_first_; }

 private:
  void drain();
  void note_sent(std::string_view bytes);

  std::unique_ptr<Stream> stream_;
  std::string inbox_;
  End end_ = End::none;
  bool send_failed_ = false;
  std::size_t sent_bytes_ = 0;
  std::size_t received_bytes_ = 0;
  std::string sent_first_;
  std::string received_first_;
};

// "81 05 48 …": at most `limit` bytes.
std::string hex(std::string_view bytes, std::size_t limit = 64);

}  // namespace spate::tests
