// A tree (the text is a megabyte at most, and nested within a bound), walked by hand: the keys are
// few, and every complaint wants its path. Unknown keys are refused: a misspelt option that
// silently does nothing is how channels end up open, or forgetful.
#include <rapidjson/document.h>

#include <algorithm>

#include "core/printable.h"
#include "handlers/hub/channel_option_table.h"
#include "handlers/hub/channel_options_check.h"
#include "handlers/hub/channel_value.h"
#include "handlers/setting_json.h"
#include "handlers/setting_source.h"

namespace spate::handlers::hub {
namespace {

using rapidjson::Value;

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxShownBytes = 80;

// What a namespace may have elsewhere and cannot have here so far.
constexpr std::string_view kNotYet[] = {"allowed_delta_types", "delta_publish",
                                        "allow_tags_filter"};
constexpr std::string_view kNotYetTypes[] = {"map", "map_clients", "map_users", "shared_poll"};

std::string complaint(const std::string& path, const Value& value, std::string_view wrong) {
  return path + "=" + shown(value) + ": " + std::string(wrong);
}

std::string below(const std::string& path, std::string_view key) {
  return (path.empty() ? "" : path + ".") + core::printable(key, kMaxShownBytes);
}

// How messages name a namespace.
std::string space_of(const ChannelOptions& options) {
  return options.name.empty() ? "channels without a namespace" : "namespace " + options.name;
}

bool not_yet(std::string_view key) {
  return std::ranges::find(kNotYet, key) != std::end(kNotYet) || key.find("_proxy_") != key.npos ||
         key == "map" || key.starts_with("map_") || key.starts_with("map.") ||
         key.starts_with("shared_poll");
}

// The top level, and what namespaces take from it.
class Parser {
 public:
  core::Result<ChannelRules> parse(const Value& root) {
    // What namespaces inherit comes first, wherever it stands.
    for (auto member = root.MemberBegin(); member != root.MemberEnd(); ++member) {
      if (std::string wrong = common(text_of(member->name), member->value); !wrong.empty())
        return core::Failure{wrong};
      for (auto earlier = root.MemberBegin(); earlier != member; ++earlier)
        if (earlier->name == member->name)
          return core::Failure{complaint(std::string(text_of(member->name)), member->value,
                                         "given twice; keep one")};
    }
    if (std::string wrong = check_syntax(syntax_); !wrong.empty()) return core::Failure{wrong};

    options_.assign(1, inherited());
    if (const auto found = root.FindMember("without_namespace"); found != root.MemberEnd()) {
      if (std::string wrong = space(found->name.GetString(), found->value, options_[0]);
          !wrong.empty())
        return core::Failure{wrong};
    }
    if (const auto found = root.FindMember("namespaces"); found != root.MemberEnd())
      if (std::string wrong = spaces(found->value); !wrong.empty()) return core::Failure{wrong};
    return ChannelRules(std::move(options_), std::move(syntax_));
  }

 private:
  ChannelOptions inherited() const {
    ChannelOptions options;
    options.history.meta_ttl_ms = meta_ttl_ms_;
    return options;
  }

  // A key of the top level; the two with namespaces are left for later.
  std::string common(std::string_view key, const Value& value) {
    std::string wrong;
    if (key == "without_namespace") {
      if (!value.IsObject()) wrong = "no object; write {\"option\": value, …}";
    } else if (key == "namespaces") {
      if (!value.IsArray()) wrong = "no list; write [{\"name\": \"chat\", …}, …]";
    } else if (key == "namespace_boundary") {
      wrong = set_symbol(value, syntax_.namespace_boundary);
    } else if (key == "private_prefix") {
      wrong = set_symbol(value, syntax_.private_prefix);
    } else if (key == "user_boundary") {
      wrong = set_symbol(value, syntax_.user_boundary);
    } else if (key == "user_separator") {
      wrong = set_symbol(value, syntax_.user_separator);
    } else if (key == "max_length") {
      if (value.IsUint() && value.GetUint() >= 1 && value.GetUint() <= NameSyntax{}.max_length) {
        syntax_.max_length = value.GetUint();
      } else {
        wrong =
            "no length; write a whole number from 1 to " + std::to_string(NameSyntax{}.max_length);
      }
    } else if (key == "history_meta_ttl") {
      wrong = set_duration(value, meta_ttl_ms_);
    } else {
      return unknown({}, key, value,
                     {"without_namespace", "namespaces", "namespace_boundary", "private_prefix",
                      "user_boundary", "user_separator", "max_length", "history_meta_ttl"});
    }
    return wrong.empty() ? wrong : complaint(std::string(key), value, wrong);
  }

  std::string spaces(const Value& list) {
    if (list.Size() > ChannelRules::kMaxNamespaces)
      return complaint("namespaces", list,
                       "more than " + std::to_string(ChannelRules::kMaxNamespaces) +
                           " namespaces; merge those with equal options");
    for (rapidjson::SizeType i = 0; i < list.Size(); ++i) {
      const std::string path = "namespaces[" + std::to_string(i) + "]";
      if (!list[i].IsObject())
        return complaint(path, list[i], "no object; write {\"name\": \"chat\", …}");
      if (std::string wrong = named_space(path, list[i]); !wrong.empty()) return wrong;
    }
    return {};
  }

  std::string named_space(const std::string& path, const Value& object) {
    ChannelOptions options = inherited();
    const auto name = object.FindMember("name");
    if (name == object.MemberEnd())
      return complaint(path, object, "has no name; add \"name\": \"chat\" or the like");
    if (std::string wrong = set_name(name->value, options.name); !wrong.empty())
      return complaint(below(path, "name"), name->value, wrong);
    const auto earlier = std::ranges::find(options_, options.name, &ChannelOptions::name);
    if (earlier != options_.end())
      return complaint(below(path, "name"), name->value,
                       "the name of namespaces[" + std::to_string(earlier - options_.begin() - 1) +
                           "] already; give each its own");
    if (std::string wrong = space(path, object, options); !wrong.empty()) return wrong;
    options_.push_back(std::move(options));
    return {};
  }

  // The options of one namespace, and what they must fulfil together.
  std::string space(const std::string& path, const Value& object, ChannelOptions& options) {
    for (auto member = object.MemberBegin(); member != object.MemberEnd(); ++member) {
      const std::string_view key = text_of(member->name);
      if (std::string wrong = option(path, key, member->value, options); !wrong.empty())
        return wrong;
      // Known keys are few, and each was refused the second time it came: no more than those.
      for (auto earlier = object.MemberBegin(); earlier != member; ++earlier)
        if (earlier->name == member->name)
          return complaint(below(path, key), member->value, "given twice; keep one");
    }
    const OptionsComplaint found = check_options(options);
    return found.wrong.empty() ? ""
                               : below(path, found.option) + "=" + found.value + ": " + found.wrong;
  }

  std::string option(const std::string& path, std::string_view key, const Value& value,
                     ChannelOptions& options) {
    const std::string at = below(path, key);
    if (key == "name" && !options.name.empty()) return {};
    if (key == "name")
      return complaint(at, value, "channels without a namespace have no name; leave the key out");
    if (key == "subscription_type") return subscription_type(at, value, options);
    if (not_yet(key))
      return complaint(at, value,
                       "not available yet, in " + space_of(options) + "; leave the key out");
    const auto table = channel_option_table();
    const auto row = std::ranges::find(table, key, &ChannelOption::name);
    if (row == table.end()) {
      std::vector<std::string> known{"name"};
      for (const ChannelOption& each : table) known.emplace_back(each.name);
      return unknown(path, key, value, known);
    }
    const std::string wrong = set_option(options, *row, value);
    return wrong.empty() ? wrong : complaint(at, value, wrong);
  }

  static std::string subscription_type(const std::string& at, const Value& value,
                                       const ChannelOptions& options) {
    const std::string_view type = value.IsString() ? text_of(value) : "";
    if (type == "stream") return {};
    if (std::ranges::find(kNotYetTypes, type) != std::end(kNotYetTypes))
      return complaint(at, value,
                       "not available yet, in " + space_of(options) + "; write \"stream\"");
    return complaint(at, value, "no such choice; write \"stream\"");
  }

  static std::string unknown(const std::string& path, std::string_view key, const Value& value,
                             const std::vector<std::string>& known) {
    const std::string near = nearest(key, known);
    return complaint(below(path, key), value,
                     near.empty() ? "no such key; docs/channels.md lists them"
                                  : "no such key; did you mean " + near + "?");
  }

  NameSyntax syntax_;
  std::int64_t meta_ttl_ms_ = ChannelOptions{}.history.meta_ttl_ms;
  std::vector<ChannelOptions> options_;
};

}  // namespace

core::Result<ChannelRules> ChannelRules::parse(std::string_view json) {
  if (json.size() > kMaxBytes)
    return core::Failure{"larger than " + std::to_string(kMaxBytes) + " bytes; shorten it"};
  if (std::string wrong = check_json_object(json); !wrong.empty()) return core::Failure{wrong};
  rapidjson::MemoryStream stream(json.data(), json.size());
  rapidjson::Document document;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  document.ParseStream<kFlags>(stream);
  // A number may still be too large for a tree.
  if (document.HasParseError())
    return core::Failure{json_syntax_error(document.GetParseError()) + " at byte " +
                         std::to_string(document.GetErrorOffset() + 1)};
  return Parser().parse(document);
}

}  // namespace spate::handlers::hub
