// What stands around an endpoint's own code, so that its mistakes stay its own: an exception ends
// here and costs its connection, never the worker; and what takes longer than --handler-warn-ms is
// named, for a worker serves nobody else meanwhile.
//
// Every call is timed but on_message's: two readings of the clock cost as much as a small message.
// Of messages one in Session::kTimedEvery is timed, and every one for kWatchNs after the loop took
// too long for a batch. Where it took too long for a single event, that event's endpoint is known
// without a clock.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "core/sys.h"
#include "handlers/handler_metrics.h"

namespace spate::handlers {

class Guards;

// Of one endpoint in one worker.
class Guard {
 public:
  Guard(Guards& guards, std::string_view path, EndpointMetrics* metrics);

  // Calls `call`, timed. False when it threw.
  template <typename Call>
  [[nodiscard]] bool run(Call&& call) {
    const std::int64_t begun = core::sys::monotonic_ns();
    bool returned = false;
    try {
      call();
      returned = true;
    } catch (...) {
      threw();
    }
    took(core::sys::monotonic_ns() - begun);
    return returned;
  }

  // For a call that is not run here. In its catch block: counts and logs what was thrown.
  void threw() noexcept;
  // How long it took.
  void took(std::int64_t ns);
  // Whether each message is to be timed.
  bool watches(std::int64_t now_ns) const;

  const EndpointMetrics& metrics() const { return *metrics_; }

 private:
  Guards& guards_;
  const std::string path_;
  const std::string threw_key_;  // of the log's rate limit
  const core::MetricsOf<EndpointMetrics> metrics_;
};

// Of all endpoints of one worker.
class Guards {
 public:
  static constexpr std::int64_t kWatchNs = 10'000'000'000;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  struct Options {
    std::int64_t warn_ns = kNever;
    // Where an endpoint counts; no function, or null: on its own.
    std::function<EndpointMetrics*(std::string_view path)> metrics{};
  };

  explicit Guards(Options options) : options_(std::move(options)) {}
  Guards(const Guards&) = delete;
  Guards& operator=(const Guards&) = delete;

  // The same one for the same path.
  Guard& of(std::string_view path);

  // The loop took `ns`, more than warn_ns, for one batch. `only` is the endpoint that all of it
  // went to; null when there were several, or none. Every message is to be timed for a while: see
  // Routes::time_next().
  void on_slow_turn(std::int64_t ns, Guard* only);

 private:
  friend class Guard;

  const Options options_;
  std::map<std::string, Guard, std::less<>> guards_;
  std::int64_t named_ns_ = 0;  // of overruns in this turn
  std::int64_t watch_until_ns_ = 0;
};

}  // namespace spate::handlers
