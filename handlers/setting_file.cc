// RapidJSON's reader as a stream of events: no tree is built, nesting costs no stack, and what does
// not belong into a settings file ends the parse where it stands, with the line.
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>

#include "core/printable.h"
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
    if (inside_) return refuse("an object", "write a value");
    inside_ = true;
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return true; }
  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    key_.assign(text, bytes);
    const auto earlier = std::ranges::find(assignments_, key_, &Assignment::key);
    if (earlier == assignments_.end()) return true;
    error_ =
        subject() + ": given twice, first in line " + std::to_string(earlier->line) + "; keep one";
    return false;
  }
  bool StartArray() {
    if (!inside_) return no_object();
    if (in_list_) return refuse("a list in a list", "write the items in one list");
    in_list_ = true;
    assignments_.push_back({.key = key_, .items = {}, .list = true, .line = line()});
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
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
  bool refuse(std::string_view what, std::string_view remedy) {
    if (!inside_) return no_object();
    error_ =
        subject() + ": " + std::string(what) + " is no value of a setting; " + std::string(remedy);
    return false;
  }
  bool item(std::string_view text, JsonType json) {
    if (!inside_) return no_object();
    if (!in_list_)
      assignments_.push_back({.key = key_, .items = {}, .list = false, .line = line()});
    assignments_.back().items.push_back({std::string(text), json});
    return true;
  }

  std::string_view text_;
  const std::string& path_;
  const rapidjson::MemoryStream& stream_;
  bool inside_ = false;
  bool in_list_ = false;
  std::string key_;
  std::string error_;
  std::vector<Assignment> assignments_;
};

// RapidJSON's sentences in the form of ours.
std::string syntax_error(rapidjson::ParseErrorCode code) {
  std::string sentence = rapidjson::GetParseError_En(code);
  if (sentence.ends_with('.')) sentence.pop_back();
  if (!sentence.empty() && sentence[0] >= 'A' && sentence[0] <= 'Z')
    sentence[0] = static_cast<char>(sentence[0] - 'A' + 'a');
  return "not JSON: " + sentence;
}

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
    return core::Failure{events.place(result.Offset()) + ": " + syntax_error(result.Code())};
  return std::move(events.assignments());
}

}  // namespace spate::handlers
