// A server program: settings from flags, environment and file, listeners, the loop.
#pragma once

#include "handlers/registry.h"

namespace spate::handlers {

// The modules of the server itself.
Registry server_modules();

// Runs a server with these modules; the process's exit code: 0 left as asked, 1 could not serve, 2
// bad configuration.
int run(int argc, char** argv, const Registry& registry);

}  // namespace spate::handlers
