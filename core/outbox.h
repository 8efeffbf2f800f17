// What the kernel would not take yet: a queue of pieces, each a span of a block it holds.
//
//      [ partly sent | urgent … | piece | piece | piece ]
//         ^ sent_
//
// Pieces leave in order. Urgent ones (pings, pongs, some replies) overtake the others, but never
// enter a frame: a piece that does not end a frame is followed by the rest of its frame, before
// anything else is asked for. One thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

#include "core/base.h"
#include "core/block.h"

namespace spate::core {

class Outbox {
 public:
  bool empty() const { return pieces_.empty(); }
  std::uint64_t bytes() const { return bytes_; }
  bool ends_inside_frame() const { return !pieces_.empty() && !pieces_.back().ends_frame; }

  // `part` lies in `block`. `ends_frame`: the receiver's next byte begins a frame.
  void push(BlockRef block, ConstBytes part, bool ends_frame);
  // A whole frame that goes out as soon as the frame being sent is over.
  void push_urgent(BlockRef frame);
  // The next piece pushed into an empty queue continues a frame that the kernel has already begun.
  void begin_mid_frame() {
    if (pieces_.empty()) mid_frame_ = true;
  }
  // Drops every piece whose frame has not begun to be sent.
  void drop_unsent();

  // The next bytes to send, as many pieces as fit; returns how many.
  std::size_t gather(std::span<iovec> pieces) const;
  void consume(std::size_t bytes);

 private:
  struct Piece {
    BlockRef block;
    ConstBytes part;
    bool ends_frame;
    bool urgent;
  };
  // Index of the first piece that does not belong to a frame already begun.
  std::size_t first_unbegun() const;

  std::deque<Piece> pieces_;
  std::uint64_t bytes_ = 0;  // in all pieces, less sent_
  std::size_t sent_ = 0;     // bytes of pieces_[0] that are gone
  bool mid_frame_ = false;   // the piece before pieces_[0] did not end its frame
};

}  // namespace spate::core
