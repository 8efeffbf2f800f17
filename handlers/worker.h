// One worker process: a loop, a table of connections, the endpoints, and the listeners it polls:
// its own slot's, those of slots that it covers, and those that all workers share. Everything here
// is built after fork.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/connection_table.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "core/signals.h"
#include "core/slots.h"
#include "core/snapshot.h"
#include "core/supervisor.h"
#include "core/tls_transport.h"
#include "handlers/deflation.h"
#include "handlers/guard.h"
#include "handlers/http/http_protocol.h"
#include "handlers/proxy_transport.h"
#include "handlers/registry.h"
#include "handlers/routes.h"
#include "handlers/server_metrics.h"
#include "handlers/server_sockets.h"

namespace spate::handlers {

class Worker {
 public:
  Worker(const Settings& settings, const Registry& registry, core::Slots& slots,
         ServerMetrics& metrics, const ServerSockets& sockets, const core::Snapshot& certificates,
         const core::Birth& birth);
  ~Worker();

  // Serves until it is told to leave, or the master is gone, and it has left. The exit code.
  int run();

 private:
  // Somebody wrote to us: the master's orders in shared memory, or its end.
  class Ear final : public core::EventSink {
   public:
    explicit Ear(Worker& worker) : worker_(worker) {}
    void on_event(std::uint32_t index, std::uint32_t, std::uint32_t) override;

   private:
    Worker& worker_;
  };

  int start();
  core::Slot& own_slot() { return slots_[birth_.slot]; }
  using Listeners = std::vector<std::unique_ptr<core::Listener>>;
  std::unique_ptr<core::Listener> make_listener(const ListenSocket& socket, core::Slot* slot);
  void accept_at(Listeners& listeners, const std::vector<ListenSocket>& sockets, core::Slot* slot,
                 bool accept, bool accept_internal);
  void follow_orders();
  bool take_certificates();
  core::Transport& transport_of(const ListenSocket& socket);
  bool step_aside();
  void try_again();

  void on_signal(int signal);
  void on_master_gone();
  void begin_leaving(std::int64_t delay_ns);
  void stop_accepting();
  void leave_step();
  void ask_to_leave(core::Connection& connection);
  void tick();
  EndpointMetrics* count_endpoint(std::string_view path);
  void on_slow_turn(const core::Reactor::SlowTurn& turn);

  const Settings& settings_;
  const Registry& registry_;
  core::Slots& slots_;
  ServerMetrics& metrics_;
  const core::MetricView counters_;
  const ServerSockets& sockets_;
  const core::Snapshot& certificates_;
  std::uint64_t certificates_taken_ = 0;  // the number of those that tls_ shows
  const core::Birth birth_;
  core::Reactor reactor_;
  core::ConnectionTable table_;
  core::TcpTransport tcp_;
  const TrustedProxies proxies_;
  ProxyTransport proxy_;                           // over tcp_
  std::optional<core::TlsTransport> tls_;          // when a listener speaks it; over tcp_
  std::optional<core::TlsTransport> proxied_tls_;  // over proxy_
  WorkerStatus status_;
  Deflation deflation_;
  std::uint32_t endpoints_ = 0;  // that have asked where to count
  Guards guards_;
  Routes public_routes_;
  Routes internal_routes_;
  HttpProtocol public_http_;
  HttpProtocol internal_http_;
  RefusalProtocol refusal_;
  core::Reserve reserve_;
  std::vector<Listeners> listeners_;  // by slot; empty: not polled
  Listeners shared_listeners_;
  core::SignalWatch signals_;
  Ear ear_;
  const std::uint16_t ear_number_;
  core::PreciseTimer tick_;
  core::PreciseTimer room_timer_;   // when full: is there room again?
  core::PreciseTimer leave_timer_;  // the next step of leaving
  std::uint32_t full_at_ = 0;       // connections when it became full
  bool accepting_ = false;
  bool leaving_ = false;
  std::int64_t leave_until_ns_ = 0;
  std::uint32_t leave_count_ = 0;    // connections when the first was asked to leave
  std::uint64_t drops_counted_ = 0;  // of log::dropped()
};

}  // namespace spate::handlers
