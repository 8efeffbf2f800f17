// The hub's flags: names, limits and what they mean to people.
#include "handlers/client/hub_module.h"
#include "handlers/settings_check.h"

namespace spate::handlers::client {

namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

}  // namespace

void HubModule::add_settings(SettingTable& table) {
  HubSettings& s = settings_;
  ClientOptions& c = s.client;

  const char* hub = "Hub";
  table.add({"channels", hub,
             "namespaces and their options, as docs/channels.md has them; makes this server a hub",
             json_value(s.channels, [this](std::string_view text) { return take_rules(text); })});
  table.add({"client-path", hub, "where clients of the hub connect",
             text_value(s.client_path, {"PATH", check_path})});
  table.add(
      {"client-anonymous", hub, "let clients connect without a token", boolean_value(c.anonymous)});
  table.add({"client-anonymous-tokens", hub, "take tokens that name no user",
             boolean_value(c.anonymous_tokens)});
  table.add({"client-insecure", hub,
             "ask for no token and no permission; for development, never for the public",
             boolean_value(c.insecure)});
  table.add({"client-user-header", hub,
             "header with which a proxy in front names the user; only where no client can reach "
             "the server past the proxy",
             text_value(c.user_header, {"NAME", check_token})});
  table.add({"user-channels", hub,
             "subscribe every user to the personal channel #USER when they connect",
             boolean_value(c.user_channels)});
  table.add({"user-channels-namespace", hub, "namespace of personal channels; empty for none",
             text_value(c.user_channel_namespace, {"NAME", {}})});
  table.add({"presence-events", hub,
             "channel that is told when users come online and go offline; empty turns it off",
             text_value(s.presence_events, {"CHANNEL", {}})});
  table.add({"presence-grace-ms", hub,
             "how long a user without connections stays online, so that a reconnect is no event",
             milliseconds_value(s.presence_grace_ms, 0, kHourMs)});
  table.add({"history-memory", hub,
             "memory for what channels keep; when it is full the oldest goes",
             bytes_value(s.history_memory, 4 << 20, 32 * kGiB)});
  table.add({"explain", hub,
             "print which options and permissions apply to a channel, and why, and exit",
             text_value(s.explain, {"CHANNEL", {}}), Reach::flag_only});

  const char* api = "Server API";
  table.add({.name = "api-key",
             .group = api,
             .help = "key that calls of the server API show; without one they are all refused",
             .value = text_value(s.api_key, {"KEY", {}}),
             .secret = true});
  table.add({"api-insecure", api, "take calls of the server API without a key",
             boolean_value(s.api_insecure)});
  table.add({"node-name", api,
             "what this server is called in the API's info; empty for the host's name",
             text_value(s.node_name, {"NAME", {}})});

  const char* limits = "Client limits";
  table.add({"client-channel-limit", limits, "channels that one client may be subscribed to",
             integer_value(c.channel_limit, 1, 4096)});
  table.add({"client-connection-limit", limits,
             "clients that may be connected at once; more get 503; 0 is no limit of the hub's own",
             integer_value(c.connection_limit, 0, 10'000'000)});
  table.add({"client-connection-rate-limit", limits,
             "clients that may connect in a second, and at once after a quiet one; more get 503; 0 "
             "is no limit",
             integer_value(c.connection_rate_limit, 0, 1'000'000)});
  table.add({"user-connection-limit", limits, "connections that one user may have; 0 is no limit",
             integer_value(c.user_connection_limit, 0, 1'000'000)});
  table.add({"history-max-publications", limits,
             "publications that a client gets at most for one request of history or recovery",
             integer_value(c.history_max_publications, 1, 100'000)});
  table.add({"client-stale-close-ms", limits, "how long a client may take to connect",
             milliseconds_value(c.stale_close_ms, 1, kHourMs)});
  table.add({"client-ping-interval-ms", limits, "how often the hub pings its clients; 0 never does",
             milliseconds_value(c.ping_interval_ms, 0, kHourMs)});
  table.add({"client-pong-timeout-ms", limits, "how long they may take to answer; 0 is for ever",
             milliseconds_value(c.pong_timeout_ms, 0, kHourMs)});
  table.add({"client-expired-close-ms", limits,
             "how long after its token's end a connection is closed",
             milliseconds_value(c.expired_close_ms, 0, kHourMs)});
  table.add({"client-expired-sub-close-ms", limits, "the same for a subscription",
             milliseconds_value(c.expired_sub_close_ms, 0, kHourMs)});
  table.add({"client-position-check-ms", limits,
             "how often each channel's subscribers are compared with its history",
             milliseconds_value(s.position_check_ms, 100, kHourMs)});

  const char* engine = "Engine tuning";
  table.add({"fanout-slice", engine,
             "subscriptions served in one go, before the loop looks at its sockets again",
             integer_value(s.fanout_slice, 1, 1'000'000)});
  table.add({"linger-us", engine,
             "how long a publication may wait for others to leave in the same send; 0 is the end "
             "of the turn",
             integer_value(s.linger_us, 0, 1'000'000, "US")});
  table.add({"max-batch-bytes", engine, "a channel with more than this waiting does not linger",
             bytes_value(s.max_batch_bytes, 1, kGiB)});
  add_token_settings(table, token_sources_);
  table.add_check([this, &table] { return check(table); });
}

// Empty, or what is wrong.
std::string HubModule::take_rules(std::string_view text) {
  auto rules = hub::ChannelRules::parse(text);
  if (!rules) return rules.error();
  rules_ = std::move(*rules);
  return {};
}

std::optional<Complaint> HubModule::check(const SettingTable&) {
  HubSettings& s = settings_;
  if (s.client.ping_interval_ms > 0 && s.client.pong_timeout_ms >= s.client.ping_interval_ms)
    return Complaint{"client-pong-timeout-ms",
                     "not below --client-ping-interval-ms; a pong must come before the next ping"};
  if (s.client.ping_interval_ms > 0 && s.client.ping_interval_ms < 1000)
    return Complaint{"client-ping-interval-ms",
                     "below a second, and clients count in seconds; write 1000 or more, or 0"};
  if (!s.explain.empty() && s.channels.empty())
    return Complaint{"explain", "there are no channels to explain; set channels"};
  if (!s.presence_events.empty() && !s.channels.empty() &&
      rules_.options_of(s.presence_events) == nullptr)
    return Complaint{"presence-events", "its namespace is not defined in channels"};
  if (!s.client.user_channel_namespace.empty() && !s.channels.empty() &&
      rules_.options_of(s.client.user_channel_namespace + ":") == nullptr)
    return Complaint{"user-channels-namespace", "is not defined in channels"};
  auto tokens = read_token_settings(token_sources_);
  if (!tokens) return tokens.error();
  tokens_ = std::move(*tokens);
  rules_.set_insecure(s.client.insecure);
  return std::nullopt;
}

}  // namespace spate::handlers::client
