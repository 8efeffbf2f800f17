// The server's HTTP API, one call at a time (libcurl).
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "tools/spate-cli/options.h"

namespace spate::cli {

// POST {url}/api/{method}. What is under "result" in the answer, as JSON on one line. The error is
// a line for people: what could not be reached, or the server's own code and message.
core::Result<std::string> call_api(const ApiOptions& api, std::string_view method,
                                   const std::string& body);

// pub, presence, history, info, channels or disconnect: calls, prints, and returns the exit status.
int run_api_command(const Options& options);

}  // namespace spate::cli
