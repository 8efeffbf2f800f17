// One line per event, as text for people or JSON for machines, to standard error, without ever
// waiting for it.
//
//   log::info("listening on {address}", {{"address", "127.0.0.1:8000"}, {"backlog", 4096}});
//
//   2026-07-29T10:00:00.123Z info  worker 0: listening on 127.0.0.1:8000 backlog=4096
//   {"time":"2026-07-29T10:00:00.123Z","level":"info","process":"worker 0",
//    "message":"listening on 127.0.0.1:8000","address":"127.0.0.1:8000","backlog":4096}   (one
//    line)
//
// {name} in the message stands for that field's value; a field that the message does not name
// follows it. Values may come from a peer: what could break a line or speak to a terminal is
// spelled out, long ones are cut, and a line is at most PIPE_BUF bytes, so that lines of several
// processes never mix. A line that standard error does not take at once is kept (64 KiB a process),
// then dropped and counted; the next line that gets through says how many were dropped. Costs a
// formatting, and one write() when the level is on; a comparison when it is off. Any process
// (forked ones drop what the parent had kept), any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

#include "core/base.h"

namespace spate::core::log {

enum class Level : std::uint8_t { debug, info, warn, error, off };
enum class Format : std::uint8_t { text, json };

// Key and value of a structured line. Holds views: valid while the call runs.
struct Field {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  Field(std::string_view name, bool flag) : key(name), value(flag) {}
  Field(std::string_view name, double number) : key(name), value(number) {}
  template <std::signed_integral T>
  Field(std::string_view name, T number) : key(name), value(std::int64_t{number}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Field(std::string_view name, T number)
      : key(name), value(std::uint64_t{number}) {}

  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

// Call once, before sockets are opened, privileges dropped and children forked. Opens standard
// error anew where it can, so that its file description, which others share, keeps its flags; opens
// /dev/null in the place of standard descriptors that are closed; ignores SIGPIPE where it was at
// its default, since a reader that went away must not end the server. Before init, lines go out as
// text at info.
void init(Level level, Format format);

// Which process speaks ("master", "worker 3"); empty leaves it out. After fork.
void set_process(std::string_view name);

bool enabled(Level level);

void write(Level level, std::string_view message, Fields fields = {});
inline void debug(std::string_view message, Fields fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(Level::info, message, fields);
}
inline void warn(std::string_view message, Fields fields = {}) {
  write(Level::warn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  write(Level::error, message, fields);
}

// For what peers can cause: at most one line per second and `key` (a constant, such as the rule's
// name); a line that follows held-back ones ends with "(N more like this)", in JSON "suppressed":
// N.
void limited(Level level, std::string_view key, std::string_view message, Fields fields = {});

// Once a second from the loop: writes what was kept, and says what limited() held back.
void tick();

// Before exit: waits up to `wait_ms` until all that was kept is written. False when some was not.
bool flush(int wait_ms);

// Lines that this process dropped because standard error did not take them.
std::uint64_t dropped();

}  // namespace spate::core::log
