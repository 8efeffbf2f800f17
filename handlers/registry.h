// The only list of endpoints. A module brings its settings and, in each worker, its endpoints; the
// server itself is a handful of them, and a program of one's own adds more:
//
//   Registry registry = server_modules();
//   registry.add(std::make_unique<Chat>());
//   return run(argc, argv, registry);
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/connection_table.h"
#include "core/metric_pages.h"
#include "core/metric_table.h"
#include "core/reactor.h"
#include "core/result.h"
#include "handlers/routes.h"
#include "handlers/setting_table.h"
#include "handlers/settings.h"

namespace spate::handlers {

// What endpoints may ask about the worker they are in.
struct WorkerStatus {
  bool ready = true;  // new clients are welcome
};

class ServerMetrics;

// Where a module puts its endpoints, and what they may use.
struct Mounts {
  core::Reactor& reactor;
  core::ConnectionTable& table;
  Routes& clients;    // on the public listeners
  Routes& operators;  // on the internal one
  const Settings& settings;
  const WorkerStatus& status;
  std::uint32_t slot;         // this worker's
  core::MetricView counters;  // this worker's: counters.of(group) is where the module counts
  const ServerMetrics& metrics;
};

// What a module may use in the process beside the workers.
struct CompanionMounts {
  core::Reactor& reactor;
  core::MetricView counters;
};

class Module {
 public:
  virtual ~Module() = default;
  // In the master, before the configuration is read. The variables bound here are the module's.
  virtual void add_settings(SettingTable&) {}
  // In the master, when the settings are known and before shared memory is made. The groups belong
  // to the module; it finds them again in mount().
  virtual void add_metrics(core::MetricTable&) {}
  // In the master, after that and before any fork: shared memory that outlives so many workers. The
  // error is for people.
  virtual core::Result<bool> prepare(std::uint32_t workers) {
    (void)workers;
    return true;
  }
  // What to print and leave, instead of serving: a question that the settings ask.
  virtual std::optional<std::string> instead() { return std::nullopt; }
  // Whether so many workers need a process beside them, which accepts nothing and outlives them
  // all.
  virtual bool wants_companion(std::uint32_t workers) const {
    (void)workers;
    return false;
  }
  // In the master: a process is about to begin in a worker's slot; the one in it has ended.
  virtual void on_worker_begin(std::uint32_t slot) { (void)slot; }
  virtual void on_worker_gone(std::uint32_t slot) { (void)slot; }
  // In each worker, after fork: the same endpoints in the same order. A worker in which it throws
  // ends.
  virtual void mount(const Mounts& mounts) = 0;
  // In each worker, when all its connections are closed and before its loop goes.
  virtual void unmount() {}
  // The same two in the companion, if it is one of those who wanted it.
  virtual void mount_companion(const CompanionMounts& mounts) { (void)mounts; }
  virtual void unmount_companion() {}
};

class Registry {
 public:
  void add(std::unique_ptr<Module> module) { modules_.push_back(std::move(module)); }
  const std::vector<std::unique_ptr<Module>>& modules() const { return modules_; }

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace spate::handlers
