// Between the look at what lies at a path and bind(2), another server that starts could take it,
// and its file be taken for a stale one. So both happen under a lock on the directory, which leaves
// nothing behind; a lock file would, and a rename() over the path would only move the gap.
#include "core/unix_socket.h"

#include <sys/stat.h>

#include <cstring>

#include "core/log.h"

namespace spate::core {

namespace {

constexpr int kLockTries = 200;
constexpr std::int64_t kLockPauseNs = 10'000'000;

// A lock on the directory of a path; freed with this object.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& path) {
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    fd_ = sys::open_reader(directory.c_str());
    if (fd_ < 0) return;
    int result = sys::lock_file(fd_);
    for (int i = 0; result == -EAGAIN && i < kLockTries; ++i) {
      sys::sleep(kLockPauseNs);
      result = sys::lock_file(fd_);
    }
    if (result == 0) return;
    sys::close(fd_);
    fd_ = result;
  }
  ~DirectoryLock() {
    if (fd_ >= 0) sys::close(fd_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  // 0 or a negative errno.
  int error() const { return fd_ < 0 ? fd_ : 0; }

 private:
  int fd_;
};

Failure<std::string> failure(const Address& address, const std::string& reason) {
  return Failure{"cannot listen on " + format_address(address) + ": " + reason};
}

// Whether somebody listens there: 0 nobody, 1 somebody, or a negative errno.
int listened_at(const Address& address) {
  const int fd = sys::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  const int result = sys::connect(fd, address.get(), address.bytes);
  sys::close(fd);
  if (result == -ECONNREFUSED) return 0;
  return result == 0 || result == -EAGAIN ? 1 : result;  // -EAGAIN: so many wait that it is full
}

// Empty, or why the path cannot be had.
std::string clear_path(const Address& address) {
  FileIdentity found;
  int result = sys::file_identity(address.path(), &found);
  if (result == -ENOENT) return {};
  if (result < 0) return std::strerror(-result);
  if (found.type != S_IFSOCK)
    return "there is something that is not a socket; move it away, or choose another path";
  result = listened_at(address);
  if (result == 1) return "another process listens there; stop it or choose another path";
  if (result < 0)
    return std::string("there is a socket, and whether somebody uses it cannot be seen (") +
           std::strerror(-result) + "); remove it, or choose another path";
  result = sys::unlink(address.path());
  if (result < 0)
    return std::string("nobody listens at the socket that is there, but it cannot be removed: ") +
           std::strerror(-result);
  log::info("removed {path}, where nobody listened any more", {{"path", address.path()}});
  return {};
}

}  // namespace

void SocketFile::remove() const {
  FileIdentity found;
  if (path_.empty() || sys::file_identity(path_.c_str(), &found) < 0 || found != identity_) return;
  if (const int error = sys::unlink(path_.c_str()); error < 0 && error != -ENOENT)
    log::warn("cannot remove {path}: {reason}; the next start replaces it",
              {{"path", path_}, {"reason", std::strerror(-error)}});
}

Result<UnixListener> listen_at_path(const Address& address, int backlog, unsigned mode) {
  const DirectoryLock lock(address.path());
  if (lock.error() == -EAGAIN)
    return failure(address, "another process has locked the directory; try again");
  if (lock.error() < 0)
    return failure(address, std::string("its directory: ") + std::strerror(-lock.error()));
  if (const std::string reason = clear_path(address); !reason.empty())
    return failure(address, reason);
  const int fd = sys::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return failure(address, std::strerror(-fd));
  const unsigned umask_before = sys::set_umask(~mode & 0777);
  int result = sys::bind(fd, address.get(), address.bytes);
  sys::set_umask(umask_before);
  const bool bound = result == 0;
  FileIdentity identity;
  if (bound) result = sys::file_identity(address.path(), &identity);
  if (result == 0) result = sys::listen(fd, backlog);
  if (result == 0) return UnixListener{fd, SocketFile(address.path(), identity)};
  if (bound) (void)sys::unlink(address.path());
  sys::close(fd);
  return failure(address, std::strerror(-result));
}

}  // namespace spate::core
