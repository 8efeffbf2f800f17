#include "codec/origin.h"

#include "codec/http_syntax.h"

namespace spate::codec {
namespace {

struct Authority {
  std::string_view host;
  std::string_view port;
};

// The last ':' behind a bracketed address begins the port. Leading zeros do not make another port.
Authority split_authority(std::string_view authority, std::string_view default_port) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (!has_port) return {authority, default_port};
  std::string_view port = authority.substr(colon + 1);
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  return {authority.substr(0, colon), port.empty() ? default_port : port};
}

}  // namespace

bool is_same_origin(std::string_view origin, std::string_view host) {
  const std::size_t mark = origin.find("://");
  if (mark == std::string_view::npos) return false;
  const std::string_view scheme = origin.substr(0, mark);
  const bool secure = equals_ignoring_case(scheme, "https");
  if (!secure && !equals_ignoring_case(scheme, "http")) return false;
  const std::string_view default_port = secure ? "443" : "80";
  const Authority theirs = split_authority(origin.substr(mark + 3), default_port);
  const Authority ours = split_authority(host, default_port);
  return !ours.host.empty() && theirs.port == ours.port &&
         equals_ignoring_case(theirs.host, ours.host);
}

// After a star only the latest star need ever be tried again: if the text before it could be
// matched in any other way, that way would leave no more text to the latest star than this one
// does.
bool glob_match(std::string_view pattern, std::string_view text) {
  constexpr std::size_t kNoStar = std::string_view::npos;
  std::size_t p = 0;
  std::size_t star = kNoStar;
  std::size_t resume = 0;  // where in the text the run of the latest star ends
  for (std::size_t t = 0; t < text.size();) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && ascii_lower(pattern[p]) == ascii_lower(text[t])) {
      ++p;
      ++t;
    } else if (star != kNoStar) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_origin_allowed(std::string_view origin, std::string_view host,
                       std::span<const std::string_view> patterns) {
  if (patterns.empty()) return is_same_origin(origin, host);
  for (const std::string_view pattern : patterns) {
    if (glob_match(pattern, origin)) return true;
  }
  return false;
}

}  // namespace spate::codec
