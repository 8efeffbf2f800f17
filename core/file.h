// A small file as text: configuration, never data. Blocks; start-up and reload only.
#pragma once

#include <string>

#include "core/result.h"

namespace spate::core {

// The whole of `path` (also a pipe, to its end). The error is the system's word for it, or that
// there is more than `max_bytes`.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

}  // namespace spate::core
