// spate-cli: tokens, the server's HTTP API, and subscriptions, for people and scripts.
// Exit status: 0 done, 1 refused or not reached, 2 a wrong flag.
#include <csignal>

#include "tools/spate-cli/api.h"
#include "tools/spate-cli/inspect.h"
#include "tools/spate-cli/mint.h"
#include "tools/spate-cli/options.h"
#include "tools/spate-cli/subscribe.h"

int main(int argc, char** argv) {
  using namespace spate::cli;
  Options options;
  if (const int status = parse_options(argc, argv, options); status >= 0) return status;
  switch (options.subcommand) {
    case Subcommand::token:
      return mint(options);
    case Subcommand::inspect:
      return inspect(options);
    case Subcommand::subscribe:
      signal(SIGPIPE, SIG_IGN);
      return subscribe(options);
    default:
      return run_api_command(options);
  }
}
