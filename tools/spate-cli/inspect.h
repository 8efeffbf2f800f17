// `spate-cli token inspect`.
#pragma once

#include "tools/spate-cli/options.h"

namespace spate::cli {

// Prints header, claims and verdict. kFailed when it is no token or, with keys, one that the server
// would refuse.
int inspect(const Options& options);

}  // namespace spate::cli
