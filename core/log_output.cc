#include "core/log_output.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "core/sys.h"

namespace spate::core::log {
namespace {

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

LogOutput::LogOutput(int fd) : fd_(fd) {
  kept_.reserve(kMaxKeptBytes);
  const int type = sys::file_type(fd);
  if (type == S_IFSOCK) {
    way_ = Way::send;
  } else if (type == S_IFREG) {
    way_ = Way::plain;
  } else if (const int own = sys::reopen_writer(fd); own >= 0) {
    fd_ = own;
    owned_ = true;
    way_ = Way::plain;
  }
}

LogOutput::~LogOutput() {
  if (owned_) sys::close(fd_);
}

long LogOutput::put(std::string_view bytes) {
  if (way_ == Way::poll_first && !sys::await_writable(fd_, 0)) return 0;
  const long written = way_ == Way::send ? sys::send(fd_, as_bytes(bytes).data(), bytes.size())
                                         : sys::write(fd_, bytes.data(), bytes.size());
  if (written >= 0) return written;
  return written == -EAGAIN || written == -EINTR || written == -ENOBUFS ? 0 : -1;
}

bool LogOutput::flush() {
  while (!kept_.empty()) {
    // As many whole lines as a pipe takes in one piece.
    const std::size_t window = std::min<std::size_t>(kept_.size(), PIPE_BUF);
    const std::size_t bytes = kept_.rfind('\n', window - 1) + 1;
    const long written = put(std::string_view(kept_).substr(0, bytes));
    if (written == 0) return false;
    if (written < 0) {
      dropped_ += count_lines(kept_);
      kept_.clear();
      return true;
    }
    kept_.erase(0, static_cast<std::size_t>(written));
  }
  return true;
}

bool LogOutput::flush(int wait_ms) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  const std::int64_t deadline = sys::monotonic_ns() + wait_ms * kNsPerMs;
  while (!flush()) {
    const std::int64_t left = deadline - sys::monotonic_ns();
    if (left <= 0) return false;
    sys::await_writable(fd_, left / kNsPerMs + 1);  // an interrupted wait is tried again
  }
  return true;
}

void LogOutput::write(std::string_view line) {
  SPATE_CHECK(line.ends_with('\n') && line.size() <= PIPE_BUF);
  std::size_t done = 0;
  if (flush()) {
    const long written = put(line);
    if (written < 0) {
      ++dropped_;
      return;
    }
    done = static_cast<std::size_t>(written);
  }
  // The rest of a line whose beginning is out is kept in any case: nothing else is then.
  if (done < line.size() && has_room(line.size() - done)) {
    kept_ += line.substr(done);
  } else if (done < line.size()) {
    ++dropped_;
  }
}

void LogOutput::forget() {
  kept_.clear();
  dropped_ = 0;
  reported_ = 0;
}

}  // namespace spate::core::log
