// What people read of a settings table.
#pragma once

#include <string>

#include "handlers/setting_table.h"

namespace spate::handlers {

// --help: the flags by group, with units, ranges and defaults, in 100 columns.
std::string help_text(const SettingTable& table);

// The same as Markdown tables with flag, environment variable, key, default and meaning.
std::string help_markdown(const SettingTable& table);

}  // namespace spate::handlers
