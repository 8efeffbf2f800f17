#include <algorithm>
#include <iterator>

#include "core/printable.h"
#include "handlers/hub/channel_option_table.h"

namespace spate::handlers::hub {
namespace {

constexpr std::size_t kMaxShownBytes = 256;
constexpr std::size_t kColumn = 32;

std::string shown(std::string_view text) {
  return core::printable(text, kMaxShownBytes);
}

void line(std::string& out, std::string left, std::string_view right) {
  left.resize(std::max(left.size() + 1, kColumn), ' ');
  out += "  " + left + std::string(right) + "\n";
}

std::string of_whom(const ChannelName& name, const ChannelOptions& options) {
  if (!name.user_limited) return "no";
  if (!options.allow_user_limited_channels)
    return "no: the mark in its name means nothing while allow_user_limited_channels is off";
  return name.users.empty() ? "yes, for nobody" : "yes, for " + shown(name.users);
}

void add_name(std::string& out, const ChannelRules& rules, const ChannelName& name,
              const ChannelOptions& options, std::string_view channel) {
  line(out, "namespace", name.in_namespace ? shown(name.space) : "none (without_namespace)");
  line(out, "private", name.is_private ? "yes: not had without a subscription token" : "no");
  line(out, "user-limited", of_whom(name, options));
  if (channel.size() > rules.max_length())
    line(out, "refused", "longer than max_length, " + std::to_string(rules.max_length()));
  if (ChannelRules::well_formed(options, name)) return;
  line(out, "refused",
       options.channel_regex.empty()
           ? "not ASCII; only a channel_regex allows more"
           : "\"" + shown(name.rest) + "\" has no match of channel_regex " +
                 shown(json_string(options.channel_regex)));
}

void add_options(std::string& out, const ChannelOptions& options) {
  const ChannelOptions defaults;
  for (const ChannelOption& option : channel_option_table()) {
    const std::string value = value_of(options, option);
    const bool is_default = value == value_of(defaults, option);
    line(out, std::string(option.name), shown(value) + (is_default ? "  (default)" : ""));
  }
}

void add_permission(std::string& out, std::string_view who, const Permission& permission,
                    const ChannelOptions& options) {
  line(out, std::string(who), (permission.allowed ? "yes: " : "no: ") + permission.why(options));
}

using Asked = Permission (*)(const ChannelRules&, const ChannelOptions&, const Asker&);

// The four kinds of askers. No list of users holds the separator, so it stands for a user who is
// on none.
void add_permissions(std::string& out, const ChannelRules& rules, const ChannelOptions& options,
                     Asked asked) {
  const std::string_view user = rules.syntax().user_separator;
  add_permission(out, "a signed-in user", asked(rules, options, {user, false}), options);
  add_permission(out, "the same, subscribed", asked(rules, options, {user, true}), options);
  add_permission(out, "an anonymous user", asked(rules, options, {"", false}), options);
  add_permission(out, "the same, subscribed", asked(rules, options, {"", true}), options);
}

void add_subscribe(std::string& out, const ChannelRules& rules, const ChannelOptions& options,
                   const ChannelName& name) {
  const bool limited = options.allow_user_limited_channels && name.user_limited;
  const std::string_view first = name.users.substr(0, name.users.find(name.user_separator));
  const auto add = [&](std::string_view who, std::string_view user) {
    add_permission(out, who, may_subscribe(rules, options, name, user), options);
  };
  if (limited && !first.empty()) add("user " + shown(first), first);
  add(limited ? "another signed-in user" : "a signed-in user", name.user_separator);
  add("an anonymous user", "");
}

}  // namespace

std::string explain(const ChannelRules& rules, std::string_view channel) {
  const ChannelName name = rules.name_of(channel);
  std::string out = "channel " + shown(channel) + "\n";
  const ChannelOptions* options = rules.options_of(name);
  if (channel.empty() || options == nullptr) {
    line(out, "refused",
         channel.empty() ? "a channel has a name"
                         : "there is no namespace \"" + shown(name.space) + "\"; define it");
    return out;
  }
  add_name(out, rules, name, *options, channel);
  out += "\nsubscribe without a token\n";
  add_subscribe(out, rules, *options, name);
  out += "\npublish\n";
  add_permissions(out, rules, *options, may_publish);
  out += "\nhistory\n";
  if (options->history.on()) {
    add_permissions(out, rules, *options, may_read_history);
  } else {
    line(out, "everybody", "no: history is off; set history_size and history_ttl");
  }
  out += "\npresence\n";
  if (options->presence) {
    add_permissions(out, rules, *options, may_see_presence);
  } else {
    line(out, "everybody", "no: presence is off");
  }
  out += "\noptions\n";
  add_options(out, *options);
  return out;
}

}  // namespace spate::handlers::hub
