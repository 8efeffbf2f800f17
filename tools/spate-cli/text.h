// How times are told to people.
#pragma once

#include <cstdint>
#include <string>

namespace spate::cli {

// "2027-01-15 08:00:00 UTC, in 3 days"; "no date" for what no calendar has. Unix seconds.
std::string time_and_distance(double seconds, std::int64_t now);

// "3 days", "1 hour": the largest unit of which there is a whole one.
std::string duration(std::int64_t seconds);

// "08:00:00.123", local time, of Unix milliseconds.
std::string clock_time(std::int64_t unix_ms);

}  // namespace spate::cli
