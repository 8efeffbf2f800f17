// Globs over the names of channels, for the server API's `channels`.
//
//   *  any run of characters, also none, of ':' and '/' too     [a-z]  one byte of a set
//   ?  one character (UTF-8)                                    [!a-z]  one that is not of it
//   \x x itself
//
// A set that nothing closes is a bracket like any other character. No allocation; costs at most
// pattern × name, whatever the number of stars: fnmatch() takes a power of it.
#pragma once

#include <cstddef>
#include <string_view>

namespace spate::handlers {

// Longer ones are refused: each is held against every channel that there is.
inline constexpr std::size_t kMaxPatternBytes = 512;

[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace spate::handlers
