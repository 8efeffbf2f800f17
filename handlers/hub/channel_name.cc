#include "handlers/hub/channel_name.h"

#include <algorithm>

namespace spate::handlers::hub {

bool ChannelName::allows(std::string_view user) const {
  if (user.empty() || !user_limited) return false;
  for (std::size_t from = 0; from <= users.size();) {
    const std::size_t end = std::min(users.find(user_separator, from), users.size());
    if (users.substr(from, end - from) == user) return true;
    from = end + user_separator.size();
  }
  return false;
}

ChannelName split_name(std::string_view channel, const NameSyntax& syntax) {
  ChannelName name;
  name.user_separator = syntax.user_separator;
  name.rest = channel;
  name.is_private = channel.starts_with(syntax.private_prefix);
  if (name.is_private) name.rest.remove_prefix(syntax.private_prefix.size());
  if (const std::size_t at = name.rest.find(syntax.namespace_boundary); at != name.rest.npos) {
    name.in_namespace = true;
    name.space = name.rest.substr(0, at);
    name.rest.remove_prefix(at + syntax.namespace_boundary.size());
  }
  if (const std::size_t at = name.rest.rfind(syntax.user_boundary); at != name.rest.npos) {
    name.user_limited = true;
    name.users = name.rest.substr(at + syntax.user_boundary.size());
  }
  return name;
}

}  // namespace spate::handlers::hub
