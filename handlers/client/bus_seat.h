// The bus in a loop: who is woken takes what has come, a bounded part a turn, and sleeps again.
#pragma once

#include <cstdint>
#include <optional>

#include "core/bus_memory.h"
#include "core/reactor.h"
#include "handlers/hub/bus_broker.h"
#include "handlers/hub/bus_server.h"

namespace spate::handlers::client {

// In a worker.
class BusEnd final : private core::EventSink {
 public:
  BusEnd(const core::BusMemory& memory, std::uint32_t slot, core::Reactor& reactor,
         const core::LogMemory& log, hub::BrokerSink& sink, hub::BusBroker::Home home,
         hub::BusMetrics& metrics);
  ~BusEnd();

  // When everything that what comes is for is there.
  void start();
  hub::BusBroker& broker() { return *broker_; }
  core::BusView& view() { return view_; }

 private:
  static constexpr std::size_t kTurnBytes = 1 << 20;

  void on_event(std::uint32_t, std::uint32_t, std::uint32_t) override;
  void look();
  void take();

  core::Reactor& reactor_;
  core::BusView view_;
  std::optional<hub::BusBroker> broker_;
  const std::uint32_t slot_;
  const std::uint16_t number_;
  core::PreciseTimer again_;
  bool watching_ = false;
};

// In the broker's process.
class BusSeat final : private core::EventSink {
 public:
  BusSeat(const core::BusMemory& memory, core::Reactor& reactor, core::LogMemory& log,
          hub::BusServer::Options options, hub::BrokerMetrics& broker_metrics,
          hub::BusMetrics& metrics);
  ~BusSeat();

  core::Result<bool> open();
  hub::BusServer& server() { return *server_; }

 private:
  static constexpr std::size_t kTurnRequests = 1024;
  static constexpr std::int64_t kTickNs = 1'000'000'000;

  void on_event(std::uint32_t, std::uint32_t, std::uint32_t) override;
  void serve();

  core::Reactor& reactor_;
  core::BusView view_;
  std::optional<hub::BusServer> server_;
  const std::uint16_t number_;
  core::PreciseTimer again_;
  core::PreciseTimer tick_;
};

}  // namespace spate::handlers::client
