#include "handlers/client/hub_module.h"

#include <cstring>

#include "core/log.h"
#include "core/sys.h"
#include "handlers/client/bus_seat.h"
#include "handlers/client/json_text.h"
#include "handlers/client/websocket_endpoint.h"
#include "handlers/http/api.h"
#include "handlers/hub/bus_report.h"
#include "handlers/server_metrics.h"
#include "handlers/version.h"

namespace spate::handlers::client {

namespace {

constexpr std::int64_t kTickNs = 1'000'000'000;

std::unique_ptr<TokenVerifier> verifier(const TokenSettings& settings) {
  auto made = TokenVerifier::create(settings);
  SPATE_CHECK(made.ok());  // the settings were checked
  return std::move(*made);
}

// A log that cannot be read would keep every process that needs it from starting, for ever.
template <typename Broker>
void open_log(Broker& broker, core::LogMemory& memory) {
  auto opened = broker.open();
  if (opened) return;
  core::log::error("the history is damaged and is forgotten: {reason}",
                   {{"reason", opened.error()}});
  memory.clear();
  opened = broker.open();
  SPATE_CHECK(opened.ok());
}

// What is said in the channel of --presence-events.
std::string user_event(std::string_view user, std::string_view client, bool online,
                       std::string_view node_id) {
  std::string data = R"({"event":)";
  data += online ? R"("online")" : R"("offline")";
  data += R"(,"user":)";
  append_json_string(data, user);
  data += R"(,"client":)";
  append_json_string(data, client);
  data += R"(,"node":)";
  append_json_string(data, node_id);
  data += R"(,"time":)" + std::to_string(core::sys::wall_ms()) + "}";
  return data;
}

}  // namespace

// All of a worker's hub, in the order in which it needs each other.
struct HubModule::Running {
  Running(HubModule& module, const Mounts& mounts)
      : owner(module),
        reactor(mounts.reactor),
        metrics(module.groups_.view(mounts.counters)),
        connection_tokens(verifier(module.tokens_.connection)),
        subscription_tokens(verifier(module.tokens_.subscription)),
        hub(mounts.reactor, encoder, metrics, hub_options(module)),
        transport(mounts.table),
        tick([this] { on_tick(); }) {
    if (module.bus_)
      join_bus(mounts);
    else
      make_log_broker(mounts);
    Clients::Parts parts{mounts.reactor,
                         hub,
                         *broker,
                         module.rules_,
                         *connection_tokens,
                         *subscription_tokens,
                         metrics,
                         mounts.counters.of(module.groups_.clients),
                         module.rpc_,
                         module.settings_.client};
    if (bus) {
      parts.elsewhere = [this, slot = mounts.slot, &all = mounts.metrics] {
        return clients_elsewhere(slot, all);
      };
      parts.rate_full_ns = &bus->view().rate_word();
    }
    clients.emplace(parts);
    hub.set_broker(*broker);
    if (bus) bus->start();
    reactor.precise().arm(tick, core::sys::monotonic_ns() + kTickNs);
  }
  ~Running() { reactor.precise().cancel(tick); }

  hub::Hub::Options hub_options(HubModule& module) {
    const HubSettings& s = module.settings_;
    hub::Hub::Options options{.fanout_slice = s.fanout_slice,
                              .linger_ns = std::int64_t{s.linger_us} * 1000,
                              .max_batch_bytes = s.max_batch_bytes,
                              .position_check_ns = std::int64_t{s.position_check_ms} * 1'000'000};
    // With several workers the broker's process says it, once.
    if (!s.presence_events.empty() && !module.bus_)
      options.on_user = [this](std::string_view user, std::string_view client, bool online) {
        tell_user_status(user, client, online);
      };
    return options;
  }

  void make_log_broker(const Mounts& mounts) {
    auto made = std::make_unique<hub::LogBroker>(
        owner.memory_, hub,
        hub::LogBrokerOptions{.presence_grace_ms = owner.settings_.presence_grace_ms},
        &mounts.counters.of(owner.broker_group_));
    open_log(*made, owner.memory_);
    own_broker = std::move(made);
    own_workers = std::make_unique<hub::OnlyWorker>();
    broker = own_broker.get();
    workers = own_workers.get();
  }

  void join_bus(const Mounts& mounts) {
    owner.memory_.make_read_only();
    hub::BusBroker::Home home;
    home.on_lost = [this] { hub.catch_up(); };
    home.announce = [this](bool begin) { return !clients || clients->announce(begin); };
    home.each_channel = [this](const std::function<void(std::string_view)>& visit) {
      hub.for_each_channel([&](const hub::Channel& channel) { visit(channel.name); });
    };
    bus = std::make_unique<BusEnd>(*owner.bus_, mounts.slot, reactor, owner.memory_, hub,
                                   std::move(home), mounts.counters.of(owner.bus_group_));
    broker = &bus->broker();
    workers = &bus->broker();
  }

  std::uint64_t clients_elsewhere(std::uint32_t own, const ServerMetrics& all) const {
    std::uint64_t count = 0;
    for (std::uint32_t slot = 0; slot < owner.bus_->slot_count(); ++slot)
      if (slot != own) count += all.worker(slot).of(owner.groups_.clients).clients;
    return count;
  }

  void tell_user_status(std::string_view user, std::string_view client, bool online) {
    const std::string& channel = owner.settings_.presence_events;
    const hub::ChannelOptions& options = *owner.rules_.options_of(channel);
    const std::string data = user_event(user, client, online, owner.node_id_);
    clients->publish(
        options, {.channel = channel, .publication = {.data = data}, .history = options.history},
        [](const hub::PublishResult&) {});
  }

  void on_tick() {
    const std::int64_t now = core::sys::monotonic_ns();
    broker->tick(now);
    hub.tick();
    reactor.precise().arm(tick, now + kTickNs);
  }

  HubModule& owner;
  core::Reactor& reactor;
  hub::HubMetrics metrics;
  std::unique_ptr<TokenVerifier> connection_tokens;
  std::unique_ptr<TokenVerifier> subscription_tokens;
  WebSocketEncoder encoder;
  hub::Hub hub;
  std::unique_ptr<hub::Broker> own_broker;
  std::unique_ptr<hub::Workers> own_workers;
  std::unique_ptr<BusEnd> bus;
  hub::Broker* broker = nullptr;
  hub::Workers* workers = nullptr;
  std::optional<Clients> clients;
  WebSocketTransport transport;
  core::PreciseTimer tick;
};

// The broker's process.
struct HubModule::Serving {
  Serving(HubModule& module, const CompanionMounts& mounts) : owner(module) {
    hub::BusServer::Options options;
    options.log.presence_grace_ms = module.settings_.presence_grace_ms;
    if (!module.settings_.presence_events.empty())
      options.on_user = [this](std::string_view user, std::string_view client, bool online) {
        tell_user_status(user, client, online);
      };
    seat.emplace(*module.bus_, mounts.reactor, module.memory_, std::move(options),
                 mounts.counters.of(module.broker_group_), mounts.counters.of(module.bus_group_));
    open_log(*seat, module.memory_);
  }

  void tell_user_status(std::string_view user, std::string_view client, bool online) {
    const std::string& channel = owner.settings_.presence_events;
    const hub::ChannelOptions& options = *owner.rules_.options_of(channel);
    const std::string data = user_event(user, client, online, owner.node_id_);
    seat->server().broker().publish(
        {.channel = channel, .publication = {.data = data}, .history = options.history},
        [](const hub::PublishResult&) {});
  }

  HubModule& owner;
  std::optional<BusSeat> seat;
};

HubModule::HubModule() {
  const hub::ClientId::Text id = hub::ClientId::random().text();
  node_id_ = hub::view(id);
  core::sys::random(std::as_writable_bytes(std::span(key_of_names_)));
}

HubModule::~HubModule() = default;

void HubModule::add_metrics(core::MetricTable& table) {
  if (settings_.channels.empty()) return;
  std::vector<std::string> spaces;
  for (const hub::ChannelOptions& options : rules_.all()) spaces.push_back(options.name);
  groups_ = hub::HubMetricGroups::add_to(table, std::move(spaces));
  broker_group_ = hub::BrokerMetrics::add_to(table);
  bus_group_ = hub::BusMetrics::add_to(table);
}

core::Result<bool> HubModule::prepare(std::uint32_t workers) {
  if (settings_.channels.empty()) return true;
  if (const int error = memory_.create(settings_.history_memory); error < 0)
    return core::Failure{std::string("cannot create shared memory for the history "
                                     "(--history-memory): ") +
                         std::strerror(-error)};
  if (wants_companion(workers)) {
    bus_.emplace();
    if (const int error = bus_->create(workers, {}); error < 0)
      return core::Failure{
          std::string("cannot create shared memory for the bus between workers: ") +
          std::strerror(-error)};
  }
  if (settings_.client.insecure)
    core::log::warn("--client-insecure: everybody may do everything; not for the public");
  return true;
}

void HubModule::on_worker_begin(std::uint32_t slot) {
  if (!bus_) return;
  auto& born = bus_->generations(slot).born;
  born.store(born.load() + 1);
}

void HubModule::on_worker_gone(std::uint32_t slot) {
  if (!bus_) return;
  core::BusGenerations& generations = bus_->generations(slot);
  generations.ended.store(generations.born.load());
  // It may sleep, and there is nobody whose request would wake it.
  const std::uint64_t one = 1;
  (void)core::sys::write(bus_->broker_wake_fd(), &one, sizeof one);
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
                     std::make_unique<WebSocketEndpoint>(*running_->clients, running_->transport,
                                                         settings_.client.user_header));
  ApiOptions api{
      .key = settings_.api_key,
      .insecure = settings_.api_insecure,
      .node_id = node_id_,
      .node_name = settings_.node_name.empty() ? core::sys::host_name() : settings_.node_name,
      .version = std::string(version()),
      .key_of_names = key_of_names_};
  if (bus_) api.bus_report = [this] { return hub::bus_report(running_->bus->view(), memory_); };
  Api::mount(mounts.operators, std::make_shared<Api>(*running_->clients, *running_->workers, api));
}

void HubModule::unmount() {
  running_.reset();
}

void HubModule::mount_companion(const CompanionMounts& mounts) {
  if (bus_) serving_ = std::make_unique<Serving>(*this, mounts);
}

void HubModule::unmount_companion() {
  serving_.reset();
}

std::unique_ptr<HubModule> hub_module() {
  return std::make_unique<HubModule>();
}

}  // namespace spate::handlers::client
