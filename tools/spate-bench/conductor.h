// The parent of the load processes: starts them, tells them when to do what, samples them and the
// server, and adds up what they saw. It sends no traffic itself.
#pragma once

#include <memory>

#include "tools/spate-bench/options.h"
#include "tools/spate-bench/result.h"

namespace spate::bench {

// Nothing when no connection could be made or a load process died; it has then said why.
std::unique_ptr<Result> conduct(const Options& options);

}  // namespace spate::bench
