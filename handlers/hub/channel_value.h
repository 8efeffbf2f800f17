// Single values of the configuration of channels, out of JSON. Each setter returns nothing and has
// taken the value over, or returns what is wrong and what to write instead.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>

#include "handlers/hub/channel_option_table.h"

namespace spate::handlers::hub {

std::string_view text_of(const rapidjson::Value& value);  // of a string
// As it may be shown in one line; of what is nested the brackets alone.
std::string shown(const rapidjson::Value& value);

std::string set_option(ChannelOptions& options, const ChannelOption& option,
                       const rapidjson::Value& value);
std::string set_duration(const rapidjson::Value& value, std::int64_t& ms);
std::string set_symbol(const rapidjson::Value& value, std::string& symbol);  // of NameSyntax
std::string set_name(const rapidjson::Value& value, std::string& name);      // of a namespace

}  // namespace spate::handlers::hub
