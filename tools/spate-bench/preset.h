// The frames of protocols that spate-bench knows by name.
#pragma once

#include "tools/spate-bench/options.h"

namespace spate::bench {

// Fills in what the user has not said about how a fan-out is spoken.
void speak(Options& options);

}  // namespace spate::bench
