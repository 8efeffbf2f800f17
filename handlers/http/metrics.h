// For Prometheus and its like, on the internal listener:
//   /metrics            all workers summed
//   /metrics?by=worker  one sample a worker, with a label worker="0", worker="1" …
// Whichever worker is asked answers for all of them, from shared memory.
#pragma once

#include <memory>

#include "handlers/registry.h"

namespace spate::handlers {

std::unique_ptr<Module> metrics_module();

}  // namespace spate::handlers
