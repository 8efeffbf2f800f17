#include "handlers/hub/hub_metrics.h"

namespace spate::handlers::hub {

using core::MetricScope;

HubMetricGroups HubMetricGroups::add_to(core::MetricTable& table, std::vector<std::string> names) {
  for (std::string& name : names)
    if (name.empty()) name = "none";
  using Space = NamespaceMetrics;
  auto spaces = table.group<Space>(MetricScope::worker, "namespace", std::move(names));
  spaces.add("spate_publications_total",
             "Publications that the server took over, by clients and by its API.",
             &Space::publications);
  spaces.add("spate_deliveries_total", "Publications handed to a subscriber's connection.",
             &Space::deliveries);
  spaces.add("spate_subscriptions", "Subscriptions.", &Space::subscriptions);
  spaces.add("spate_channels", "Channels with a subscriber.", &Space::channels);
  spaces.add("spate_joins_leaves_total", "Joins and leaves told to subscribers, each once.",
             &Space::joins_leaves);
  spaces.add(
      "spate_conflated_total",
      "Publications that a slow subscriber did not get because a newer one came (slow_policy "
      "conflate).",
      &Space::conflated);
  spaces.add("spate_positions_lost_total",
             "Subscriptions ended because a publication was missing (insufficient state).",
             &Space::positions_lost);
  spaces.add("spate_recoveries_total",
             "Subscriptions that asked for what they had missed. unrecovered: it could not be "
             "given. rejected: the same, and the client had asked to be refused then.",
             &Space::recoveries, "outcome", {"recovered", "unrecovered", "rejected"});
  spaces.add("spate_channel_catch_ups_total",
             "Times that a worker fetched what a channel had missed, because it had been too slow "
             "for the bus or a broker had started. lost: its history did not reach back.",
             &Space::catch_ups, "outcome", {"caught_up", "lost"});
  spaces.add("spate_delivery_seconds",
             "Time from a publication to its last subscriber's socket, in this worker.",
             &Space::delivery);

  using Client = ClientMetrics;
  auto clients = table.group<Client>(MetricScope::worker);
  clients.add("spate_clients", "Connections that have told who they are.", &Client::clients);
  clients.add("spate_users", "Distinct users among them; anonymous ones count as one.",
              &Client::users);
  clients.add("spate_clients_connected_total", "Connects accepted.", &Client::connected);
  clients.add("spate_commands_total", "Commands of clients, pongs included.", &Client::commands);
  clients.add("spate_client_pings_sent_total",
              "Pings of the client protocol (--client-ping-interval-ms).", &Client::pings);
  clients.add(
      "spate_client_refusals_total",
      "Commands refused and connections ended for what a client asked, by reason; the log "
      "names rule and remedy.",
      &Client::refusals, "reason",
      {"bad_request", "no_credentials", "invalid_token", "expired_token", "permission",
       "unknown_channel", "bad_channel", "already_subscribed", "channel_limit", "connection_limit",
       "connection_rate", "not_available", "method_not_found", "unrecoverable", "broker"});
  clients.add("spate_clients_ended_total", "Connections that the server ended, by reason.",
              &Client::ended, "reason",
              {"stale", "no_pong", "expired", "insufficient_state", "payload", "api"});
  return {spaces.group(), clients.group()};
}

HubMetrics HubMetricGroups::view(const core::MetricView& counters) const {
  std::vector<NamespaceMetrics*> cells;
  for (std::uint32_t i = 0; i < spaces.count; ++i) cells.push_back(&counters.of(spaces, i));
  return HubMetrics(std::move(cells));
}

}  // namespace spate::handlers::hub
