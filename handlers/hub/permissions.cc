// The decisions in their order, the first that matches made it. A denial names the narrowest option
// that would have allowed: what an operator wants to know, and then decides.
#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {
namespace {

using Rule = Permission::Rule;

constexpr Permission kInsecure{true, Rule::insecure, {}};

// An option with its name.
struct Flag {
  bool on;
  std::string_view name;
};

// For the anonymous the second option must be on as well.
Permission granted(const Flag& flag, const Flag& for_anonymous, std::string_view user) {
  if (!flag.on) return {false, Rule::option_off, flag.name};
  if (user.empty() && !for_anonymous.on) return {false, Rule::option_off, for_anonymous.name};
  return {true, Rule::option_on, flag.name};
}

Permission decide(const ChannelRules& rules, const Asker& asker, const Flag& for_client,
                  const Flag& for_subscriber, const Flag& for_anonymous) {
  const Permission client = granted(for_client, for_anonymous, asker.user);
  if (client.allowed) return client;
  const Permission subscriber = granted(for_subscriber, for_anonymous, asker.user);
  if (subscriber.allowed && asker.subscribed) return subscriber;
  if (rules.insecure()) return kInsecure;
  if (subscriber.allowed) return {false, Rule::not_subscribed, for_client.name};
  // Both name for_anonymous when one of the others is on.
  return asker.subscribed && !for_client.on ? subscriber : client;
}

}  // namespace

std::string Permission::why(const ChannelOptions& options) const {
  const std::string where =
      options.name.empty() ? " in channels without a namespace" : " in namespace " + options.name;
  const std::string name(option);
  switch (rule) {
    case Rule::option_on:
      return name + " is on" + where;
    case Rule::option_off:
      return name + " is off" + where;
    case Rule::not_subscribed:
      return "the client is not subscribed, and " + name + " is off" + where;
    case Rule::needs_token:
      return "a private channel needs a subscription token";
    case Rule::listed:
      return "the channel's name lists the user";
    case Rule::not_listed:
      return "the channel's name does not list the user";
    case Rule::insecure:
      return "the server runs insecure: everything is allowed";
  }
  return {};
}

Permission may_subscribe(const ChannelRules& rules, const ChannelOptions& options,
                         const ChannelName& name, std::string_view user) {
  if (name.is_private) return {false, Rule::needs_token, {}};
  if (options.allow_user_limited_channels && name.user_limited) {
    if (name.allows(user)) return {true, Rule::listed, {}};
    return rules.insecure() ? kInsecure : Permission{false, Rule::not_listed, {}};
  }
  const Permission client =
      granted({options.allow_subscribe_for_client, "allow_subscribe_for_client"},
              {options.allow_subscribe_for_anonymous, "allow_subscribe_for_anonymous"}, user);
  return !client.allowed && rules.insecure() ? kInsecure : client;
}

Permission may_publish(const ChannelRules& rules, const ChannelOptions& options,
                       const Asker& asker) {
  return decide(rules, asker, {options.allow_publish_for_client, "allow_publish_for_client"},
                {options.allow_publish_for_subscriber, "allow_publish_for_subscriber"},
                {options.allow_publish_for_anonymous, "allow_publish_for_anonymous"});
}

Permission may_read_history(const ChannelRules& rules, const ChannelOptions& options,
                            const Asker& asker) {
  return decide(rules, asker, {options.allow_history_for_client, "allow_history_for_client"},
                {options.allow_history_for_subscriber, "allow_history_for_subscriber"},
                {options.allow_history_for_anonymous, "allow_history_for_anonymous"});
}

Permission may_see_presence(const ChannelRules& rules, const ChannelOptions& options,
                            const Asker& asker) {
  return decide(rules, asker, {options.allow_presence_for_client, "allow_presence_for_client"},
                {options.allow_presence_for_subscriber, "allow_presence_for_subscriber"},
                {options.allow_presence_for_anonymous, "allow_presence_for_anonymous"});
}

}  // namespace spate::handlers::hub
