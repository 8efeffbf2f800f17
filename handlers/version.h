// Which build this is.
#pragma once

#include <string>
#include <string_view>

namespace spate::handlers {

std::string_view version();  // "0.1.0"
std::string build();         // "g++ 12.2.0, Release"

}  // namespace spate::handlers
