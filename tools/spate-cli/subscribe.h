// `spate-cli sub`: subscribes to channels and prints what comes, through drops of the connection.
#pragma once

#include "tools/spate-cli/options.h"

namespace spate::cli {

// Until --count publications, SIGINT or SIGTERM (kDone), or a refusal that another attempt would
// meet too (kFailed). A server that cannot be reached at the start is such; later it is waited for.
int subscribe(const Options& options);

}  // namespace spate::cli
