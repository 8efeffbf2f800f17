// Commands out of a frame's bytes: what stands between a transport and a client's session.
//
//   CommandReader& reader = …;             // one a worker and encoding serves all its connections
//   reader.begin(frame);
//   for (Command command; reader.next(command) == ReadStatus::command;) handle(command);
//
// JSON: objects joined by newlines. Blank lines are skipped, and a newline between the tokens of
// one command does not end it. Members come in any order; those that nobody knows are skipped, and
// null is as if the member was not there. Of a member that comes twice the last one counts. A value
// of another kind than is due, a number that its member cannot hold, text that is not UTF-8 and
// nesting deeper than 512 are bad.
//
// Protobuf: each command behind its length as a varint; a length of zero is an empty command. What
// comes twice is merged, as Protobuf has it.
//
// Of several requests in one command the first in the order of Method counts. The entries of maps
// (`subs`, `headers`) come in the order of their keys. A frame without any command is bad, and
// after something bad nothing more is read of its frame.
//
// Text and payloads live until the next begin(). Those of JSON point into the frame, or, where text
// was escaped or a payload had line ends between its tokens, into memory of the reader, of the
// frame's size at most; those of Protobuf are copied there. JSON payloads hold no line ends. A
// frame of very many small commands or map entries takes up to a hundred times its size while it is
// read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base.h"
#include "handlers/client/protocol.h"

namespace spate::handlers::client {

enum class ReadStatus : std::uint8_t { command, end, bad };

class CommandReader {
 public:
  virtual ~CommandReader() = default;
  virtual void begin(ConstBytes frame) = 0;
  // Unless it says `command`, what is in `command` means nothing.
  virtual ReadStatus next(Command& command) = 0;
};

std::unique_ptr<CommandReader> make_json_reader();
std::unique_ptr<CommandReader> make_protobuf_reader();

// Whether `text` is one JSON value, and nothing else but white space around it. No allocation for
// small ones. Nesting is bounded as above, and numbers must fit a double.
bool is_json(std::string_view text);
bool is_json_object(std::string_view text);
// `text`, which is JSON, without line ends (LF, CR) between its tokens: `text` itself where there
// are none, else what was put into `scratch`.
std::string_view one_line(std::string_view text, std::string& scratch);

}  // namespace spate::handlers::client
