// Names in their parts, whom a name lists, and which namespace's rules a channel is under.
#include "handlers/hub/channel_name.h"

#include <gtest/gtest.h>

#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {
namespace {

struct Row {
  const char* channel;
  bool in_namespace;
  const char* space;
  const char* rest;
  bool is_private;
  bool user_limited;
  const char* users;
};

void expect(const ChannelName& name, const Row& row) {
  SCOPED_TRACE(row.channel);
  EXPECT_EQ(name.in_namespace, row.in_namespace);
  EXPECT_EQ(name.space, row.space);
  EXPECT_EQ(name.rest, row.rest);
  EXPECT_EQ(name.is_private, row.is_private);
  EXPECT_EQ(name.user_limited, row.user_limited);
  EXPECT_EQ(name.users, row.users);
}

TEST(ChannelName, IsSplitAtItsSymbols) {
  const Row rows[] = {
      {"", false, "", "", false, false, ""},
      {"1", false, "", "1", false, false, ""},
      {"chat:1", true, "chat", "1", false, false, ""},
      {"$chat:1", true, "chat", "1", true, false, ""},
      {"$1", false, "", "1", true, false, ""},
      {"$$chat:1", true, "$chat", "1", true, false, ""},
      {"chat:$1", true, "chat", "$1", false, false, ""},
      {"chat:a:b", true, "chat", "a:b", false, false, ""},
      {"chat:", true, "chat", "", false, false, ""},
      {":1", true, "", "1", false, false, ""},
      {":", true, "", "", false, false, ""},
      {"$", false, "", "", true, false, ""},
      {"#42", false, "", "#42", false, true, "42"},
      {"chat:#42", true, "chat", "#42", false, true, "42"},
      {"chat:room#42,43", true, "chat", "room#42,43", false, true, "42,43"},
      {"chat:a#b#42", true, "chat", "a#b#42", false, true, "42"},
      {"chat:room#", true, "chat", "room#", false, true, ""},
      {"#a:b", true, "#a", "b", false, false, ""},
      {"$news:#7", true, "news", "#7", true, true, "7"},
  };
  for (const Row& row : rows) expect(split_name(row.channel, {}), row);
}

TEST(ChannelName, WithOtherSymbols) {
  const NameSyntax syntax{.namespace_boundary = "::",
                          .private_prefix = "!!",
                          .user_boundary = "@",
                          .user_separator = "|"};
  const Row rows[] = {
      {"chat:1", false, "", "chat:1", false, false, ""},
      {"chat::1", true, "chat", "1", false, false, ""},
      {"!chat::1", true, "!chat", "1", false, false, ""},
      {"!!chat::room@1|2", true, "chat", "room@1|2", true, true, "1|2"},
      {"$chat::#1", true, "$chat", "#1", false, false, ""},
  };
  for (const Row& row : rows) expect(split_name(row.channel, syntax), row);
  EXPECT_TRUE(split_name("a@1|2", syntax).allows("2"));
  EXPECT_FALSE(split_name("a@1,2", syntax).allows("2"));
}

TEST(ChannelName, ListsUsersWholeAndNobodyAnonymous) {
  struct Listed {
    const char* channel;
    const char* user;
    bool allowed;
  };
  for (const Listed& row :
       {Listed{"#42", "42", true}, Listed{"#42", "4", false}, Listed{"#42", "421", false},
        Listed{"#42,43", "42", true}, Listed{"#42,43", "43", true},
        Listed{"#42,43", "42,43", false}, Listed{"#42,43", "", false}, Listed{"#", "", false},
        Listed{"#,", "", false}, Listed{"#42,", "", false}, Listed{"#42,,43", "43", true},
        Listed{"#42,", "42", true}, Listed{"a#1#2", "1", false}, Listed{"42", "42", false},
        Listed{"", "", false}})
    EXPECT_EQ(split_name(row.channel, {}).allows(row.user), row.allowed)
        << row.channel << " " << row.user;
}

TEST(ChannelName, LeadsToItsNamespacesOptions) {
  const auto rules = ChannelRules::parse(
      R"({"namespaces": [{"name": "news"}, {"name": "chat"}, {"name": "chats"}]})");
  ASSERT_TRUE(rules) << rules.error();
  struct Found {
    const char* channel;
    int index;  // -1: none
  };
  for (const Found& row :
       {Found{"1", 0}, Found{"$1", 0}, Found{"chat", 0}, Found{"news:1", 1}, Found{"chat:1", 2},
        Found{"$chat:1", 2}, Found{"chats:1", 3}, Found{"cha:1", -1}, Found{"Chat:1", -1},
        Found{":1", -1}, Found{"$$chat:1", -1}, Found{"chatsx:1", -1}}) {
    const ChannelOptions* options = rules.value().options_of(row.channel);
    EXPECT_EQ(options == nullptr ? -1 : static_cast<int>(options->index), row.index) << row.channel;
  }
  EXPECT_EQ(rules.value().all()[2].name, "chat");
}

TEST(ChannelName, WithoutRulesThereAreNoNamespaces) {
  const ChannelRules rules;
  ASSERT_EQ(rules.all().size(), 1u);
  EXPECT_EQ(rules.options_of("1"), &rules.all()[0]);
  EXPECT_EQ(rules.options_of("chat:1"), nullptr);
}

}  // namespace
}  // namespace spate::handlers::hub
