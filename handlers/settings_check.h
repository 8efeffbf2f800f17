// What a setting's text must fulfil beyond its type, and what settings must fulfil together.
#pragma once

#include <string>
#include <string_view>

#include "handlers/settings.h"

namespace spate::handlers {

// Empty, or what is wrong and what to write instead.
std::string check_address(std::string_view text);
std::string check_endpoint(std::string_view text);  // an address, perhaps behind "tls:"
std::string check_path(std::string_view text);      // an origin-form path, RFC 9112 §3.2.1
std::string check_origin(std::string_view text);  // a glob over scheme://host[:port], RFC 6454 §6.2
std::string check_token(std::string_view text);   // RFC 9110 §5.6.2, as RFC 6455 §11.5 wants it

void add_settings_checks(SettingTable& table, const Settings& settings);

}  // namespace spate::handlers
