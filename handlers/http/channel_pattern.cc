// After a star only the latest star need ever be tried again: if what stands before it could be
// matched in any other way, that way would leave no more of the name to the latest star than this
// one does. So two places are all the state there is.
#include "handlers/http/channel_pattern.h"

namespace spate::handlers {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// What the first element of a pattern, which is no star, takes; no bytes of the name: it does not
// match.
struct Taken {
  std::size_t pattern_bytes = 1;
  std::size_t name_bytes = 0;
};

std::size_t first_character(std::string_view name) {
  std::size_t bytes = 1;
  while (bytes < name.size() && (static_cast<unsigned char>(name[bytes]) & 0xC0) == 0x80) ++bytes;
  return bytes;
}

bool in_set(std::string_view set, char c) {
  const auto code = [](char of) { return static_cast<unsigned char>(of); };
  const bool negated = set.front() == '!' || set.front() == '^';
  if (negated) set.remove_prefix(1);
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found |= code(set[i]) <= code(c) && code(c) <= code(set[i + 2]);
      i += 2;
    } else {
      found |= set[i] == c;
    }
  }
  return found != negated;
}

// Where the set that a pattern begins with is closed. A bracket that comes first is of the set.
std::size_t set_end(std::string_view pattern) {
  const bool negated = pattern.size() > 1 && (pattern[1] == '!' || pattern[1] == '^');
  return pattern.find(']', negated ? 3 : 2);
}

Taken take(std::string_view pattern, std::string_view name) {
  if (pattern.front() == '?') return {1, first_character(name)};
  if (pattern.front() == '\\' && pattern.size() > 1)
    return {2, pattern[1] == name.front() ? 1u : 0u};
  if (pattern.front() == '[') {
    if (const std::size_t end = set_end(pattern); end != kNone)
      return {end + 1, in_set(pattern.substr(1, end - 1), name.front()) ? 1u : 0u};
  }
  return {1, pattern.front() == name.front() ? 1u : 0u};
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t star = kNone;
  std::size_t resume = 0;  // where in the name the run of the latest star ends
  for (std::size_t n = 0; n < name.size();) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
      continue;
    }
    const Taken taken = p < pattern.size() ? take(pattern.substr(p), name.substr(n)) : Taken{};
    if (taken.name_bytes > 0) {
      p += taken.pattern_bytes;
      n += taken.name_bytes;
    } else if (star != kNone) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace spate::handlers
