#include "handlers/version.h"

namespace spate::handlers {

std::string_view version() {
  return SPATE_VERSION;
}

std::string build() {
#if defined(__clang__)
  return "clang++ " __clang_version__ ", " SPATE_BUILD_TYPE;
#else
  return "g++ " __VERSION__ ", " SPATE_BUILD_TYPE;
#endif
}

}  // namespace spate::handlers
