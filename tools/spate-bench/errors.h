// Everything that can go wrong, by the name it is reported under.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spate::bench {

enum class Error : std::uint8_t {
  connect_refused,
  connect_timed_out,
  connect_failed,
  tls_failed,
  handshake_refused,
  handshake_malformed,
  handshake_accept_key,
  handshake_no_deflate,
  handshake_timed_out,
  closed_by_server,
  connection_reset,
  protocol_error,
  wrong_type,
  wrong_length,
  corrupted,
  not_inflated,
  duplicated,
  reordered,
  unsolicited,
  lost,
  late,
  not_sent,
  wrong_pong,
  missing_pong,
  close_timed_out,
  not_subscribed,
  wrong_channel,
  wrong_offset,
  count_,
};

inline constexpr std::size_t kErrorKinds = static_cast<std::size_t>(Error::count_);

struct ErrorKind {
  std::string_view name;     // in JSON
  std::string_view meaning;  // in the table for people
};

inline constexpr std::array<ErrorKind, kErrorKinds> kErrors = {{
    {"connect_refused", "connections refused"},
    {"connect_timed_out", "connections not made in time"},
    {"connect_failed", "connections not made for another reason"},
    {"tls_failed", "TLS handshakes that failed (--insecure takes any certificate)"},
    {"handshake_refused", "upgrades answered with another status than 101"},
    {"handshake_malformed", "upgrade answers that are no RFC 6455 answer"},
    {"handshake_accept_key", "upgrades with a wrong Sec-WebSocket-Accept"},
    {"handshake_no_deflate", "upgrades that declined permessage-deflate (--deflate)"},
    {"handshake_timed_out", "upgrades not answered in time"},
    {"closed_by_server", "connections the server closed"},
    {"connection_reset", "connections reset"},
    {"protocol_error", "connections with a frame that RFC 6455 forbids"},
    {"wrong_type", "messages that came back text for binary or the reverse"},
    {"wrong_length", "messages of the wrong length"},
    {"corrupted", "messages with wrong content"},
    {"not_inflated", "compressed messages that do not inflate"},
    {"duplicated", "messages received twice"},
    {"reordered", "messages received out of order"},
    {"unsolicited", "messages nobody sent"},
    {"lost", "messages that never came back"},
    {"late", "messages that came back after they had been given up"},
    {"not_sent", "messages the server would not take"},
    {"wrong_pong", "pongs that answer no ping"},
    {"missing_pong", "pings without a pong"},
    {"close_timed_out", "closes that the server did not complete in time"},
    {"not_subscribed", "subscriptions that the server did not confirm in time"},
    {"wrong_channel", "messages of a channel that the connection is not subscribed to"},
    {"wrong_offset", "publications whose offset does not follow the one before"},
}};

}  // namespace spate::bench
