#include "handlers/client/hub_module.h"

#include <cstring>

#include "core/log.h"
#include "core/sys.h"
#include "handlers/client/json_text.h"
#include "handlers/client/websocket_endpoint.h"
#include "handlers/http/api.h"
#include "handlers/version.h"

namespace spate::handlers::client {

namespace {

constexpr std::int64_t kTickNs = 1'000'000'000;

std::unique_ptr<TokenVerifier> verifier(const TokenSettings& settings) {
  auto made = TokenVerifier::create(settings);
  SPATE_CHECK(made.ok());  // the settings were checked
  return std::move(*made);
}

}  // namespace

// All of a worker's hub, in the order in which it needs each other.
struct HubModule::Running {
  Running(HubModule& module, const Mounts& mounts)
      : reactor(mounts.reactor),
        metrics(module.groups_.view(mounts.counters)),
        connection_tokens(verifier(module.tokens_.connection)),
        subscription_tokens(verifier(module.tokens_.subscription)),
        hub(mounts.reactor, encoder, metrics, hub_options(module)),
        broker(module.memory_, hub, {.presence_grace_ms = module.settings_.presence_grace_ms},
               &mounts.counters.of(module.broker_group_)),
        clients({mounts.reactor, hub, broker, module.rules_, *connection_tokens,
                 *subscription_tokens, metrics, mounts.counters.of(module.groups_.clients),
                 module.rpc_, module.settings_.client}),
        transport(mounts.table),
        tick([this] { on_tick(); }) {
    hub.set_broker(broker);
    open_log(module.memory_);
    reactor.precise().arm(tick, core::sys::monotonic_ns() + kTickNs);
  }
  ~Running() { reactor.precise().cancel(tick); }

  hub::Hub::Options hub_options(HubModule& module) {
    const HubSettings& s = module.settings_;
    hub::Hub::Options options{.fanout_slice = s.fanout_slice,
                              .linger_ns = std::int64_t{s.linger_us} * 1000,
                              .max_batch_bytes = s.max_batch_bytes,
                              .position_check_ns = std::int64_t{s.position_check_ms} * 1'000'000};
    if (!s.presence_events.empty())
      options.on_user = [this, &module](std::string_view user, std::string_view client,
                                        bool online) {
        tell_user_status(module, user, client, online);
      };
    return options;
  }

  // A log that cannot be read would keep every worker from starting, for ever.
  void open_log(core::LogMemory& memory) {
    auto opened = broker.open();
    if (opened) return;
    core::log::error("the history is damaged and is forgotten: {reason}",
                     {{"reason", opened.error()}});
    memory.clear();
    opened = broker.open();
    SPATE_CHECK(opened.ok());
  }

  void tell_user_status(HubModule& module, std::string_view user, std::string_view client,
                        bool online);

  void on_tick() {
    const std::int64_t now = core::sys::monotonic_ns();
    broker.tick(now);
    hub.tick();
    reactor.precise().arm(tick, now + kTickNs);
  }

  core::Reactor& reactor;
  hub::HubMetrics metrics;
  std::unique_ptr<TokenVerifier> connection_tokens;
  std::unique_ptr<TokenVerifier> subscription_tokens;
  WebSocketEncoder encoder;
  hub::Hub hub;
  hub::LogBroker broker;
  Clients clients;
  WebSocketTransport transport;
  core::PreciseTimer tick;
};

void HubModule::Running::tell_user_status(HubModule& module, std::string_view user,
                                          std::string_view client, bool online) {
  const std::string& channel = module.settings_.presence_events;
  const hub::ChannelOptions& options = *module.rules_.options_of(channel);
  std::string data = R"({"event":)";
  data += online ? R"("online")" : R"("offline")";
  data += R"(,"user":)";
  append_json_string(data, user);
  data += R"(,"client":)";
  append_json_string(data, client);
  data += R"(,"node":)";
  append_json_string(data, module.node_id_);
  data += R"(,"time":)" + std::to_string(core::sys::wall_ms()) + "}";
  clients.publish(options,
                  {.channel = channel, .publication = {.data = data}, .history = options.history},
                  [](const hub::PublishResult&) {});
}

HubModule::HubModule() {
  const hub::ClientId::Text id = hub::ClientId::random().text();
  node_id_ = hub::view(id);
}

HubModule::~HubModule() = default;

void HubModule::add_metrics(core::MetricTable& table) {
  if (settings_.channels.empty()) return;
  std::vector<std::string> spaces;
  for (const hub::ChannelOptions& options : rules_.all()) spaces.push_back(options.name);
  groups_ = hub::HubMetricGroups::add_to(table, std::move(spaces));
  broker_group_ = hub::BrokerMetrics::add_to(table);
}

core::Result<bool> HubModule::prepare() {
  if (settings_.channels.empty()) return true;
  if (const int error = memory_.create(settings_.history_memory); error < 0)
    return core::Failure{std::string("cannot create shared memory for the history "
                                     "(--history-memory): ") +
                         std::strerror(-error)};
  if (settings_.client.insecure)
    core::log::warn("--client-insecure: everybody may do everything; not for the public");
  return true;
}

std::optional<std::string> HubModule::instead() {
  if (settings_.explain.empty()) return std::nullopt;
  return hub::explain(rules_, settings_.explain);
}

void HubModule::mount(const Mounts& mounts) {
  if (settings_.channels.empty()) return;
  settings_.client.version = "spate " + std::string(version());
  settings_.client.channel_max_length = static_cast<std::uint32_t>(rules_.max_length());
  settings_.client.recovery_max_bytes = mounts.settings.outbox_bytes / 2;
  running_ = std::make_unique<Running>(*this, mounts);
  mounts.clients.add(settings_.client_path,
                     std::make_unique<WebSocketEndpoint>(running_->clients, running_->transport,
                                                         settings_.client.user_header));
  Api::mount(
      mounts.operators,
      std::make_shared<Api>(running_->clients, ApiOptions{.key = settings_.api_key,
                                                          .insecure = settings_.api_insecure,
                                                          .node_id = node_id_,
                                                          .node_name = settings_.node_name.empty()
                                                                           ? core::sys::host_name()
                                                                           : settings_.node_name,
                                                          .version = std::string(version())}));
}

void HubModule::unmount() {
  running_.reset();
}

std::unique_ptr<HubModule> hub_module() {
  return std::make_unique<HubModule>();
}

}  // namespace spate::handlers::client
