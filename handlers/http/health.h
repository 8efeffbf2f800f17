// For load balancers and supervisors, on every listener:
//   /health/live   200 while the process can work at all
//   /health/ready  200 while new clients are welcome, 503 while it drains
//   /health        the same as /health/ready
#pragma once

#include <memory>

#include "handlers/registry.h"

namespace spate::handlers {

std::unique_ptr<Module> health_module();

}  // namespace spate::handlers
