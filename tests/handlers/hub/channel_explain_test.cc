// What --explain prints, whole for one channel, then the lines that differ.
#include <gtest/gtest.h>

#include <string>

#include "handlers/hub/channel_option_table.h"
#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {
namespace {

constexpr std::string_view kJson = R"({
  "without_namespace": {"allow_user_limited_channels": true},
  "namespaces": [
    {"name": "chat", "presence": true, "history_size": 100, "history_ttl": "300s",
     "force_recovery": true, "allow_subscribe_for_client": true,
     "allow_publish_for_subscriber": true, "allow_history_for_client": true,
     "allow_history_for_anonymous": true, "channel_regex": "^[a-z#0-9]+$"},
    {"name": "open", "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true}]})";

std::string explained(std::string_view channel) {
  const auto rules = ChannelRules::parse(kJson);
  EXPECT_TRUE(rules) << (rules ? "" : rules.error());
  return rules ? explain(rules.value(), channel) : "";
}

TEST(ChannelExplain, SaysAllThereIs) {
  EXPECT_EQ(explained("chat:room"),
            R"(channel chat:room
  namespace                       chat
  private                         no
  user-limited                    no

subscribe without a token
  a signed-in user                yes: allow_subscribe_for_client is on in namespace chat
  an anonymous user               no: allow_subscribe_for_anonymous is off in namespace chat

publish
  a signed-in user                no: the client is not subscribed, and allow_publish_for_client is off in namespace chat
  the same, subscribed            yes: allow_publish_for_subscriber is on in namespace chat
  an anonymous user               no: allow_publish_for_client is off in namespace chat
  the same, subscribed            no: allow_publish_for_anonymous is off in namespace chat

history
  a signed-in user                yes: allow_history_for_client is on in namespace chat
  the same, subscribed            yes: allow_history_for_client is on in namespace chat
  an anonymous user               yes: allow_history_for_client is on in namespace chat
  the same, subscribed            yes: allow_history_for_client is on in namespace chat

presence
  a signed-in user                no: allow_presence_for_client is off in namespace chat
  the same, subscribed            no: allow_presence_for_subscriber is off in namespace chat
  an anonymous user               no: allow_presence_for_client is off in namespace chat
  the same, subscribed            no: allow_presence_for_subscriber is off in namespace chat

options
  presence                        true
  join_leave                      false  (default)
  force_push_join_leave           false  (default)
  history_size                    100
  history_ttl                     "5m"
  history_meta_ttl                "720h"  (default)
  force_positioning               false  (default)
  allow_positioning               false  (default)
  force_recovery                  true
  allow_recovery                  false  (default)
  force_recovery_mode             "stream"  (default)
  auto_cache_recover              false  (default)
  allow_subscribe_for_client      true
  allow_subscribe_for_anonymous   false  (default)
  allow_publish_for_client        false  (default)
  allow_publish_for_subscriber    true
  allow_publish_for_anonymous     false  (default)
  allow_history_for_client        true
  allow_history_for_subscriber    false  (default)
  allow_history_for_anonymous     true
  allow_presence_for_client       false  (default)
  allow_presence_for_subscriber   false  (default)
  allow_presence_for_anonymous    false  (default)
  allow_user_limited_channels     false  (default)
  channel_regex                   "^[a-z#0-9]+$"
  publication_data_format         ""  (default)
  exclude_publisher               false  (default)
  slow_policy                     "disconnect"  (default)
)");
}

TEST(ChannelExplain, TheLinesThatDependOnTheName) {
  struct Row {
    const char* channel;
    const char* line;
  };
  const Row rows[] = {
      {"room", "namespace                       none (without_namespace)"},
      {"$chat:room", "private                         yes: not had without a subscription token"},
      {"$chat:room",
       "a signed-in user                no: a private channel needs a subscription token"},
      {"#42,43", "user-limited                    yes, for 42,43"},
      {"#42,43", "user 42                         yes: the channel's name lists the user"},
      {"#42,43", "another signed-in user          no: the channel's name does not list the user"},
      {"#42,43", "an anonymous user               no: the channel's name does not list the user"},
      {"room#", "user-limited                    yes, for nobody"},
      {"chat:room#42",
       "user-limited                    no: the mark in its name means nothing while "
       "allow_user_limited_channels is off"},
      {"open:1",
       "an anonymous user               yes: allow_subscribe_for_client is on in namespace open"},
      {"open:1",
       "everybody                       no: history is off; set history_size and history_ttl"},
      {"open:1", "everybody                       no: presence is off"},
      {"chat:ROOM",
       "refused                         \"ROOM\" has no match of channel_regex \"^[a-z#0-9]+$\""},
      {"open:gr\xC3\xBC",
       "refused                         not ASCII; only a channel_regex allows more"},
      {"else:1", "refused                         there is no namespace \"else\"; define it"},
      {":1", "refused                         there is no namespace \"\"; define it"},
      {"", "refused                         a channel has a name"},
      {"a\nb", "namespace                       none (without_namespace)"},
  };
  for (const Row& row : rows)
    EXPECT_NE(explained(row.channel).find("\n  " + std::string(row.line) + "\n"), std::string::npos)
        << row.channel << ": " << row.line << "\n"
        << explained(row.channel);
  EXPECT_TRUE(explained("a\nb").starts_with("channel a\\nb\n"));
  EXPECT_NE(explained(std::string(256, 'a'))
                .find("\n  refused                         longer than max_length, 255\n"),
            std::string::npos);
  EXPECT_EQ(explained(std::string(255, 'a')).find("refused"), std::string::npos);
  EXPECT_EQ(explained("room#").find("\n  user  "), std::string::npos);
}

TEST(ChannelExplain, InInsecureMode) {
  auto rules = ChannelRules::parse("{}");
  ASSERT_TRUE(rules);
  rules.value().set_insecure(true);
  EXPECT_NE(explain(rules.value(), "a").find("yes: the server runs insecure"), std::string::npos);
}

}  // namespace
}  // namespace spate::handlers::hub
