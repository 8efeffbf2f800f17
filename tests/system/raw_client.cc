#include "tests/system/raw_client.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace spate::tests {
namespace {

constexpr std::size_t kTranscriptBytes = 256;
// Unread replies a sender may leave behind before it looks at its inbox again.
constexpr std::size_t kSendBytesPerRead = 64 * 1024;

void keep_first(std::string& first, std::string_view bytes) {
  if (first.size() < kTranscriptBytes) first += bytes.substr(0, kTranscriptBytes - first.size());
}

}  // namespace

RawClient::RawClient(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

void RawClient::note_sent(std::string_view bytes) {
  sent_bytes_ += bytes.size();
  keep_first(sent_first_, bytes);
}

bool RawClient::send(std::string_view bytes, Deadline deadline, std::size_t chop_bytes) {
  std::size_t since_read = 0;
  while (!bytes.empty()) {
    const std::string_view piece = chop_bytes == 0 ? bytes : bytes.substr(0, chop_bytes);
    std::string_view rest = piece;
    while (!rest.empty()) {
      const Moved moved = stream_->write_some(rest);
      if (moved.status == Moved::Status::moved) {
        note_sent(rest.substr(0, moved.bytes));
        rest.remove_prefix(moved.bytes);
        since_read += moved.bytes;
      } else if (moved.status == Moved::Status::would_block) {
        if (!stream_->wait(end_ == End::none, true, deadline)) return false;
        drain();
      } else {
        send_failed_ = true;
        return false;
      }
    }
    bytes.remove_prefix(piece.size());
    if (since_read >= kSendBytesPerRead) {
      drain();
      since_read = 0;
    }
  }
  return true;
}

std::size_t RawClient::send_unread(std::string_view bytes, Deadline deadline) {
  const std::size_t all = bytes.size();
  while (!bytes.empty()) {
    const Moved moved = stream_->write_some(bytes);
    if (moved.status == Moved::Status::moved) {
      note_sent(bytes.substr(0, moved.bytes));
      bytes.remove_prefix(moved.bytes);
    } else if (moved.status == Moved::Status::reset) {
      send_failed_ = true;
      break;
    } else if (!stream_->wait(false, true, deadline)) {
      break;
    }
  }
  return all - bytes.size();
}

void RawClient::drain() {
  std::array<char, 64 * 1024> buffer;
  while (end_ == End::none) {
    const Moved moved = stream_->read_some(buffer);
    switch (moved.status) {
      case Moved::Status::moved:
        keep_first(received_first_, {buffer.data(), moved.bytes});
        inbox_.append(buffer.data(), moved.bytes);
        received_bytes_ += moved.bytes;
        break;
      case Moved::Status::would_block:
        return;
      case Moved::Status::end:
        end_ = End::fin;
        break;
      case Moved::Status::reset:
        end_ = End::reset;
        break;
    }
  }
}

bool RawClient::receive(Deadline deadline) {
  const std::size_t before = received_bytes_;
  while (end_ == End::none) {
    drain();
    if (received_bytes_ > before || end_ != End::none) return true;
    if (!stream_->wait(true, false, deadline)) return false;
  }
  return false;
}

bool RawClient::receive_bytes(std::size_t count, Deadline deadline) {
  while (inbox_.size() < count) {
    if (!receive(deadline)) return false;
  }
  return true;
}

std::size_t RawClient::receive_through(std::string_view text, Deadline deadline) {
  for (;;) {
    const std::size_t at = inbox_.find(text);
    if (at != std::string::npos) return at + text.size();
    if (!receive(deadline)) return std::string::npos;
  }
}

RawClient::End RawClient::receive_end(Deadline deadline) {
  while (end_ == End::none && receive(deadline)) {
  }
  return end_;
}

void RawClient::start_transcript() {
  sent_bytes_ = 0;
  sent_first_.clear();
  received_first_ = inbox_.substr(0, kTranscriptBytes);
  received_bytes_ = inbox_.size();
}

std::string RawClient::take() {
  return std::exchange(inbox_, {});
}

std::string RawClient::take(std::size_t count) {
  std::string front = inbox_.substr(0, count);
  inbox_.erase(0, count);
  return front;
}

std::string hex(std::string_view bytes, std::size_t limit) {
  std::string out;
  for (const char byte : bytes.substr(0, limit)) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x ", static_cast<unsigned char>(byte));
    out += digits;
  }
  if (bytes.size() > limit) return out + "…";
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace spate::tests
