// What the hub counts, by namespace: never by channel, for channels come and go by the million.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/metric_pages.h"
#include "core/metric_table.h"
#include "core/metrics.h"

namespace spate::handlers::hub {

enum class Recovery : std::uint8_t { recovered, unrecovered, rejected };

// Of one namespace in a worker.
struct alignas(64) NamespaceMetrics {
  core::Counter publications;
  core::Counter deliveries;
  core::Gauge subscriptions;
  core::Gauge channels;
  core::Counter joins_leaves;
  core::Counter conflated;
  core::Counter positions_lost;
  std::array<core::Counter, 3> recoveries;  // by Recovery
  std::array<core::Counter, 2> catch_ups;   // caught up, lost
  core::Histogram delivery;                 // publish to the last socket write
};

// Why a client or its request was refused.
enum class Refused : std::uint8_t {
  bad_request,
  no_credentials,
  invalid_token,
  expired_token,
  permission,
  unknown_channel,
  bad_channel,
  already_subscribed,
  channel_limit,
  connection_limit,
  connection_rate,
  not_available,
  method_not_found,
  unrecoverable,
  broker,
};
inline constexpr std::size_t kRefused = 15;

// Why the server ended a connection of its own accord.
enum class Ended : std::uint8_t { stale, no_pong, expired, insufficient_state, payload, api };
inline constexpr std::size_t kEnded = 6;

// Of a worker.
struct alignas(64) ClientMetrics {
  core::Gauge clients;
  core::Gauge users;
  core::Counter connected;
  core::Counter commands;
  core::Counter pings;
  std::array<core::Counter, kRefused> refusals;
  std::array<core::Counter, kEnded> ended;
};

// Where a worker counts; by namespace in the order of the rules.
class HubMetrics {
 public:
  explicit HubMetrics(std::vector<NamespaceMetrics*> spaces) : spaces_(std::move(spaces)) {}
  NamespaceMetrics& of(std::uint32_t space) const { return *spaces_[space]; }

 private:
  std::vector<NamespaceMetrics*> spaces_;
};

struct HubMetricGroups {
  // `spaces`: the names of all namespaces, that of channels without one first.
  static HubMetricGroups add_to(core::MetricTable& table, std::vector<std::string> spaces);
  HubMetrics view(const core::MetricView& counters) const;

  core::MetricGroup<NamespaceMetrics> spaces;
  core::MetricGroup<ClientMetrics> clients;
};

}  // namespace spate::handlers::hub
