// Regexes are RE2's, not the standard library's: a pattern such as (a+)+$ makes a backtracking
// matcher try 2^n ways, and names of 255 bytes come from clients; std::regex would hold the worker
// for years, and overflows the stack over patterns nested deep enough. RE2 takes time linear in the
// name, memory within a bound, and the syntax that Centrifugo's configurations are written in.
#include <re2/re2.h>

#include <algorithm>
#include <numeric>

#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {

ChannelRules::ChannelRules(std::vector<ChannelOptions> options, NameSyntax syntax)
    : options_(std::move(options)), by_name_(options_.size() - 1), syntax_(std::move(syntax)) {
  std::iota(by_name_.begin(), by_name_.end(), 1u);
  const auto name = [this](std::uint32_t index) -> const std::string& {
    return options_[index].name;
  };
  std::ranges::sort(by_name_, {}, name);
  SPATE_CHECK(std::ranges::adjacent_find(by_name_, {}, name) == by_name_.end());
  for (std::uint32_t i = 0; i < options_.size(); ++i) options_[i].index = i;
}

const ChannelOptions* ChannelRules::options_of(const ChannelName& name) const {
  if (!name.in_namespace) return &options_[0];
  const auto found = std::ranges::lower_bound(
      by_name_, name.space, {},
      [this](std::uint32_t index) { return std::string_view(options_[index].name); });
  if (found == by_name_.end() || options_[*found].name != name.space) return nullptr;
  return &options_[*found];
}

bool ChannelRules::well_formed(const ChannelOptions& options, const ChannelName& name) {
  if (options.compiled_regex != nullptr)
    return re2::RE2::PartialMatch(name.rest, *options.compiled_regex);
  return std::ranges::all_of(name.rest,
                             [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace spate::handlers::hub
