// The three places a setting is read from. Each reads its place into assignments, still text; what
// they mean, and which of them wins, is the table's business.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "handlers/setting_value.h"

namespace spate::handlers {

enum class Source : std::uint8_t { preset, file, environment, flag };

// An item as it was written; an object as its whole text. Flags and environment have strings only.
struct Item {
  std::string text;
  JsonType json = kJsonString;
};

// What one place says of one setting.
struct Assignment {
  std::string key;  // the setting's name where it is known, else what was written
  std::vector<Item> items;
  bool list = false;  // a JSON array
  int line = 0;       // of the value, in a file
};

// One line without the program's name: subject, place, what is wrong, the remedy.
using SourceResult = core::Result<std::vector<Assignment>>;

// A setting as the flag parser needs it.
struct FlagName {
  std::string name;
  bool boolean;            // stands alone or takes =true, =false
  std::string short_name;  // "h" for -h, or empty
};

// Command line (CLI11), without the program's name. Flags that are given come back in the order of
// `names`, with one item for each time they are given. --name VALUE and --name=VALUE are the same.
SourceResult read_flags(const std::vector<std::string>& arguments,
                        const std::vector<FlagName>& names);

// Variables that start with `prefix`: SPATE_MAX_MESSAGE_BYTES=64K is max-message-bytes. Passes over
// what Kubernetes puts into every container beside a service called "spate" (SPATE_SERVICE_HOST,
// SPATE_PORT_8000_TCP_ADDR …): refusing those would keep the server from starting there.
std::vector<Assignment> read_environment(const char* const* environment, std::string_view prefix);
std::string environment_name(std::string_view prefix, std::string_view setting);

// One JSON object of settings (RFC 8259, strictly: no comments, no trailing commas, no duplicate
// keys but inside a value). `path` is for error lines only.
SourceResult parse_settings_json(std::string_view text, const std::string& path);

// The one of `known` that `text` was most likely meant to be; empty when none is near.
std::string nearest(std::string_view text, const std::vector<std::string>& known);

}  // namespace spate::handlers
