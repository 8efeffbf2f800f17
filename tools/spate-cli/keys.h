// Where keys come from: flags, the server's configuration file, the environment.
#pragma once

#include <string>

#include "core/result.h"
#include "handlers/client/token.h"
#include "tools/spate-cli/options.h"

namespace spate::cli {

// In this order: what flags say, what the configuration file says, SPATE_TOKEN_HMAC_SECRET. The
// first that has any key counts whole; none at all is no error. The error names flag or key.
core::Result<handlers::client::TokenSettings> server_keys(const KeyOptions& options);

// The server API's key in a configuration file.
core::Result<std::string> api_key_of(const std::string& config);

}  // namespace spate::cli
