// Configurations of channels, and names under them. What is refused is refused in one printable
// line. What is accepted, written out option by option and read again, is the same; and whatever
// the name, its parts lie in it, explain() prints, and the anonymous may do nothing that a
// signed-in user may not.
//
// Input: a channel's name, a newline, then JSON.
#include <algorithm>
#include <string>
#include <string_view>

#include "handlers/hub/channel_option_table.h"

namespace {

using namespace spate;
using namespace spate::handlers::hub;

void check_line(std::string_view line) {
  SPATE_CHECK(!line.empty());
  SPATE_CHECK(std::ranges::none_of(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }));
}

std::string written(const ChannelOptions& options) {
  std::string out = options.name.empty() ? "{" : "{\"name\": " + json_string(options.name);
  for (const ChannelOption& option : channel_option_table())
    out +=
        (out.size() == 1 ? "" : ",") + json_string(option.name) + ":" + value_of(options, option);
  return out + "}";
}

std::string written(const ChannelRules& rules) {
  const NameSyntax& syntax = rules.syntax();
  std::string out = "{\"namespace_boundary\":" + json_string(syntax.namespace_boundary) +
                    ",\"private_prefix\":" + json_string(syntax.private_prefix) +
                    ",\"user_boundary\":" + json_string(syntax.user_boundary) +
                    ",\"user_separator\":" + json_string(syntax.user_separator) +
                    ",\"max_length\":" + std::to_string(syntax.max_length) +
                    ",\"without_namespace\":" + written(rules.all()[0]) + ",\"namespaces\":[";
  for (std::size_t i = 1; i < rules.all().size(); ++i)
    out += (i == 1 ? "" : ",") + written(rules.all()[i]);
  return out + "]}";
}

void check_name(const ChannelRules& rules, std::string_view channel) {
  const ChannelName name = rules.name_of(channel);
  SPATE_CHECK(channel.ends_with(name.rest) && name.rest.ends_with(name.users));
  SPATE_CHECK(name.is_private == channel.starts_with(rules.syntax().private_prefix));
  std::string again = name.is_private ? rules.syntax().private_prefix : "";
  if (name.in_namespace) again += std::string(name.space) + rules.syntax().namespace_boundary;
  SPATE_CHECK(again + std::string(name.rest) == channel);
  SPATE_CHECK(!name.allows(""));
  const ChannelOptions* options = rules.options_of(channel);
  SPATE_CHECK(
      (options == nullptr) ==
      (name.in_namespace && std::ranges::none_of(rules.all(), [&](const ChannelOptions& each) {
         return each.index > 0 && each.name == name.space;
       })));
  if (options == nullptr) return;
  SPATE_CHECK(options->name == name.space);
  static_cast<void>(ChannelRules::well_formed(*options, name));
  for (const bool subscribed : {false, true})
    for (const auto ask : {may_publish, may_read_history, may_see_presence})
      SPATE_CHECK(!ask(rules, *options, {"", subscribed}).allowed ||
                  ask(rules, *options, {"42", subscribed}).allowed);
  if (!options->allow_user_limited_channels)
    SPATE_CHECK(!may_subscribe(rules, *options, name, "").allowed ||
                may_subscribe(rules, *options, name, "42").allowed);
}

void fuzz_rules(std::string_view channel, std::string_view json) {
  const core::Result<ChannelRules> rules = ChannelRules::parse(json);
  if (!rules) return check_line(rules.error());
  check_name(rules.value(), channel);
  std::string lines = explain(rules.value(), channel);
  SPATE_CHECK(lines.ends_with('\n'));
  std::erase(lines, '\n');
  check_line(lines);
  const core::Result<ChannelRules> again = ChannelRules::parse(written(rules.value()));
  SPATE_CHECK(again.ok() && written(again.value()) == written(rules.value()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  // The exact bytes, so that reading beyond them is seen.
  const std::string channel(text.substr(0, end));
  const std::string json(text.substr(std::min(end + 1, text.size())));
  fuzz_rules(channel, json);
  return 0;
}
