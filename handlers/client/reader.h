// Commands out of a frame's bytes: what stands between a transport and a client's session.
//
//   CommandReader& reader = …;             // one a worker and encoding serves all its connections
//   reader.begin(frame);
//   for (Command command; reader.next(command) == ReadStatus::command;) handle(command);
//
// JSON: objects joined by newlines, blank lines skipped. Protobuf: each behind its length as a
// varint; a length of zero is an empty command. A frame without any command is bad. Text lives
// until the next begin(); payloads of Protobuf point into the frame, payloads of JSON into the
// frame as well, or, where newlines between tokens had to go, into the reader.
#pragma once

#include <memory>

#include "core/base.h"
#include "handlers/client/protocol.h"

namespace spate::handlers::client {

enum class ReadStatus : std::uint8_t { command, end, bad };

class CommandReader {
 public:
  virtual ~CommandReader() = default;
  virtual void begin(ConstBytes frame) = 0;
  virtual ReadStatus next(Command& command) = 0;
};

std::unique_ptr<CommandReader> make_json_reader();
std::unique_ptr<CommandReader> make_protobuf_reader();

// Whether `text` is one JSON value, and nothing else but white space around it.
bool is_json(std::string_view text);
bool is_json_object(std::string_view text);
// `text`, which is JSON, without newlines between its tokens: `text` itself where there are none,
// else what was put into `scratch`.
std::string_view one_line(std::string_view text, std::string& scratch);

}  // namespace spate::handlers::client
