// Who may do what: every combination of the flags, of users and of names, against the rules as
// sentences say them; and that a denial names what would have allowed.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "handlers/hub/channel_option_table.h"
#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {
namespace {

ChannelRules with_insecure(bool insecure) {
  ChannelRules rules;
  rules.set_insecure(insecure);
  return rules;
}

// An option of a denial's words set as they suggest: "X is off in …".
void follow(const Permission& denied, ChannelOptions& options) {
  for (const ChannelOption& option : channel_option_table())
    if (option.name == denied.option)
      options.*std::get<bool ChannelOptions::*>(option.field) = true;
}

// Whoever is refused may do it once the option that the denial names is on, or the next one.
void expect_remedies(ChannelOptions options, const std::function<Permission()>& ask,
                     ChannelOptions& asked) {
  Permission permission = ask();
  for (int step = 0; step < 2 && !permission.allowed; ++step) {
    ASSERT_FALSE(permission.option.empty());
    follow(permission, options);
    asked = options;
    permission = ask();
  }
  EXPECT_TRUE(permission.allowed) << permission.why(options);
}

// ---- publish, history, presence: one rule three times --------------------------------------

struct Operation {
  const char* name;
  Permission (*ask)(const ChannelRules&, const ChannelOptions&, const Asker&);
  bool ChannelOptions::*for_client;
  bool ChannelOptions::*for_subscriber;
  bool ChannelOptions::*for_anonymous;
};

constexpr Operation kOperations[] = {
    {"publish", may_publish, &ChannelOptions::allow_publish_for_client,
     &ChannelOptions::allow_publish_for_subscriber, &ChannelOptions::allow_publish_for_anonymous},
    {"history", may_read_history, &ChannelOptions::allow_history_for_client,
     &ChannelOptions::allow_history_for_subscriber, &ChannelOptions::allow_history_for_anonymous},
    {"presence", may_see_presence, &ChannelOptions::allow_presence_for_client,
     &ChannelOptions::allow_presence_for_subscriber,
     &ChannelOptions::allow_presence_for_anonymous}};

// Literally: for_client; else for_subscriber and subscribed; else insecure; else no. For the
// anonymous each of the first two needs for_anonymous as well.
bool oracle(bool for_client, bool for_subscriber, bool for_anonymous, bool insecure, bool anonymous,
            bool subscribed) {
  if (for_client && !anonymous) return true;
  if (for_client && anonymous && for_anonymous) return true;
  if (for_subscriber && subscribed && !anonymous) return true;
  if (for_subscriber && subscribed && anonymous && for_anonymous) return true;
  return insecure;
}

TEST(Permissions, EveryCombinationOfThreeFlagsInsecureAndAsker) {
  for (const Operation& operation : kOperations)
    for (unsigned bits = 0; bits < 64; ++bits) {
      const bool client = (bits & 1) != 0, subscriber = (bits & 2) != 0, anon = (bits & 4) != 0;
      const bool insecure = (bits & 8) != 0, anonymous = (bits & 16) != 0,
                 subscribed = (bits & 32) != 0;
      ChannelOptions options;
      options.*operation.for_client = client;
      options.*operation.for_subscriber = subscriber;
      options.*operation.for_anonymous = anon;
      const ChannelRules rules = with_insecure(insecure);
      const Asker asker{anonymous ? "" : "42", subscribed};
      const Permission permission = operation.ask(rules, options, asker);
      SCOPED_TRACE(std::string(operation.name) + " " + std::to_string(bits) + ": " +
                   permission.why(options));
      EXPECT_EQ(permission.allowed,
                oracle(client, subscriber, anon, insecure, anonymous, subscribed));
      // A permission for one operation is none for the others.
      for (const Operation& other : kOperations)
        if (&other != &operation) {
          EXPECT_EQ(other.ask(rules, options, asker).allowed, insecure) << other.name;
        }
      if (permission.allowed) continue;
      ChannelOptions asked = options;
      expect_remedies(
          options, [&] { return operation.ask(rules, asked, asker); }, asked);
    }
}

// ---- subscribe ------------------------------------------------------------------------------

// Literally: a private channel never; a user-limited one, where the namespace has them, for those
// listed, else in insecure mode; others by allow_subscribe_for_client, for the anonymous with
// _for_anonymous as well; else in insecure mode.
bool subscribe_oracle(bool is_private, bool limited, bool listed, bool option, bool for_client,
                      bool for_anonymous, bool insecure, bool anonymous) {
  if (is_private) return false;
  if (limited && option) return listed || insecure;
  if (for_client && (!anonymous || for_anonymous)) return true;
  return insecure;
}

TEST(Permissions, EveryCombinationForSubscribe) {
  struct Name {
    const char* channel;
    bool is_private;
    bool limited;
  };
  for (const Name& row :
       {Name{"room", false, false}, Name{"$room", true, false}, Name{"room#41,42", false, true},
        Name{"$room#42", true, true}, Name{"room#", false, true}, Name{"#42", false, true}})
    for (const char* user : {"", "42", "7"})
      for (unsigned bits = 0; bits < 16; ++bits) {
        ChannelOptions options;
        options.allow_subscribe_for_client = (bits & 1) != 0;
        options.allow_subscribe_for_anonymous = (bits & 2) != 0;
        options.allow_user_limited_channels = (bits & 4) != 0;
        const ChannelRules rules = with_insecure((bits & 8) != 0);
        const ChannelName name = rules.name_of(row.channel);
        const bool listed = std::string_view(user) == "42" &&
                            std::string_view(row.channel).find("42") != std::string_view::npos;
        const Permission permission = may_subscribe(rules, options, name, user);
        SCOPED_TRACE(std::string(row.channel) + " user '" + user + "' " + std::to_string(bits) +
                     ": " + permission.why(options));
        EXPECT_EQ(
            permission.allowed,
            subscribe_oracle(row.is_private, row.limited, listed, (bits & 4) != 0, (bits & 1) != 0,
                             (bits & 2) != 0, (bits & 8) != 0, *user == '\0'));
        if (permission.allowed || permission.rule == Permission::Rule::needs_token ||
            permission.rule == Permission::Rule::not_listed)
          continue;
        ChannelOptions asked = options;
        expect_remedies(
            options, [&] { return may_subscribe(rules, asked, name, user); }, asked);
      }
}

// ---- words ----------------------------------------------------------------------------------

TEST(Permissions, SayWhichRuleDecided) {
  ChannelRules rules;
  ChannelOptions none;
  ChannelOptions chat;
  chat.name = "chat";
  const auto publish = [&](Asker asker) { return may_publish(rules, chat, asker).why(chat); };

  EXPECT_EQ(may_subscribe(rules, none, rules.name_of("1"), "7").why(none),
            "allow_subscribe_for_client is off in channels without a namespace");
  EXPECT_EQ(may_subscribe(rules, none, rules.name_of("$1"), "7").why(none),
            "a private channel needs a subscription token");
  EXPECT_EQ(publish({"7", false}), "allow_publish_for_client is off in namespace chat");
  EXPECT_EQ(publish({"7", true}), "allow_publish_for_subscriber is off in namespace chat");
  chat.allow_publish_for_subscriber = true;
  EXPECT_EQ(publish({"7", false}),
            "the client is not subscribed, and allow_publish_for_client is off in namespace chat");
  EXPECT_EQ(publish({"7", true}), "allow_publish_for_subscriber is on in namespace chat");
  EXPECT_EQ(publish({"", true}), "allow_publish_for_anonymous is off in namespace chat");
  chat.allow_publish_for_client = true;
  EXPECT_EQ(publish({"", false}), "allow_publish_for_anonymous is off in namespace chat");
  EXPECT_EQ(publish({"7", true}), "allow_publish_for_client is on in namespace chat");

  chat.allow_user_limited_channels = true;
  EXPECT_EQ(may_subscribe(rules, chat, rules.name_of("chat:#7"), "7").why(chat),
            "the channel's name lists the user");
  EXPECT_EQ(may_subscribe(rules, chat, rules.name_of("chat:#7"), "8").why(chat),
            "the channel's name does not list the user");
  rules.set_insecure(true);
  EXPECT_EQ(may_subscribe(rules, chat, rules.name_of("chat:#7"), "8").why(chat),
            "the server runs insecure: everything is allowed");
}

}  // namespace
}  // namespace spate::handlers::hub
