// What the options of a namespace must fulfil together, and the symbols in channels' names.
#pragma once

#include <string>
#include <string_view>

#include "handlers/hub/channel_options.h"

namespace spate::handlers::hub {

// The option to blame, with its value as the configuration has it; `wrong` is empty when all is
// well.
struct OptionsComplaint {
  std::string_view option;
  std::string value;
  std::string wrong;
};
OptionsComplaint check_options(const ChannelOptions& options);

// Empty, or the whole complaint.
std::string check_syntax(const NameSyntax& syntax);

}  // namespace spate::handlers::hub
