// Which members the objects of a command have in JSON, and where in a Command their values go.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "handlers/client/protocol.h"

namespace spate::handlers::client {

// Objects whose members are looked at.
enum class Place : std::uint8_t { command, request, subs, sub, headers, since };

struct Payload {
  std::string_view* to;
};
struct Presence {  // whether there is a value, whatever it is
  bool* to;
};
struct Header {};  // the key is its name

// Where the value behind a key goes. The first: nowhere, as for keys that nobody knows.
using Slot =
    std::variant<std::monostate, std::string_view*, Payload, Presence, bool*, std::uint32_t*,
                 std::uint64_t*, std::int32_t*, std::int64_t*, Method, Place, Header>;

// The members of a command itself: its id and the requests.
Slot command_slot(Command& command, std::string_view key);
// Of the request of the command's method.
Slot request_slot(Command& command, std::string_view key);
Slot subscribe_slot(SubscribeRequest& request, std::string_view key);
Slot since_slot(HistoryQuery& history, std::string_view key);

}  // namespace spate::handlers::client
