#include <algorithm>

#include "handlers/setting_source.h"

namespace spate::handlers {
namespace {

// The variables that Kubernetes makes for a service NAME: NAME_SERVICE_HOST, NAME_SERVICE_PORT[_…],
// NAME_PORT=tcp://…, NAME_PORT_<number>_TCP[_…].
bool from_kubernetes(std::string_view name, std::string_view value) {
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos)
    return true;
  constexpr std::string_view kPort = "_PORT";
  const std::size_t port = name.find(kPort);
  if (port == std::string_view::npos) return false;
  const std::string_view rest = name.substr(port + kPort.size());
  if (rest.empty()) return value.find("://") != std::string_view::npos;
  return rest.size() > 1 && rest[0] == '_' && rest[1] >= '0' && rest[1] <= '9';
}

std::string setting_name(std::string_view variable) {
  std::string name(variable);
  for (char& c : name) {
    if (c == '_') c = '-';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

}  // namespace

std::string environment_name(std::string_view prefix, std::string_view setting) {
  std::string name(prefix);
  for (const char c : setting)
    name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::vector<Assignment> read_environment(const char* const* environment, std::string_view prefix) {
  std::vector<Assignment> assignments;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::size_t equals = entry.find('=');
    if (!entry.starts_with(prefix) || equals == std::string_view::npos || equals < prefix.size())
      continue;
    const std::string_view name = entry.substr(0, equals);
    const std::string_view value = entry.substr(equals + 1);
    if (from_kubernetes(name, value)) continue;
    Assignment& assignment = assignments.emplace_back();
    assignment.key = setting_name(name.substr(prefix.size()));
    assignment.items.push_back({std::string(value)});
  }
  return assignments;
}

}  // namespace spate::handlers
