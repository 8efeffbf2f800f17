#include "handlers/server_sockets.h"

#include "core/listen_socket.h"
#include "core/log.h"

namespace spate::handlers {

namespace {

class Opener {
 public:
  Opener(const Settings& settings, std::uint32_t workers) : settings_(settings) {
    sockets_.of_slot.resize(workers);
  }

  core::Result<bool> open(core::Endpoint endpoint, bool internal) {
    const ListenSocket socket{.internal = internal,
                              .tls = endpoint.tls,
                              .proxy = endpoint.proxy,
                              .unix_domain = endpoint.address.unix_domain()};
    const auto done = socket.unix_domain ? open_path(endpoint.address, socket)
                                         : open_port(endpoint.address, socket);
    if (!done)
      return core::Failure{done.error() + (internal ? " (--internal-listen)" : " (--listen)")};
    core::log::info(internal ? "internal listener on {address}" : "listening on {address}",
                    {{"address", core::format_endpoint(endpoint)}});
    return true;
  }
  ServerSockets take() { return std::move(sockets_); }

 private:
  core::Result<bool> open_path(const core::Address& address, ListenSocket socket) {
    auto listener = core::listen_at_path(address, settings_.backlog, settings_.unix_mode);
    if (!listener) return core::Failure{listener.error()};
    socket.fd = listener->fd;
    sockets_.shared.push_back(socket);
    sockets_.files.push_back(std::move(listener->file));
    return true;
  }
  // Port 0 is replaced by the one that the kernel chose.
  core::Result<bool> open_port(core::Address& address, ListenSocket socket) {
    if (const auto claimed = core::claim_address(address); !claimed)
      return core::Failure{claimed.error()};
    const core::ListenOptions options{
        .backlog = settings_.backlog,
        .defer_accept_seconds = static_cast<int>(settings_.defer_accept)};
    for (auto& slot : sockets_.of_slot) {
      const auto fd = core::listen_at(address, options);
      if (!fd) return core::Failure{fd.error()};
      socket.fd = *fd;
      slot.push_back(socket);
    }
    return true;
  }

  const Settings& settings_;
  ServerSockets sockets_;
};

}  // namespace

std::size_t ServerSockets::count() const {
  std::size_t count = shared.size();
  for (const auto& slot : of_slot) count += slot.size();
  return count;
}

std::vector<std::vector<int>> ServerSockets::descriptors_of_slots() const {
  std::vector<std::vector<int>> descriptors;
  for (const auto& slot : of_slot) {
    auto& own = descriptors.emplace_back();
    for (const ListenSocket& socket : slot) own.push_back(socket.fd);
  }
  return descriptors;
}

core::Result<ServerSockets> open_sockets(const Settings& settings, std::uint32_t workers) {
  Opener opener(settings, workers);
  for (const core::Endpoint& endpoint : settings.listen_endpoints())
    if (const auto done = opener.open(endpoint, false); !done) return core::Failure{done.error()};
  if (!settings.internal_listen.empty()) {
    const auto address = core::parse_address(settings.internal_listen);
    if (const auto done = opener.open({*address}, true); !done) return core::Failure{done.error()};
  }
  return opener.take();
}

}  // namespace spate::handlers
