// What may be done in a channel, and what is kept of it: namespaces, their options, and the rules
// that follow from a channel's name.
#pragma once

#include <cstdint>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "handlers/hub/broker.h"

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
  HistoryPolicy history;
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
  std::string channel_regex;  // of what follows the namespace; empty: any ASCII
  std::shared_ptr<const std::regex> compiled_regex;
  DataFormat publication_data_format = DataFormat::not_empty;
  bool exclude_publisher = false;
  SlowPolicy slow_policy = SlowPolicy::disconnect;
};

// The parts of a channel's name.
struct ChannelName {
  std::string_view space;   // the namespace
  std::string_view rest;    // what follows it
  bool is_private = false;  // begins with '$'
  bool user_limited = false;
  std::string_view users;  // what follows the last '#', separated by commas

  bool allows(std::string_view user) const;
};

class ChannelRules {
 public:
  // Out of JSON: {"without_namespace": {…}, "namespaces": [{"name": "chat", …}], …}. The error
  // names the key, its value and the remedy.
  static core::Result<ChannelRules> parse(std::string_view json);

  ChannelName name_of(std::string_view channel) const;
  // Null when its namespace is not defined.
  const ChannelOptions* options_of(std::string_view channel) const;
  const std::vector<ChannelOptions>& all() const { return options_; }

  bool insecure() const { return insecure_; }
  void set_insecure(bool insecure) { insecure_ = insecure; }

  // Whether the part that the namespace leaves free is well-formed.
  static bool well_formed(const ChannelOptions& options, const ChannelName& name);

 private:
  std::vector<ChannelOptions> options_;  // [0]: without_namespace
  bool insecure_ = false;
};

// Who asks.
struct Asker {
  std::string_view user;  // empty: anonymous
  bool subscribed = false;
};

// A decision, and the rule that made it, in words for --explain and the log.
struct Permission {
  bool allowed = false;
  std::string_view rule;
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

// For people: which options and permissions apply to a channel, and why.
std::string explain(const ChannelRules& rules, std::string_view channel);

}  // namespace spate::handlers::hub
