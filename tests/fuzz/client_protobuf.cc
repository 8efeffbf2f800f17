// The client protocol in Protobuf. Read as a frame, the input says what the library's own stream
// and generated code say, and the same when its commands are written again in Protobuf or, where
// its payloads allow, in JSON. As a channel and a payload it comes out of the writer as it went in.
#include <google/protobuf/io/coded_stream.h>

#include <string>
#include <string_view>

#include "codec/utf8.h"
#include "handlers/client/client.pb.h"
#include "handlers/client/reader.h"
#include "handlers/client/writer.h"
#include "tests/codec/http_outline.h"
#include "tests/handlers/client/commands.h"
#include "tests/handlers/client/encode.h"

namespace {

using namespace spate;
using namespace spate::handlers::client;
namespace hub = spate::handlers::hub;
using test::ExactBlock;
using test::proto::Reply;

std::string read(CommandReader& reader, std::string_view frame) {
  return test::read_frame(reader, ExactBlock(frame).bytes());
}

// The slow oracle. False for what is no frame.
bool take_command(std::string_view& rest, test::proto::Command& command) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(rest.data());
  google::protobuf::io::CodedInputStream stream(begin, static_cast<int>(rest.size()));
  std::uint64_t length = 0;
  if (!stream.ReadVarint64(&length)) return false;
  const auto prefix = static_cast<std::size_t>(stream.CurrentPosition());
  if (prefix > 5 || length > rest.size() - prefix) return false;
  const bool parsed = command.ParseFromArray(begin + prefix, static_cast<int>(length));
  rest.remove_prefix(prefix + length);
  return parsed;
}

bool json_can_say(const Command& command) {
  const auto payload = [](std::string_view data) {
    return data.empty() || (is_json(data) && data.find_first_of("\r\n \t") == data.npos &&
                            data != "null" && data.size() < 400);
  };
  if (!payload(command.data) || !payload(command.connect.data) || !payload(command.subscribe.data))
    return false;
  for (const SubscribeRequest& sub : command.connect.subs)
    if (!payload(sub.data)) return false;
  return true;
}

void fuzz_frame(std::string_view frame) {
  static const std::unique_ptr<CommandReader> json = make_json_reader();
  static const std::unique_ptr<CommandReader> protobuf = make_protobuf_reader();
  const ExactBlock block(frame);
  const std::string outline = test::read_frame(*protobuf, block.bytes());
  std::string protobuf_again;
  std::string json_again;
  bool sayable = true;
  std::string_view rest = frame;
  Command command;
  protobuf->begin(block.bytes());
  ReadStatus status = protobuf->next(command);
  for (; status == ReadStatus::command; status = protobuf->next(command)) {
    test::proto::Command expected;
    SPATE_CHECK(take_command(rest, expected) && expected.id() == command.id);
    protobuf_again += test::protobuf_command(command);
    sayable = sayable && json_can_say(command);
    json_again += test::json_command(command) + "\n";
  }
  if (status == ReadStatus::bad) {
    test::proto::Command unexpected;
    SPATE_CHECK(!take_command(rest, unexpected));
    return;
  }
  SPATE_CHECK(rest.empty());
  SPATE_CHECK(read(*protobuf, protobuf_again) == outline);
  if (sayable) SPATE_CHECK(read(*json, json_again) == outline);
}

void fuzz_writer(std::string_view text) {
  codec::Utf8State utf8;
  const bool valid = codec::utf8_validate(utf8, as_bytes(text)) && codec::utf8_complete(utf8);
  const std::string_view channel = valid ? text : "c";
  hub::Publication publication;
  publication.data = text;
  publication.offset = text.size();
  std::string out;
  protobuf_writer().publication(out, channel, publication, {});
  protobuf_writer().ping(out);
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(out.data()),
                                                static_cast<int>(out.size()));
  std::uint32_t length = 0;
  SPATE_CHECK(stream.ReadVarint32(&length));
  const auto prefix = static_cast<std::size_t>(stream.CurrentPosition());
  SPATE_CHECK(prefix + length + 1 == out.size() && out.back() == '\0');
  Reply reply;
  SPATE_CHECK(reply.ParseFromArray(out.data() + prefix, static_cast<int>(length)));
  SPATE_CHECK(reply.push().channel() == channel && reply.push().pub().data() == text);
  SPATE_CHECK(reply.push().pub().offset() == text.size());
  SPATE_CHECK(reply.SerializeAsString() == out.substr(prefix, length));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz_frame(input);
  fuzz_writer(input);
  return 0;
}
