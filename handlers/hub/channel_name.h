// A channel's name in its parts:
//
//   $chat:room#42,43
//   |\__/ \__/ \___/
//   | |    |     users    user-limited: for the users 42 and 43, where the namespace allows that
//   | |    rest (up to the end, the users too)
//   | space               the namespace; without a boundary there is none
//   private               not had without a token
//
// The whole string is the channel: "chat:1", "$chat:1" and "1" are three.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spate::handlers::hub {

// What sets the parts apart; each is a few ASCII symbols, none of which a namespace may contain.
struct NameSyntax {
  std::string namespace_boundary = ":";
  std::string private_prefix = "$";
  std::string user_boundary = "#";
  std::string user_separator = ",";
  std::uint32_t max_length = 255;  // bytes

  bool operator==(const NameSyntax&) const = default;
};

// Views of the channel and of the syntax it was split by.
struct ChannelName {
  bool in_namespace = false;
  std::string_view space;     // the namespace
  std::string_view rest;      // what follows it
  bool is_private = false;    // begins with the private prefix
  bool user_limited = false;  // has a user boundary
  std::string_view users;     // what follows the last one
  std::string_view user_separator;

  // Whether `users` lists the user. Nobody is anonymous there.
  bool allows(std::string_view user) const;
};

ChannelName split_name(std::string_view channel, const NameSyntax& syntax);

}  // namespace spate::handlers::hub
