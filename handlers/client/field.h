// What a member of a message is called: by number in Protobuf, by name in JSON.
#pragma once

#include <cstdint>
#include <string_view>

namespace spate::handlers::client {

struct Field {
  std::uint32_t number;
  std::string_view name;
};

}  // namespace spate::handlers::client
