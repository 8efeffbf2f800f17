// The listening sockets of the whole server: opened in the master, inherited by its workers, closed
// with it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "core/unix_socket.h"
#include "handlers/settings.h"

namespace spate::handlers {

struct ListenSocket {
  int fd = -1;
  bool internal = false;  // for operators: metrics and the server API
  bool tls = false;
  bool proxy = false;  // begins with a PROXY header
  bool unix_domain = false;
};

struct ServerSockets {
  // A slot's own, with SO_REUSEPORT: whoever covers the slot polls them.
  std::vector<std::vector<ListenSocket>> of_slot;
  // Unix-domain ones, which every worker polls. They belong to no slot, and nobody is covered at
  // them: whoever can, accepts.
  std::vector<ListenSocket> shared;
  std::vector<core::SocketFile> files;  // removed with this object

  std::size_t count() const;
  // The descriptors of each slot's own.
  std::vector<std::vector<int>> descriptors_of_slots() const;
};

// All that the settings name; or what is wrong with the first that cannot be had, and then no file
// of those before it is left.
core::Result<ServerSockets> open_sockets(const Settings& settings, std::uint32_t workers);

}  // namespace spate::handlers
