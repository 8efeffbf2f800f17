#include "handlers/worker.h"

#include <signal.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "core/log.h"
#include "core/process.h"
#include "core/sys.h"
#include "core/tls_memory.h"
#include "handlers/tls_files.h"

namespace spate::handlers {

namespace {

using core::WorkerState;

// Descriptors that are not connections: epoll, listeners, logs, what libraries open.
constexpr std::uint64_t kSpareDescriptors = 64;
// How long bytes may stay unacknowledged before the kernel gives a peer up (TCP_USER_TIMEOUT): one
// that vanished without a word would else hold its connection for a quarter of an hour.
constexpr int kUserTimeoutMs = 30'000;
constexpr std::int64_t kLeaveStepNs = 50'000'000;
constexpr std::int64_t kRoomCheckNs = 100'000'000;
constexpr std::int64_t kTickNs = 1'000'000'000;

// What the ear hears, by event index.
constexpr std::uint32_t kOrders = 0;
constexpr std::uint32_t kLifeline = 1;

std::uint32_t connection_limit(const Settings& settings, const ServerSockets& sockets) {
  const std::uint64_t spare = kSpareDescriptors + sockets.count() + sockets.of_slot.size();
  const std::uint64_t limit = core::sys::descriptor_limit();
  const std::uint64_t possible = limit > 2 * spare ? limit - spare : limit;
  const std::uint64_t wanted = settings.max_connections != 0 ? settings.max_connections : possible;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(wanted, core::kMaxIndex - core::ConnectionTable::kRefusalPlaces));
}

core::Reactor::Options reactor_options(const Settings& settings, core::LoopMetrics& metrics) {
  return {.max_events = settings.max_events,
          .busy_poll_ns = std::int64_t{settings.busy_poll_us} * 1000,
          .metrics = &metrics};
}

core::ConnectionTable::Options table_options(const Settings& settings, const ServerSockets& sockets,
                                             core::ConnectionMetrics& metrics) {
  return {.max_connections = connection_limit(settings, sockets),
          .read_ring_bytes = settings.read_ring_bytes,
          .outbox_bytes = settings.outbox_bytes,
          .max_memory = settings.max_memory,
          .linger_ticks = core::ticks_of_ms(settings.close_timeout_ms),
          .metrics = &metrics};
}

DeflateOptions deflate_options(const Settings& settings, DeflateMetrics& metrics) {
  return {.level = settings.deflate_level,
          .min_bytes = settings.deflate_min_bytes,
          .context_takeover = settings.deflate_context_takeover,
          .memory_bytes = settings.deflate_memory,
          .max_message_bytes = settings.max_message_bytes,
          .metrics = &metrics};
}

SessionOptions session_options(const Settings& settings, core::Slot& slot, SessionMetrics& metrics,
                               Deflation* deflation) {
  return {.rules = {.max_message_bytes = settings.max_message_bytes},
          .ping_interval = core::ticks_of_ms(settings.ping_interval_ms),
          .pong_timeout = core::ticks_of_ms(settings.pong_timeout_ms),
          .ping_misses = settings.ping_misses,
          .idle_timeout = core::ticks_of_ms(settings.idle_timeout_ms),
          .frame_timeout = core::ticks_of_ms(settings.frame_timeout_ms),
          .close_timeout = core::ticks_of_ms(settings.close_timeout_ms),
          .last_message = &slot.last_message,
          .metrics = &metrics,
          .deflation = deflation};
}

std::int64_t warn_ns(const Settings& settings) {
  return settings.handler_warn_ms == 0 ? Guards::kNever
                                       : std::int64_t{settings.handler_warn_ms} * 1'000'000;
}

HttpOptions http_options(const Settings& settings, HttpMetrics& metrics) {
  return {.handshake_timeout = core::ticks_of_ms(settings.handshake_timeout_ms),
          .allowed_origins = settings.allowed_origins,
          .subprotocols = settings.subprotocols,
          .clients = {.proxies = TrustedProxies(settings.trusted_proxies),
                      .header = settings.forwarded_header},
          .metrics = &metrics};
}

}  // namespace

Worker::Worker(const Settings& settings, const Registry& registry, core::Slots& slots,
               ServerMetrics& metrics, const ServerSockets& sockets,
               const core::Snapshot& certificates, const core::Birth& birth)
    : settings_(settings),
      registry_(registry),
      slots_(slots),
      metrics_(metrics),
      counters_(metrics.worker(birth.slot)),
      sockets_(sockets),
      certificates_(certificates),
      birth_(birth),
      reactor_(reactor_options(settings, counters_.of(metrics.core().loop))),
      table_(reactor_, table_options(settings, sockets, counters_.of(metrics.core().connections))),
      proxies_(settings.trusted_proxies),
      proxy_(tcp_, proxies_, &counters_.of(metrics.handlers().proxies)),
      deflation_(deflate_options(settings, counters_.of(metrics.handlers().deflate))),
      guards_({.warn_ns = warn_ns(settings),
               .metrics = [this](std::string_view path) { return count_endpoint(path); }}),
      public_routes_(
          table_,
          session_options(settings, own_slot(), counters_.of(metrics.handlers().sessions),
                          settings.deflate ? &deflation_ : nullptr),
          &guards_),
      internal_routes_(
          table_,
          session_options(settings, own_slot(), counters_.of(metrics.handlers().sessions), nullptr),
          &guards_),
      public_http_(table_, public_routes_,
                   http_options(settings, counters_.of(metrics.handlers().http))),
      internal_http_(table_, internal_routes_,
                     http_options(settings, counters_.of(metrics.handlers().http))),
      refusal_(table_),
      listeners_(sockets.of_slot.size()),
      signals_(reactor_, [this](int signal) { on_signal(signal); }),
      ear_(*this),
      ear_number_(reactor_.add_sink(ear_)),
      tick_([this] { tick(); }),
      room_timer_([this] { try_again(); }),
      leave_timer_([this] { leave_step(); }) {
  table_.also_count(core::MemoryPurpose::tls, core::tls_memory::bytes);
  table_.also_count(core::MemoryPurpose::compression, [this] { return deflation_.memory_bytes(); });
  const Mounts mounts{reactor_, table_,     public_routes_, internal_routes_, settings,
                      status_,  birth.slot, counters_,      metrics_};
  for (const auto& module : registry.modules()) module->mount(mounts);
}

Worker::~Worker() {
  for (core::PreciseTimer* timer : {&tick_, &room_timer_, &leave_timer_})
    reactor_.precise().cancel(*timer);
  // The table outlives the endpoints, and would close what is open with nobody there to be told.
  table_.for_each([this](core::Connection& connection) { table_.abort(connection); });
  for (const auto& module : registry_.modules()) module->unmount();
}

int Worker::run() {
  int error = start();
  if (error == 0) error = reactor_.run();
  if (error != 0)
    core::log::error("worker cannot go on: {reason}", {{"reason", std::strerror(-error)}});
  core::log::flush(100);
  return error == 0 ? 0 : 1;
}

int Worker::start() {
  const std::string name = "worker " + std::to_string(birth_.slot);
  core::set_process_title("spate: " + name);
  core::log::set_process(name);
  drops_counted_ = core::log::dropped();
  if (!settings_.cpu_affinity.empty()) {
    const int cpu = settings_.cpu_affinity[birth_.slot % settings_.cpu_affinity.size()];
    if (const int error = core::sys::set_affinity(cpu); error < 0)
      core::log::warn("cannot run on CPU {cpu} (--cpu-affinity): {reason}",
                      {{"cpu", cpu}, {"reason", std::strerror(-error)}});
  }
  int error = reactor_.open();
  if (error == 0 && (!table_.open_ring() || !take_certificates())) error = -ENOMEM;
  // SIGINT from a terminal reaches the whole group; the master is the one to act on it.
  if (error == 0) error = signals_.watch({SIGTERM});
  if (error == 0)
    error = reactor_.add(slots_.wake_fd(birth_.slot), EPOLLIN, {ear_number_, kOrders, 0});
  if (error == 0) error = reactor_.add(birth_.lifeline, EPOLLIN, {ear_number_, kLifeline, 0});
  if (error != 0) return error;
  reactor_.set_turn_word(own_slot().turns);
  if (settings_.handler_warn_ms != 0)
    reactor_.watch_turns(warn_ns(settings_), [this](const auto& turn) { on_slow_turn(turn); });
  reactor_.precise().arm(tick_, core::sys::monotonic_ns() + kTickNs);
  accepting_ = true;
  follow_orders();
  own_slot().state.store(WorkerState::ready);
  slots_.wake_master();
  return 0;
}

void Worker::tick() {
  for (const auto& listener : shared_listeners_) listener->look_again();
  core::log::tick();
  counters_.of(metrics_.core().processes, birth_.slot)
      .log_lines_dropped.add(core::log::dropped() - drops_counted_);
  drops_counted_ = core::log::dropped();
  reactor_.precise().arm(tick_, core::sys::monotonic_ns() + kTickNs);
}

// A place in shared memory, by the order in which endpoints are mounted: the same in every worker.
EndpointMetrics* Worker::count_endpoint(std::string_view path) {
  constexpr std::uint32_t kLast = kEndpointPlaces - 1;
  const std::uint32_t place = std::min(endpoints_++, kLast);
  if (place < kLast)
    metrics_.name_endpoint(place, path);
  else if (endpoints_ == kEndpointPlaces)
    metrics_.name_endpoint(kLast, "other");
  return &counters_.of(metrics_.handlers().endpoints, place);
}

void Worker::on_slow_turn(const core::Reactor::SlowTurn& turn) {
  const core::Protocol* const served = turn.events == 1 ? table_.protocol_at(turn.event) : nullptr;
  Guard* only = public_routes_.guard_of(served);
  if (only == nullptr) only = internal_routes_.guard_of(served);
  guards_.on_slow_turn(turn.ns, only);
  public_routes_.time_next();
  internal_routes_.time_next();
}

// --- Accepting: at the own slot's sockets, at those of slots that are covered, and at the shared.

// `slot`: whose socket it is; null: everybody's.
std::unique_ptr<core::Listener> Worker::make_listener(const ListenSocket& socket,
                                                      core::Slot* slot) {
  core::Listener::Options options{.over_limits = socket.internal,
                                  .accepts = slot != nullptr ? &slot->accepts : nullptr,
                                  .shared = slot == nullptr,
                                  .tcp = !socket.unix_domain,
                                  .sndbuf = static_cast<int>(settings_.sndbuf),
                                  .rcvbuf = static_cast<int>(settings_.rcvbuf),
                                  .user_timeout_ms = kUserTimeoutMs,
                                  .metrics = &counters_.of(metrics_.core().listeners),
                                  .reserve = &reserve_};
  if (slots_.count() > 1 && !socket.internal) options.on_full = [this] { return step_aside(); };
  return std::make_unique<core::Listener>(reactor_, table_, transport_of(socket),
                                          socket.internal ? internal_http_ : public_http_, refusal_,
                                          socket.fd, options);
}

core::Transport& Worker::transport_of(const ListenSocket& socket) {
  if (socket.tls) return socket.proxy ? *proxied_tls_ : *tls_;
  return socket.proxy ? static_cast<core::Transport&>(proxy_) : tcp_;
}

// At the internal sockets too where a slot is full: who looks after it must get in.
void Worker::accept_at(Listeners& listeners, const std::vector<ListenSocket>& sockets,
                       core::Slot* slot, bool accept, bool accept_internal) {
  if ((accept || accept_internal) && listeners.empty())
    for (const ListenSocket& socket : sockets) listeners.push_back(make_listener(socket, slot));
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    if (!(sockets[i].internal ? accept_internal : accept))
      listeners[i]->stop();
    else if (const int error = listeners[i]->start(); error < 0)
      core::log::error("cannot poll a listener: {reason}", {{"reason", std::strerror(-error)}});
  }
}

void Worker::follow_orders() {
  const bool full = own_slot().full.load();
  const bool has_room = !full || own_slot().refuse.load();
  for (std::uint32_t slot = 0; slot < slots_.count(); ++slot) {
    const bool own = slot == birth_.slot;
    const bool ours = accepting_ && (own || slots_[slot].covered_by.load() == birth_.slot);
    accept_at(listeners_[slot], sockets_.of_slot[slot], &slots_[slot],
              ours && (own ? has_room : !full), ours && (own || !full));
  }
  accept_at(shared_listeners_, sockets_.shared, nullptr, accepting_ && has_room, accepting_);
  // A neighbour that was woken for what waits there may have died, or be full.
  for (const auto& listener : shared_listeners_) listener->look_again();
}

// The newest that the master has found good; connections under way keep theirs.
bool Worker::take_certificates() {
  if (certificates_taken_ == certificates_.number()) return true;
  const core::TlsCredentials credentials = unpack(certificates_.read(certificates_taken_));
  auto context = core::TlsContext::create(credentials);
  if (!context) return false;
  const std::shared_ptr<const core::TlsContext> shown = std::move(*context);
  const auto show = [&](std::optional<core::TlsTransport>& tls, core::Transport& below) {
    if (tls) return tls->set_context(shown);
    tls.emplace(reactor_, below, shown,
                core::TlsTransport::Options{.metrics = &counters_.of(metrics_.core().tls)});
  };
  show(tls_, tcp_);
  if (std::ranges::any_of(settings_.listen_endpoints(), &core::Endpoint::proxy))
    show(proxied_tls_, proxy_);
  return true;
}

// No place for another connection. While a neighbour may have one they wait in the queue for it;
// when the master finds that everybody is full, they are refused here.
bool Worker::step_aside() {
  if (own_slot().refuse.load()) return false;
  if (!own_slot().full.exchange(true)) {
    full_at_ = table_.count();
    core::log::limited(core::log::Level::warn, "full",
                       "full at {connections} connections: neighbours accept (--max-connections, "
                       "descriptor limit, --max-memory)",
                       {{"connections", full_at_}});
    slots_.wake_master();
    reactor_.precise().arm(room_timer_, core::sys::monotonic_ns() + kRoomCheckNs);
  }
  follow_orders();
  return true;
}

void Worker::try_again() {
  if (!own_slot().full.load()) return;
  if (table_.count() >= full_at_ || table_.full() || table_.over_memory()) {
    reactor_.precise().arm(room_timer_, core::sys::monotonic_ns() + kRoomCheckNs);
    return;
  }
  own_slot().full.store(false);
  slots_.wake_master();
  follow_orders();
}

// --- Leaving.

void Worker::Ear::on_event(std::uint32_t index, std::uint32_t, std::uint32_t) {
  if (index == kLifeline) return worker_.on_master_gone();
  core::Slots::take_wake(worker_.slots_.wake_fd(worker_.birth_.slot));
  if (!worker_.take_certificates()) core::log::error("no memory for new certificates: they stay");
  worker_.follow_orders();
}

void Worker::on_signal(int) {
  if (leaving_) return reactor_.stop();
  // A worker that is told alone has neighbours that accept at once; all of them go on for the
  // delay, so that load balancers see "not ready" first.
  const bool alone = slots_.leaving() == false;
  begin_leaving(alone ? 0 : std::int64_t{settings_.drain_delay_ms} * 1'000'000);
}

void Worker::on_master_gone() {
  (void)reactor_.remove(birth_.lifeline);
  core::PidFile::remove_if_of(settings_.pid_file, birth_.master_pid);
  for (const core::SocketFile& file : sockets_.files) file.remove();
  if (leaving_) return;
  core::log::error("the master is gone: leaving");
  begin_leaving(0);
}

void Worker::begin_leaving(std::int64_t delay_ns) {
  leaving_ = true;
  status_.ready = false;
  const std::int64_t now = core::sys::monotonic_ns();
  leave_until_ns_ = now + delay_ns + std::int64_t{settings_.drain_seconds} * 1'000'000'000;
  if (delay_ns > 0)
    reactor_.precise().arm(leave_timer_, now + delay_ns);
  else
    leave_step();
}

void Worker::stop_accepting() {
  if (!accepting_) return;
  accepting_ = false;
  own_slot().state.store(WorkerState::leaving);
  follow_orders();
  slots_.wake_master();
}

// Asks a share of those left to go, so that they do not all come back to another server at once.
void Worker::leave_step() {
  stop_accepting();
  const std::int64_t now = core::sys::monotonic_ns();
  const std::int64_t left_ns = leave_until_ns_ - now;
  if (table_.count() == 0 || left_ns < -std::int64_t{settings_.close_timeout_ms} * 1'000'000)
    return reactor_.stop();
  std::uint32_t asked = 0, unasked = 0;
  table_.for_each([&](core::Connection& connection) { unasked += connection.leaving ? 0 : 1; });
  // The first is asked at once, of a few the others when their part of the time is over.
  leave_count_ = std::max(leave_count_, unasked);
  const double after = std::max<double>(static_cast<double>(left_ns - kLeaveStepNs), 0) /
                       std::max<double>(static_cast<double>(settings_.drain_seconds) * 1e9, 1);
  const auto stays = static_cast<std::uint32_t>(after * leave_count_);
  const std::uint32_t share = unasked > stays ? unasked - stays : 0;
  table_.for_each([&](core::Connection& connection) {
    if (connection.leaving || asked == share) return;
    ++asked;
    ask_to_leave(connection);
  });
  reactor_.precise().arm(leave_timer_, now + kLeaveStepNs);
}

void Worker::ask_to_leave(core::Connection& connection) {
  connection.leaving = true;
  table_.with(connection, [&] { connection.protocol->on_leave(connection); });
}

}  // namespace spate::handlers
