#include "handlers/app.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "core/log.h"
#include "core/process.h"
#include "core/snapshot.h"
#include "core/supervisor.h"
#include "core/sys.h"
#include "core/tls_memory.h"
#include "handlers/client/hub_module.h"
#include "handlers/companion.h"
#include "handlers/echo.h"
#include "handlers/http/health.h"
#include "handlers/http/metrics.h"
#include "handlers/server_metrics.h"
#include "handlers/server_sockets.h"
#include "handlers/settings.h"
#include "handlers/tls_files.h"
#include "handlers/worker.h"

extern char** environ;

namespace spate::handlers {

namespace log = core::log;

Registry server_modules() {
  Registry registry;
  registry.add(health_module());
  registry.add(metrics_module());
  registry.add(echo_module());
  registry.add(client::hub_module());
  return registry;
}

namespace {

int fail(std::string_view why) {
  log::error(why);
  log::flush(1000);
  return 1;
}

std::uint32_t worker_count(const Settings& settings) {
  return settings.workers == 0 ? core::sys::cpu_count()
                               : static_cast<std::uint32_t>(settings.workers);
}

bool any_companion(const Registry& registry, std::uint32_t workers) {
  return std::ranges::any_of(registry.modules(),
                             [&](const auto& module) { return module->wants_companion(workers); });
}

// What workers show TLS clients. The ticket keys stay when certificates change, so that sessions
// can be resumed.
class Certificates {
 public:
  explicit Certificates(const Settings& settings) : settings_(settings) {}

  // At the start; the error is for people.
  core::Result<bool> open() {
    if (const int error = snapshot_.create(); error < 0)
      return core::Failure{std::string("cannot create shared memory: ") + std::strerror(-error)};
    if (settings_.tls_cert.empty()) return true;
    if (!core::make_ticket_keys(ticket_keys_))
      return core::Failure{"no random bytes for the keys of TLS tickets"};
    return publish();
  }
  // On SIGHUP: all new, or all as it was.
  void reload(core::Slots& slots) {
    if (settings_.tls_cert.empty())
      return log::info("SIGHUP: nothing to reload without --tls-cert");
    if (const auto done = publish(); !done)
      return log::error("SIGHUP: the certificates stay as they are: {reason}",
                        {{"reason", done.error()}});
    for (std::uint32_t i = 0; i < slots.count(); ++i) slots.wake(i);
    log::info("SIGHUP: certificates were read again");
  }
  const core::Snapshot& snapshot() const { return snapshot_; }

 private:
  core::Result<bool> publish() {
    TlsFiles files = read_tls_files(settings_);
    if (files.complaint) return core::Failure{files.complaint->wrong};
    if (const auto good = core::TlsContext::create(files.credentials); !good)
      return core::Failure{good.error()};
    files.credentials.ticket_keys = ticket_keys_;
    if (!snapshot_.publish(pack(files.credentials)))
      return core::Failure{"certificates and keys of over 1 MiB together"};
    return true;
  }

  const Settings& settings_;
  core::TlsTicketKeys ticket_keys_{};
  core::Snapshot snapshot_;
};

// In a child. Modules may throw where they mount their endpoints; what endpoints throw later ends
// in their guards.
int work(const Settings& settings, const Registry& registry, core::Slots& slots,
         ServerMetrics& metrics, const ServerSockets& sockets, const core::Snapshot& certificates,
         const core::Birth& birth) {
  if (birth.slot >= slots.count()) return Companion(registry, slots, metrics, birth).run();
  std::optional<Worker> worker;
  try {
    worker.emplace(settings, registry, slots, metrics, sockets, certificates, birth);
  } catch (const std::exception& error) {
    log::set_process("worker " + std::to_string(birth.slot));
    return fail(std::string("an endpoint cannot be mounted: ") + error.what());
  }
  return worker->run();
}

int serve(const Settings& settings, const Registry& registry) {
  const std::uint32_t workers = worker_count(settings);
  Certificates certificates(settings);
  if (const auto opened = certificates.open(); !opened) return fail(opened.error());
  const auto sockets = open_sockets(settings, workers);
  if (!sockets) return fail(sockets.error());
  core::PidFile pid_file;
  if (!settings.pid_file.empty())
    if (const auto written = pid_file.write(settings.pid_file); !written)
      return fail("--pid-file: " + written.error());
  if (!settings.user.empty())
    if (const int error = core::sys::become_user(settings.user.c_str()); error < 0)
      return fail("cannot become " + settings.user +
                  " (--user): " + (error == -ENOENT ? "no such user" : std::strerror(-error)));
  core::Slots slots;
  int error = slots.create(workers, any_companion(registry, workers) ? 1 : 0);
  ServerMetrics metrics(registry, slots);
  if (error == 0) error = metrics.create();
  if (error < 0) return fail(std::string("cannot create shared memory: ") + std::strerror(-error));
  for (const auto& module : registry.modules())
    if (const auto prepared = module->prepare(workers); !prepared) return fail(prepared.error());

  constexpr std::int64_t kMs = 1'000'000;
  const std::int64_t leave_ms = std::int64_t{settings.drain_delay_ms} +
                                std::int64_t{settings.drain_seconds} * 1000 +
                                settings.close_timeout_ms + 2000;
  core::Supervisor supervisor({.stall_ns = settings.stall_ms * kMs,
                               .leave_ns = leave_ms * kMs,
                               .work =
                                   [&](const core::Birth& birth) {
                                     return work(settings, registry, slots, metrics, *sockets,
                                                 certificates.snapshot(), birth);
                                   },
                               .companion = "the " + std::string(kCompanionName),
                               .on_reload = [&] { certificates.reload(slots); },
                               .on_gone =
                                   [&](std::uint32_t slot) {
                                     metrics.on_worker_gone(slot);
                                     if (slot >= workers) return;
                                     for (const auto& module : registry.modules())
                                       module->on_worker_gone(slot);
                                   },
                               .on_begin =
                                   [&](std::uint32_t slot) {
                                     if (slot >= workers) return;
                                     for (const auto& module : registry.modules())
                                       module->on_worker_begin(slot);
                                   },
                               .slot_metrics = &metrics.instance().of(metrics.core().slots),
                               .process_metrics = &metrics.master_process()},
                              slots, sockets->descriptors_of_slots());
  const int code = supervisor.run();
  log::flush(1000);
  return code;
}

}  // namespace

int run(int argc, char** argv, const Registry& registry) {
  core::tls_memory::install();  // before anything uses OpenSSL
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  core::prepare_process_title(argc, argv);
  Settings settings;
  SettingTable table(spate_program());
  add_settings(table, settings);
  for (const auto& module : registry.modules()) module->add_settings(table);
  const Outcome outcome = table.parse(arguments, environ);
  if (!outcome.run()) return outcome.finish();
  for (const auto& module : registry.modules())
    if (const std::optional<std::string> text = module->instead()) {
      std::fputs(text->c_str(), stdout);
      return 0;
    }

  // One that comes while the server starts is a reload as soon as it has.
  core::sys::hold_signal(SIGHUP);
  log::init(settings.log_level, settings.log_format);
  log::set_process("master");
  for (const std::string& difference : table.differences()) log::info(difference);
  core::set_process_title("spate: master");
  return serve(settings, registry);
}

}  // namespace spate::handlers
