// RapidJSON's reader as a stream of events: no tree is built, nesting costs no stack, and what does
// not belong into a settings file ends the parse where it stands, with the line. An object that is
// a setting's value is passed over event by event and then taken as the text that it is, so that
// its bytes and its repeated keys reach whoever understands it.
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>

#include "core/printable.h"
#include "handlers/setting_json.h"
#include "handlers/setting_source.h"

namespace spate::handlers {
namespace {

constexpr std::size_t kMaxShownBytes = 80;

// A byte order mark may be ignored (RFC 8259 §8.1), and editors write one.
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class Events : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Events> {
 public:
  Events(std::string_view text, const std::string& path, const rapidjson::MemoryStream& stream)
      : text_(text), path_(path), stream_(stream) {}

  bool Null() { return refuse("null", "leave the key out for the default"); }
  bool Bool(bool value) { return item(value ? "true" : "false", kJsonBoolean); }
  bool RawNumber(const char* text, rapidjson::SizeType bytes, bool) {
    return item({text, bytes}, kJsonNumber);
  }
  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    return item({text, bytes}, kJsonString);
  }
  bool StartObject() {
    if (in_object()) return deeper();
    if (inside_) {
      object_at_ = stream_.Tell();
      object_line_ = line();
      return deeper();
    }
    inside_ = true;
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    if (!in_object() || --depth_ > 0) return true;
    // The closing brace is yet to be taken.
    return item(text_.substr(object_at_, stream_.Tell() + 1 - object_at_), kJsonObject);
  }
  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    if (in_object()) return true;
    key_.assign(text, bytes);
    const auto earlier = std::ranges::find(assignments_, key_, &Assignment::key);
    if (earlier == assignments_.end()) return true;
    error_ =
        subject() + ": given twice, first in line " + std::to_string(earlier->line) + "; keep one";
    return false;
  }
  bool StartArray() {
    if (in_object()) return deeper();
    if (!inside_) return no_object();
    if (in_list_) return refuse("a list in a list", "write the items in one list");
    in_list_ = true;
    assignments_.push_back({.key = key_, .items = {}, .list = true, .line = line()});
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    if (in_object()) {
      --depth_;
      return true;
    }
    in_list_ = false;
    return true;
  }

  const std::string& error() const { return error_; }
  std::vector<Assignment>& assignments() { return assignments_; }

  std::string place(std::size_t offset) const {
    const std::string_view before = text_.substr(0, offset);
    return path_ + " line " + std::to_string(1 + std::ranges::count(before, '\n'));
  }

  bool no_object() {
    error_ = place(stream_.Tell()) + ": not a JSON object; write {\"name\": value, …}";
    return false;
  }

 private:
  int line() const {
    return static_cast<int>(1 + std::ranges::count(text_.substr(0, stream_.Tell()), '\n'));
  }
  std::string subject() const {
    return core::printable(key_, kMaxShownBytes) + " (" + place(stream_.Tell()) + ")";
  }
  bool in_object() const { return depth_ > 0; }
  bool deeper() {
    if (++depth_ <= kMaxJsonDepth) return true;
    error_ = subject() + ": " + too_deep();
    return false;
  }
  bool refuse(std::string_view what, std::string_view remedy) {
    if (in_object()) return true;
    if (!inside_) return no_object();
    error_ =
        subject() + ": " + std::string(what) + " is no value of a setting; " + std::string(remedy);
    return false;
  }
  bool item(std::string_view text, JsonType json) {
    if (in_object()) return true;
    if (!inside_) return no_object();
    if (!in_list_)
      assignments_.push_back({.key = key_,
                              .items = {},
                              .list = false,
                              .line = json == kJsonObject ? object_line_ : line()});
    assignments_.back().items.push_back({std::string(text), json});
    return true;
  }

  std::string_view text_;
  const std::string& path_;
  const rapidjson::MemoryStream& stream_;
  bool inside_ = false;
  bool in_list_ = false;
  std::size_t depth_ = 0;  // within an object that is a value
  std::size_t object_at_ = 0;
  int object_line_ = 0;
  std::string key_;
  std::string error_;
  std::vector<Assignment> assignments_;
};

}  // namespace

SourceResult parse_settings_json(std::string_view text, const std::string& path) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  rapidjson::MemoryStream stream(text.data(), text.size());
  Events events(text, path, stream);
  // The stream shows its end as a NUL, so a NUL in the text would end it early, and silently.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return core::Failure{events.place(nul) + ": not JSON: a NUL byte"};

  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, events);
  if (!events.error().empty()) return core::Failure{events.error()};
  if (result.Code() == rapidjson::kParseErrorDocumentEmpty) {
    events.no_object();
    return core::Failure{events.error()};
  }
  if (result.IsError())
    return core::Failure{events.place(result.Offset()) + ": " + json_syntax_error(result.Code())};
  return std::move(events.assignments());
}

}  // namespace spate::handlers
