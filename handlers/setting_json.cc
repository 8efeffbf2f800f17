#include "handlers/setting_json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace spate::handlers {
namespace {

// Goes over everything and keeps the depth alone.
class Depth : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Depth> {
 public:
  bool Default() { return depth_ > 0; }  // the outermost must be an object
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return Default(); }
  bool StartObject() { return enter(); }
  bool EndObject(rapidjson::SizeType) { return leave(); }
  bool StartArray() { return depth_ > 0 && enter(); }
  bool EndArray(rapidjson::SizeType) { return leave(); }

  std::size_t depth() const { return depth_; }

 private:
  bool enter() { return ++depth_ <= kMaxJsonDepth; }
  bool leave() {
    --depth_;
    return true;
  }

  std::size_t depth_ = 0;
};

constexpr std::string_view kNoObject = "not a JSON object; write {\"name\": value, …}";

std::string at_byte(std::size_t offset) {
  return " at byte " + std::to_string(offset + 1);
}

}  // namespace

std::string too_deep() {
  return "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels; take the inner ones out";
}

std::string json_syntax_error(int code) {
  std::string sentence = rapidjson::GetParseError_En(static_cast<rapidjson::ParseErrorCode>(code));
  if (sentence.ends_with('.')) sentence.pop_back();
  if (!sentence.empty() && sentence[0] >= 'A' && sentence[0] <= 'Z')
    sentence[0] = static_cast<char>(sentence[0] - 'A' + 'a');
  return "not JSON: " + sentence;
}

std::string check_json_object(std::string_view text) {
  // The stream shows its end as a NUL, so a NUL in the text would end it early, and silently.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return "not JSON: a NUL" + at_byte(nul);
  rapidjson::MemoryStream stream(text.data(), text.size());
  Depth depth;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, depth);
  if (!result.IsError()) return {};
  if (depth.depth() > kMaxJsonDepth) return too_deep();
  if (result.Code() == rapidjson::kParseErrorTermination ||
      result.Code() == rapidjson::kParseErrorDocumentEmpty)
    return std::string(kNoObject);
  return json_syntax_error(result.Code()) + at_byte(result.Offset());
}

std::string squeezed_json(std::string_view text) {
  std::string out;
  bool in_string = false;
  bool escaped = false;
  for (const char c : text) {
    if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    out += c;
    if (escaped) {
      escaped = false;
    } else if (in_string && c == '\\') {
      escaped = true;
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
  return out;
}

}  // namespace spate::handlers
