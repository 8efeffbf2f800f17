// The client protocol in JSON. Read as a frame, the input says what RapidJSON's documents of it
// say, and the same when its commands are written again in JSON or in Protobuf. As a text it is
// JSON when there is a document of it, and means the same on one line. As a name and a payload it
// comes out of the writer as it went in.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>
#include <string_view>

#include "codec/utf8.h"
#include "handlers/client/json_text.h"
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

constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                            rapidjson::kParseStopWhenDoneFlag;

std::string_view text_of(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

bool valid_utf8(std::string_view text) {
  codec::Utf8State state;
  return codec::utf8_validate(state, as_bytes(text)) && codec::utf8_complete(state);
}

// What RapidJSON lets pass: nesting of any depth, and half of a surrogate pair.
bool sound(const rapidjson::Value& value, std::size_t depth = 1) {
  if (value.IsString()) return valid_utf8(text_of(value));
  if (!value.IsArray() && !value.IsObject()) return true;
  if (depth > kMaxJsonDepth) return false;
  if (value.IsArray()) {
    for (const rapidjson::Value& item : value.GetArray())
      if (!sound(item, depth + 1)) return false;
    return true;
  }
  for (const auto& member : value.GetObject())
    if (!sound(member.name) || !sound(member.value, depth + 1)) return false;
  return true;
}

// The document that `text` begins with. What is behind it is left in `text`.
bool take_document(std::string_view& text, rapidjson::Document& document) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  if (document.ParseStream<kFlags, rapidjson::UTF8<>>(stream).HasParseError()) return false;
  text.remove_prefix(stream.Tell());
  return sound(document);
}

// Two objects with a key twice never compare as equal, so their texts are compared.
std::string written(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  SPATE_CHECK(value.Accept(writer));
  return {buffer.GetString(), buffer.GetSize()};
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kJsonSpace) == std::string_view::npos;
}

bool is_document(std::string_view text, rapidjson::Document& document) {
  return take_document(text, document) && is_blank(text);
}

// Id and method by lookups in the document, the slow way.
void check_command(const Command& command, const rapidjson::Document& document) {
  SPATE_CHECK(document.IsObject());
  std::uint32_t id = 0;
  Method method = Method::none;
  for (const auto& member : document.GetObject()) {
    if (member.value.IsNull()) continue;
    if (text_of(member.name) == "id") id = member.value.GetUint();
  }
  for (std::size_t i = kMethods - 1; i > 0; --i) {
    for (const auto& member : document.GetObject()) {
      if (text_of(member.name) == method_name(static_cast<Method>(i)) && !member.value.IsNull())
        method = static_cast<Method>(i);
    }
  }
  SPATE_CHECK(command.id == id && command.method == method);
}

void check_payload(std::string_view payload) {
  SPATE_CHECK(payload.empty() || (is_json(payload) && is_one_line(payload)));
}

std::string read(CommandReader& reader, std::string_view frame) {
  return test::read_frame(reader, ExactBlock(frame).bytes());
}

void fuzz_frame(std::string_view frame) {
  static const std::unique_ptr<CommandReader> json = make_json_reader();
  static const std::unique_ptr<CommandReader> protobuf = make_protobuf_reader();
  const ExactBlock block(frame);
  const std::string outline = test::read_frame(*json, block.bytes());
  std::string json_again;
  std::string protobuf_again;
  std::string_view rest = frame;
  Command command;
  json->begin(block.bytes());
  ReadStatus status = json->next(command);
  for (; status == ReadStatus::command; status = json->next(command)) {
    rapidjson::Document document;
    SPATE_CHECK(take_document(rest, document));
    check_command(command, document);
    check_payload(command.data);
    check_payload(command.connect.data);
    json_again += test::json_command(command) + "\n";
    protobuf_again += test::protobuf_command(command);
  }
  if (status == ReadStatus::bad) return;
  SPATE_CHECK(is_blank(rest));
  SPATE_CHECK(read(*json, "\n" + std::string(frame) + "\n") == outline);
  SPATE_CHECK(read(*json, json_again) == outline);
  SPATE_CHECK(read(*protobuf, protobuf_again) == outline);
}

void fuzz_text(std::string_view text) {
  const ExactBlock block(text);
  rapidjson::Document document;
  const bool json = is_json(as_text(block.bytes()));
  SPATE_CHECK(json == is_document(text, document));
  SPATE_CHECK(is_json_object(as_text(block.bytes())) == (json && document.IsObject()));
  std::string scratch;
  const std::string_view line = one_line(as_text(block.bytes()), scratch);
  SPATE_CHECK(is_one_line(line));
  if (!json) return;
  rapidjson::Document again;
  SPATE_CHECK(is_document(line, again) && written(again) == written(document));
}

void fuzz_writer(std::string_view text) {
  if (!valid_utf8(text)) return;
  hub::Publication publication;
  std::string scratch;
  if (is_json(text)) publication.data = one_line(text, scratch);
  const hub::Tag tag{text, text};
  publication.tags = {&tag, 1};
  publication.info = hub::ClientInfo{text, text, publication.data, {}};
  std::string out;
  json_writer().publication(out, text, publication, {});
  SPATE_CHECK(is_one_line(out));
  rapidjson::Document document;
  // Payloads that are as deep as one may be are too deep inside a message.
  if (document.Parse<kFlags>(out.data(), out.size()).HasParseError() || !is_json(out)) {
    SPATE_CHECK(!publication.data.empty() && document.HasParseError() == false);
    return;
  }
  const rapidjson::Value& push = document["push"];
  const rapidjson::Value& pub = push["pub"];
  SPATE_CHECK(text.empty() || text_of(push["channel"]) == text);
  SPATE_CHECK(text_of(pub["info"]["user"]) == text);
  SPATE_CHECK(text_of(pub["tags"].MemberBegin()->name) == text);
  SPATE_CHECK(text_of(pub["tags"].MemberBegin()->value) == text);
  if (publication.data.empty()) return;
  rapidjson::Document payload;
  SPATE_CHECK(is_document(publication.data, payload) && written(payload) == written(pub["data"]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz_frame(input);
  fuzz_text(input);
  fuzz_writer(input);
  return 0;
}
