// Listening at a path (unix(7)). In the master, before it forks; start-up only.
//
// A path outlives whoever bound it. Where nobody listens, because a server was killed, it is
// replaced; where somebody does, or lies something that is no socket, it is left alone and refused.
// Who may connect is the file's mode, which it has from the moment it is there.
//
// There is no SO_REUSEPORT for paths: one socket is polled by all workers, each with
// EPOLLEXCLUSIVE.
#pragma once

#include <string>
#include <utility>

#include "core/address.h"
#include "core/result.h"
#include "core/sys.h"

namespace spate::core {

// The file of a socket that was bound here; removed with this object, if it is still that file.
class SocketFile {
 public:
  SocketFile(std::string path, const FileIdentity& identity)
      : path_(std::move(path)), identity_(identity) {}
  ~SocketFile() { remove(); }
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), identity_(other.identity_) {}
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  SocketFile& operator=(SocketFile&&) = delete;

  // Also for the workers of a master that was killed. As long as one process holds the socket no
  // other file can be taken for it: its inode's number stays its own.
  void remove() const;

 private:
  std::string path_;  // empty: moved from
  FileIdentity identity_;
};

struct UnixListener {
  int fd;  // non-blocking, listening; the caller's
  SocketFile file;
};

// `mode` as chmod(2) has it, whatever the umask. The error says what is in the way and what to do.
Result<UnixListener> listen_at_path(const Address& address, int backlog, unsigned mode);

}  // namespace spate::core
