// spate-bench: drives any WebSocket server and says what it is worth.
// Exit status: 0 all well, 1 there were errors or nothing could be measured, 2 a wrong flag.
#include <csignal>
#include <cstdio>

#include "tools/spate-bench/conductor.h"
#include "tools/spate-bench/options.h"
#include "tools/spate-bench/result.h"

int main(int argc, char** argv) {
  using namespace spate::bench;
  signal(SIGPIPE, SIG_IGN);
  Options options;
  if (const int status = parse_options(argc, argv, options); status >= 0) return status;
  const std::unique_ptr<Result> result = conduct(options);
  if (!result) return 1;
  if (!options.quiet) print_table(options, *result);
  struct Report {
    const std::string& path;
    bool (*write)(const Options&, const Result&);
  };
  bool written = true;
  for (const auto& [path, write] :
       {Report{options.json, write_json}, {options.hgrm, write_hgrm}, {options.svg, write_svg}}) {
    if (path.empty() || write(options, *result)) continue;
    std::perror(path.c_str());
    written = false;
  }
  return written && result->error_count() == 0 ? 0 : 1;
}
