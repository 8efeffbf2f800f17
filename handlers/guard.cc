#include "handlers/guard.h"

#include <exception>
#include <utility>

#include "core/log.h"

namespace spate::handlers {

namespace log = core::log;

Guard::Guard(Guards& guards, std::string_view path, EndpointMetrics* metrics)
    : guards_(guards), path_(path), threw_key_("threw " + path_), metrics_(metrics) {}

[[gnu::cold]] void Guard::threw() noexcept {
  metrics_->exceptions.add();
  const auto say = [this](std::string_view what) {
    log::limited(log::Level::error, threw_key_, "endpoint {endpoint} threw: {what}",
                 {{"endpoint", path_}, {"what", what}});
  };
  try {
    throw;
  } catch (const std::exception& error) {
    say(error.what());
  } catch (...) {
    say("something that is no std::exception");
  }
}

void Guard::took(std::int64_t ns) {
  if (ns <= guards_.options_.warn_ns) [[likely]]
    return;
  guards_.named_ns_ += ns;
  metrics_->overruns.add();
  log::limited(log::Level::warn, path_,
               "endpoint {endpoint} took {ms} ms for one call, and its worker served nobody else "
               "meanwhile (--handler-warn-ms)",
               {{"endpoint", path_}, {"ms", ns / 1'000'000}});
}

bool Guard::watches(std::int64_t now_ns) const {
  return now_ns < guards_.watch_until_ns_;
}

Guard& Guards::of(std::string_view path) {
  const auto known = guards_.find(path);
  if (known != guards_.end()) return known->second;
  EndpointMetrics* const metrics = options_.metrics ? options_.metrics(path) : nullptr;
  return guards_.try_emplace(std::string(path), *this, path, metrics).first->second;
}

void Guards::on_slow_turn(std::int64_t ns, Guard* only) {
  if (only != nullptr) only->took(ns - named_ns_);
  named_ns_ = 0;
  watch_until_ns_ = core::sys::monotonic_ns() + kWatchNs;
}

}  // namespace spate::handlers
