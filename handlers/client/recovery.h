// Whether a client that comes back can be given what it missed, and what that is.
//
//      kept:      [ 39 40 41 42 43 ]        top: 43
//      asked:             ^41               -> 42, 43: recovered
//      asked:  ^37                          -> 38 is gone: not recovered, go on from 43
#pragma once

#include <span>

#include "handlers/client/protocol.h"
#include "handlers/hub/channel_options.h"

namespace spate::handlers::client {

struct RecoveryLimits {
  std::uint64_t max_bytes = 0;  // more would make a slow client of a new one
};

// About what they take on the wire.
std::uint64_t bytes_of(std::span<const hub::KeptPublication> publications);

struct RecoveryOutcome {
  bool recovered = false;
  std::span<const hub::KeptPublication> publications;  // of the history's
};

// `asked`: what the client has seen; its epoch empty is any. `history`: the answer to a request for
// everything behind that (stream), or for the newest publication (cache).
RecoveryOutcome recover(hub::RecoveryMode mode, const StreamPosition& asked, bool epoch_known,
                        const hub::HistoryResult& history, const RecoveryLimits& limits);

// What to ask the broker for.
hub::HistoryRequest recovery_request(std::string_view channel, const hub::HistoryPolicy& policy,
                                     hub::RecoveryMode mode, const StreamPosition& asked,
                                     std::uint32_t max_publications);

}  // namespace spate::handlers::client
