// Sending: what a turn writes gathers as pieces and leaves in one system call; what the kernel
// refuses is queued, by reference where it lies in a shared block, as a copy where its memory is
// about to be reused.
#include <sys/epoll.h>

#include <algorithm>

#include "core/connection_table.h"
#include "core/sys.h"

namespace spate::core {

void ConnectionTable::write_in_place(Connection& connection, ConstBytes part) {
  SPATE_CHECK(current_ == &connection);
  if (connection.rests_on_backlog ? connection.stage == Stage::open : may_write(connection))
    push_piece(part, nullptr, true);
}

void ConnectionTable::write(Connection& connection, ConstBytes bytes) {
  if (!may_write(connection) || bytes.empty()) return;
  if (current_ == &connection && bytes.size() <= kScratchBytes - scratch_used_) {
    std::byte* const at = scratch_.data() + scratch_used_;
    std::memcpy(at, bytes.data(), bytes.size());
    scratch_used_ += bytes.size();
    return push_piece({at, bytes.size()}, nullptr, true);
  }
  const BlockRef block = BlockRef::copy(bytes);
  if (!block) return close(connection, CloseCause::shed);
  append(connection, block, block.bytes(), true);
}

void ConnectionTable::write(Connection& connection, const BlockRef& block, ConstBytes part,
                            bool ends_frame) {
  if (may_write(connection) && !part.empty()) append(connection, block, part, ends_frame);
}

void ConnectionTable::append(Connection& connection, const BlockRef& block, ConstBytes part,
                             bool ends_frame) {
  if (current_ == &connection) return push_piece(part, &block, ends_frame);
  backlog_of(connection).queue.push(block, part, ends_frame);
  metrics_->outbox_bytes.add(part.size());
  queued(connection);
}

void ConnectionTable::write_urgent(Connection& connection, ConstBytes frame) {
  if (connection.backlog == nullptr) return write(connection, frame);
  if (connection.rests_on_backlog ? connection.stage != Stage::open : !may_write(connection))
    return;
  if (connection.backlog == nullptr) return write(connection, frame);
  BlockRef block = BlockRef::copy(frame);
  if (!block) return close(connection, CloseCause::shed);
  connection.backlog->queue.push_urgent(std::move(block));
  metrics_->outbox_bytes.add(frame.size());
  queued(connection);
}

void ConnectionTable::drop_queued(Connection& connection) {
  if (connection.backlog == nullptr) return;
  Outbox& queue = connection.backlog->queue;
  const std::uint64_t before = queue.bytes();
  queue.drop_unsent();
  metrics_->outbox_bytes.sub(before - queue.bytes());
  // What this turn gathered stands behind the queue: were it sent, the peer would see a hole.
  if (current_ == &connection) keep_pieces(queue.ends_inside_frame() ? frame_end() : 0);
  if (queue.empty()) drop_backlog(connection);
}

// How many pieces of this turn belong to the frame that is being written when it begins.
std::size_t ConnectionTable::frame_end() const {
  for (std::size_t i = 0; i < piece_count_; ++i)
    if (piece_ends_frame_[i]) return i + 1;
  return piece_count_;
}

void ConnectionTable::push_piece(ConstBytes part, const BlockRef* block, bool ends_frame) {
  if (piece_count_ > 0 && block == nullptr && !piece_blocks_[piece_count_ - 1]) {
    iovec& last = pieces_[piece_count_ - 1];
    if (static_cast<std::byte*>(last.iov_base) + last.iov_len == part.data()) {
      last.iov_len += part.size();
      piece_ends_frame_[piece_count_ - 1] = ends_frame;
      return;
    }
  }
  if (piece_count_ == kMaxPieces) flush_pieces(*current_);
  if (!current_->live()) return;
  pieces_[piece_count_] = {const_cast<std::byte*>(part.data()), part.size()};
  if (block != nullptr) piece_blocks_[piece_count_] = *block;
  piece_ends_frame_[piece_count_] = ends_frame;
  ++piece_count_;
}

// Sends what the turn gathered, behind anything queued before.
void ConnectionTable::flush_pieces(Connection& connection) {
  std::size_t sent = 0;
  if (connection.backlog == nullptr) {
    const ssize_t result =
        connection.transport->send(connection.link, {pieces_.data(), piece_count_});
    if (result < 0 && result != -EAGAIN && result != -EINTR) {
      keep_pieces(0);
      return close(connection, CloseCause::reset);
    }
    sent = result > 0 ? static_cast<std::size_t>(result) : 0;
    metrics_->bytes_sent.add(sent);
  }
  // The rule: one piece, all of it taken.
  if (piece_count_ == 1 && sent == pieces_[0].iov_len) [[likely]] {
    piece_blocks_[0] = {};
    piece_count_ = 0;
    mid_frame_ = !piece_ends_frame_[0];
    return;
  }
  queue_pieces(connection, sent);
}

std::uint64_t ConnectionTable::unsent_bytes(const Connection& connection) const {
  std::uint64_t bytes = connection.backlog != nullptr ? connection.backlog->queue.bytes() : 0;
  if (current_ == &connection)
    for (std::size_t i = 0; i < piece_count_; ++i) bytes += pieces_[i].iov_len;
  return bytes;
}

bool ConnectionTable::flush_now(Connection& connection) {
  if (current_ == &connection && piece_count_ > 0) flush_pieces(connection);
  return connection.live() && connection.backlog == nullptr;
}

void ConnectionTable::keep_pieces(std::size_t count) {
  while (piece_count_ > count) piece_blocks_[--piece_count_] = {};
}

// Moves the pieces behind the first `sent` bytes into the connection's queue.
void ConnectionTable::queue_pieces(Connection& connection, std::size_t sent) {
  const std::size_t count = std::exchange(piece_count_, 0);
  for (std::size_t i = 0; i < count; ++i) {
    BlockRef block = std::move(piece_blocks_[i]);
    piece_blocks_[i] = {};
    const std::size_t gone = std::min(sent, pieces_[i].iov_len);
    sent -= gone;
    const ConstBytes rest{static_cast<std::byte*>(pieces_[i].iov_base) + gone,
                          pieces_[i].iov_len - gone};
    if (gone > 0) mid_frame_ = !rest.empty() || !piece_ends_frame_[i];
    if (rest.empty() || !connection.live()) continue;
    // A frame of which a part is gone must not be overtaken inside: its rest begins the queue, and
    // an empty queue believes that it is at a frame's beginning unless told.
    Backlog& backlog = backlog_of(connection);
    if (mid_frame_) backlog.queue.begin_mid_frame();
    if (block) {
      backlog.queue.push(std::move(block), rest, piece_ends_frame_[i]);
    } else {
      BlockRef copy = BlockRef::copy(rest);
      if (!copy) {
        close(connection, CloseCause::shed);
        continue;
      }
      const ConstBytes bytes = copy.bytes();
      backlog.queue.push(std::move(copy), bytes, piece_ends_frame_[i]);
    }
    metrics_->outbox_bytes.add(rest.size());
  }
  if (over_memory()) shed_slowest();
}

void ConnectionTable::flush_backlog(Connection& connection) {
  Outbox& queue = connection.backlog->queue;
  std::array<iovec, kMaxPieces> pieces;
  const std::size_t count = queue.gather(pieces);
  const ssize_t sent = connection.transport->send(connection.link, {pieces.data(), count});
  if (sent <= 0) {
    if (sent < 0 && sent != -EAGAIN && sent != -EINTR) close(connection, CloseCause::reset);
    return;
  }
  metrics_->bytes_sent.add(static_cast<std::uint64_t>(sent));
  metrics_->outbox_bytes.sub(static_cast<std::uint64_t>(sent));
  // A connection that finishes has its time for all of it, or a peer that takes a byte now and then
  // would keep it for ever.
  if (connection.stage == Stage::open) connection.backlog->progress = now();
  queue.consume(static_cast<std::size_t>(sent));
  if (!queue.empty()) return;
  drop_backlog(connection);
  if (connection.stage == Stage::open) connection.protocol->on_drained(connection);
}

[[gnu::cold]] void ConnectionTable::on_writable(Connection& connection) {
  if (connection.backlog != nullptr) return flush_backlog(connection);
  if (!connection.layered) return;
  // What the transport itself owes the peer: the rest of a handshake.
  const ssize_t result = connection.transport->send(connection.link, {});
  if (result < 0 && result != -EAGAIN && result != -EINTR) close(connection, CloseCause::reset);
}

Backlog& ConnectionTable::backlog_of(Connection& connection) {
  if (connection.backlog == nullptr) {
    connection.backlog = backlogs_.create();
    SPATE_CHECK(connection.backlog != nullptr);
    memory_changed_ = true;
    connection.backlog->progress = now();
    arm(connection, now() + options_.write_timeout_ticks);
  }
  return *connection.backlog;
}

void ConnectionTable::drop_backlog(Connection& connection) {
  metrics_->outbox_bytes.sub(connection.backlog->queue.bytes());
  backlogs_.destroy(connection.backlog);
  memory_changed_ = true;
  connection.backlog = nullptr;
}

void ConnectionTable::queued(Connection& connection) {
  mark_dirty(connection);
  if (over_memory()) shed_slowest();
}

void ConnectionTable::mark_dirty(Connection& connection) {
  if (connection.dirty || !connection.live()) return;
  connection.dirty = true;
  dirty_.push_back(connection.slot);
}

// The bound is judged before a frame, so that one message may pass it however large it is; what
// would pile up behind it is the protocol's to refuse.
bool ConnectionTable::may_write(Connection& connection) {
  if (connection.stage != Stage::open) return false;
  if (connection.backlog == nullptr || connection.backlog->queue.bytes() <= options_.outbox_bytes ||
      inside_frame(connection))
    return true;
  connection.protocol->on_overflow(connection);
  return connection.stage == Stage::open;
}

// Whether what was last written to a connection did not end its frame.
bool ConnectionTable::inside_frame(const Connection& connection) const {
  if (current_ == &connection && piece_count_ > 0) return !piece_ends_frame_[piece_count_ - 1];
  return connection.backlog != nullptr && connection.backlog->queue.ends_inside_frame();
}

// At the ceiling, after new connections: the one that has queued most goes first.
void ConnectionTable::shed_slowest() {
  Connection* slowest = nullptr;
  for_each([&](Connection& connection) {
    if (connection.backlog == nullptr) return;
    if (slowest == nullptr || connection.backlog->queue.bytes() > slowest->backlog->queue.bytes())
      slowest = &connection;
  });
  if (slowest == nullptr) return;
  metrics_->shed.add();
  close(*slowest, CloseCause::shed);
}

}  // namespace spate::core
