// What the bus looks like from outside, for whoever is awake at three in the morning: read from
// shared memory, so it is told while the broker is dead, too.
#pragma once

#include <string>

#include "core/bus_memory.h"
#include "core/log_memory.h"

namespace spate::handlers::hub {

// A JSON object:
//
//   {"broker": {"generation": 2, "syncing": false, "events": 81, "event_bytes": 9216,
//               "event_ring_bytes": 8388608, "log_head": 41232, "log_segments": 1,
//               "log_segments_of": 256},
//    "workers": [{"slot": 0, "generation": 1, "alive": true, "requests_unread": 0,
//                 "request_ring_bytes": 2097152, "replies_unread": 0, "reply_ring_bytes": 1048576,
//                 "waiting": 0, "events_behind": 0, "laps": 0, "events_lost": 0}]}
//
// Bytes where nothing else is said: what is unread is behind, and what is behind by a ring is lost.
std::string bus_report(const core::BusView& view, const core::LogMemory& log);

}  // namespace spate::handlers::hub
