// Tokens for people and scripts: `spate-cli token`, and what `spate-cli sub` connects with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"
#include "tools/spate-cli/options.h"
#include "tools/spate-cli/signer.h"

namespace spate::cli {

// The key to sign with: --private-key, or the secret of server_keys(). Nothing when neither is
// given.
core::Result<std::optional<Signer>> signer_of(const Options& options);

// The claims as JSON. `now`: Unix seconds. The error names the flag.
core::Result<std::string> claims_of(const TokenOptions& token, std::int64_t now);

// `spate-cli token`: prints one, and returns the exit status.
int mint(const Options& options);

}  // namespace spate::cli
