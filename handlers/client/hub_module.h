// The hub as a module of the server: its settings, its shared memory, and its endpoints in a
// worker.
//
//   auto hub = hub_module();
//   hub->rpc().methods["add"] = [](const RpcCall& call) { return RpcReply{.data = add(call.data)};
//   }; registry.add(std::move(hub));
//
// There is a hub when `channels` is set. With one worker the broker is in it; with several it has a
// process of its own beside them, and they talk over the bus.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bus_memory.h"
#include "core/log_memory.h"
#include "handlers/client/clients.h"
#include "handlers/client/options.h"
#include "handlers/client/token_settings.h"
#include "handlers/hub/bus_metrics.h"
#include "handlers/hub/hub_metrics.h"
#include "handlers/hub/log_broker.h"
#include "handlers/registry.h"

namespace spate::handlers::client {

// As flags, environment and file have them.
struct HubSettings {
  std::string channels;  // JSON; empty: no hub
  std::string client_path = "/connection/websocket";
  ClientOptions client;
  std::uint64_t history_memory = 256 << 20;
  std::uint32_t presence_grace_ms = 5000;
  std::string presence_events;  // a channel; empty: none
  std::uint32_t fanout_slice = 1024;
  std::uint32_t linger_us = 0;
  std::uint64_t max_batch_bytes = 64 << 10;
  std::uint32_t position_check_ms = 40'000;
  std::string api_key;
  bool api_insecure = false;
  std::string explain;
  std::string node_name;
};

class HubModule final : public Module {
 public:
  HubModule();
  ~HubModule() override;

  // Filled before the server runs.
  RpcHandlers& rpc() { return rpc_; }

  void add_settings(SettingTable& table) override;
  void add_metrics(core::MetricTable& table) override;
  core::Result<bool> prepare(std::uint32_t workers) override;
  bool wants_companion(std::uint32_t workers) const override {
    return !settings_.channels.empty() && workers > 1;
  }
  void on_worker_begin(std::uint32_t slot) override;
  void on_worker_gone(std::uint32_t slot) override;
  std::optional<std::string> instead() override;
  void mount(const Mounts& mounts) override;
  void unmount() override;
  void mount_companion(const CompanionMounts& mounts) override;
  void unmount_companion() override;

 private:
  struct Running;
  struct Serving;
  std::string take_rules(std::string_view text);
  std::optional<Complaint> check(const SettingTable& table);

  HubSettings settings_;
  TokenSettingSources token_sources_;
  TokenConfiguration tokens_;
  hub::ChannelRules rules_;
  RpcHandlers rpc_;
  std::string node_id_;  // of this instance's life
  hub::HubMetricGroups groups_;
  core::MetricGroup<hub::BrokerMetrics> broker_group_;
  core::MetricGroup<hub::BusMetrics> bus_group_;
  core::LogMemory memory_;
  std::optional<core::BusMemory> bus_;  // with several workers
  core::HashKey key_of_names_{};
  std::unique_ptr<Running> running_;  // in a worker
  std::unique_ptr<Serving> serving_;  // in the broker's process
};

std::unique_ptr<HubModule> hub_module();

}  // namespace spate::handlers::client
