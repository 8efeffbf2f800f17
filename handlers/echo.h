// Sends every message back as it came. Served at --echo PATH.
#pragma once

#include <memory>

#include "handlers/registry.h"

namespace spate::handlers {

std::unique_ptr<Module> echo_module();

}  // namespace spate::handlers
