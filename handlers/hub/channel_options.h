// What may be done in a channel, and what is kept of it: namespaces, their options, and the rules
// that follow from a channel's name. Read once, at the start; decisions then cost no allocation.
//
//   parse: channel_rules_parse.cc   options, one a row: channel_option_table.h   docs/channels.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "handlers/hub/broker.h"
#include "handlers/hub/channel_name.h"

namespace re2 {
class RE2;
}

namespace spate::handlers::hub {

enum class RecoveryMode : std::uint8_t { stream, cache };
enum class DataFormat : std::uint8_t { not_empty, json, json_object, binary };
enum class SlowPolicy : std::uint8_t { disconnect, conflate };

// Of one namespace; names as in the configuration file.
struct ChannelOptions {
  std::string name;         // of the namespace; empty: channels without one
  std::uint32_t index = 0;  // among all, without_namespace being 0: where metrics are counted
  bool presence = false;
  bool join_leave = false;
  bool force_push_join_leave = false;
  HistoryPolicy history{.meta_ttl_ms = std::int64_t{720} * 3'600'000};
  bool force_positioning = false;
  bool allow_positioning = false;
  bool force_recovery = false;
  bool allow_recovery = false;
  RecoveryMode force_recovery_mode = RecoveryMode::stream;
  bool auto_cache_recover = false;
  bool allow_subscribe_for_client = false;
  bool allow_subscribe_for_anonymous = false;
  bool allow_publish_for_client = false;
  bool allow_publish_for_subscriber = false;
  bool allow_publish_for_anonymous = false;
  bool allow_history_for_client = false;
  bool allow_history_for_subscriber = false;
  bool allow_history_for_anonymous = false;
  bool allow_presence_for_client = false;
  bool allow_presence_for_subscriber = false;
  bool allow_presence_for_anonymous = false;
  bool allow_user_limited_channels = false;
  std::string channel_regex;  // found in what follows the namespace; empty: any ASCII
  std::shared_ptr<const re2::RE2> compiled_regex;
  DataFormat publication_data_format = DataFormat::not_empty;
  bool exclude_publisher = false;
  SlowPolicy slow_policy = SlowPolicy::disconnect;
};

class ChannelRules {
 public:
  static constexpr std::size_t kMaxNamespaces = 1000;

  // Nothing is allowed, and there are no namespaces.
  ChannelRules() : ChannelRules(std::vector<ChannelOptions>(1), {}) {}
  // options[0] is without_namespace; the others' names differ, and their regexes are compiled.
  ChannelRules(std::vector<ChannelOptions> options, NameSyntax syntax);

  // Out of JSON: {"without_namespace": {…}, "namespaces": [{"name": "chat", …}], …}. The error
  // names the key with its path, its value and the remedy.
  static core::Result<ChannelRules> parse(std::string_view json);

  // Views of the channel and of these rules.
  ChannelName name_of(std::string_view channel) const { return split_name(channel, syntax_); }
  // Null when its namespace is not defined.
  const ChannelOptions* options_of(std::string_view channel) const {
    return options_of(name_of(channel));
  }
  const ChannelOptions* options_of(const ChannelName& name) const;
  const std::vector<ChannelOptions>& all() const { return options_; }
  const NameSyntax& syntax() const { return syntax_; }
  std::size_t max_length() const { return syntax_.max_length; }  // of a channel, in bytes

  // Whether everybody may do everything but have a private channel without a token.
  bool insecure() const { return insecure_; }
  void set_insecure(bool insecure) { insecure_ = insecure; }

  // Whether the part that the namespace leaves free is well-formed. Time grows with its length
  // alone, whatever the regex, whose matcher's cache grows with use, to 256 KiB at most.
  static bool well_formed(const ChannelOptions& options, const ChannelName& name);

 private:
  std::vector<ChannelOptions> options_;
  std::vector<std::uint32_t> by_name_;  // indexes of namespaces, in the order of their names
  NameSyntax syntax_;
  bool insecure_ = false;
};

// Who asks.
struct Asker {
  std::string_view user;  // empty: anonymous
  bool subscribed = false;
};

// A decision and the rule that made it: a few constants, which become words when somebody reads.
struct Permission {
  enum class Rule : std::uint8_t {
    option_on,
    option_off,
    not_subscribed,  // and the option, which would do without, is off
    needs_token,
    listed,
    not_listed,
    insecure,
  };

  bool allowed = false;
  Rule rule = Rule::option_off;
  std::string_view option;  // a constant

  // "allow_subscribe_for_client is off in namespace chat". `options` are those that were asked.
  std::string why(const ChannelOptions& options) const;
};

// Without a token: a valid one allows, and a private channel is not had without.
Permission may_subscribe(const ChannelRules& rules, const ChannelOptions& options,
                         const ChannelName& name, std::string_view user);
Permission may_publish(const ChannelRules& rules, const ChannelOptions& options,
                       const Asker& asker);
Permission may_read_history(const ChannelRules& rules, const ChannelOptions& options,
                            const Asker& asker);
Permission may_see_presence(const ChannelRules& rules, const ChannelOptions& options,
                            const Asker& asker);

// For people: which options and permissions apply to a channel, and why. Ends with a line's end.
std::string explain(const ChannelRules& rules, std::string_view channel);

}  // namespace spate::handlers::hub
