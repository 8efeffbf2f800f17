#include "core/outbox.h"

#include <utility>

namespace spate::core {

void Outbox::push(BlockRef block, ConstBytes part, bool ends_frame) {
  bytes_ += part.size();
  pieces_.push_back({std::move(block), part, ends_frame, false});
}

void Outbox::push_urgent(BlockRef frame) {
  const ConstBytes part = frame.bytes();
  bytes_ += part.size();
  std::size_t at = first_unbegun();
  while (at < pieces_.size() && pieces_[at].urgent) ++at;  // among themselves they keep their order
  pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(at),
                 {std::move(frame), part, true, true});
}

void Outbox::drop_unsent() {
  const std::size_t keep = first_unbegun();
  while (pieces_.size() > keep) {
    bytes_ -= pieces_.back().part.size();
    pieces_.pop_back();
  }
}

std::size_t Outbox::first_unbegun() const {
  if (pieces_.empty() || (sent_ == 0 && !mid_frame_)) return 0;
  std::size_t at = 0;
  while (at < pieces_.size() && !pieces_[at].ends_frame) ++at;
  return std::min(at + 1, pieces_.size());
}

std::size_t Outbox::gather(std::span<iovec> pieces) const {
  std::size_t count = 0;
  std::size_t skip = sent_;
  for (const Piece& piece : pieces_) {
    if (count == pieces.size()) break;
    const ConstBytes rest = piece.part.subspan(skip);
    skip = 0;
    pieces[count++] = {const_cast<std::byte*>(rest.data()), rest.size()};
  }
  return count;
}

void Outbox::consume(std::size_t bytes) {
  SPATE_CHECK(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = pieces_[0].part.size() - sent_;
    if (bytes < left) {
      sent_ += bytes;
      return;
    }
    bytes -= left;
    sent_ = 0;
    mid_frame_ = !pieces_[0].ends_frame;
    pieces_.pop_front();
  }
}

}  // namespace spate::core
