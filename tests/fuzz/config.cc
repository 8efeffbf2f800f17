// Configuration files, compared with RapidJSON's document of the same bytes: accepted are exactly
// the objects of scalars, objects and lists of these two without a key twice, nested within the
// bound, and their content is the same. What is refused is refused in one printable line.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "handlers/setting_json.h"
#include "handlers/setting_source.h"

namespace {

using namespace spate;
using namespace spate::handlers;

void check_error_line(std::string_view line) {
  SPATE_CHECK(!line.empty());
  SPATE_CHECK(std::ranges::none_of(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }));
}

constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

// Whether objects and lists in it are at most so many deep.
bool within(const rapidjson::Value& value, std::size_t depth) {
  if (!value.IsObject() && !value.IsArray()) return true;
  if (depth == 0) return false;
  if (value.IsArray())
    return std::all_of(value.Begin(), value.End(),
                       [depth](const auto& item) { return within(item, depth - 1); });
  return std::all_of(value.MemberBegin(), value.MemberEnd(),
                     [depth](const auto& member) { return within(member.value, depth - 1); });
}

bool is_item(const rapidjson::Value& value) {
  return value.IsBool() || value.IsString() || value.IsNumber() ||
         (value.IsObject() && within(value, kMaxJsonDepth));
}

bool is_value(const rapidjson::Value& value) {
  return is_item(value) || (value.IsArray() && std::all_of(value.Begin(), value.End(), is_item));
}

// The slow oracle: a whole document, judged after the fact.
bool is_settings(const rapidjson::Document& document) {
  if (document.HasParseError() || !document.IsObject()) return false;
  std::set<std::string_view> keys;
  for (const auto& member : document.GetObject()) {
    const std::string_view key(member.name.GetString(), member.name.GetStringLength());
    if (!keys.insert(key).second || !is_value(member.value)) return false;
  }
  return true;
}

// In their order and with repeated keys, which comparing objects would not see.
std::string written(const rapidjson::Value& value) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> writer(out);
  value.Accept(writer);
  return {out.GetString(), out.GetSize()};
}

void check_item(const Item& item, const rapidjson::Value& value) {
  if (value.IsString()) {
    SPATE_CHECK(item.json == kJsonString);
    SPATE_CHECK(item.text == std::string_view(value.GetString(), value.GetStringLength()));
  } else if (value.IsBool()) {
    SPATE_CHECK(item.json == kJsonBoolean && item.text == (value.GetBool() ? "true" : "false"));
  } else if (value.IsObject()) {
    SPATE_CHECK(item.json == kJsonObject && check_json_object(item.text).empty());
    rapidjson::Document again;
    again.Parse<kFlags>(item.text.data(), item.text.size());
    SPATE_CHECK(written(again) == written(value));
  } else {
    SPATE_CHECK(item.json == kJsonNumber);
  }
}

void fuzz_file(std::string_view text) {
  const SourceResult result = parse_settings_json(text, "FILE");
  if (!result) check_error_line(result.error());
  // Where the two differ on purpose: the document passes over each byte of a byte order mark alone,
  // and ends at a NUL.
  constexpr std::string_view kMarkBytes = "\xEF\xBB\xBF";
  if (!text.empty() && kMarkBytes.find(text.front()) != std::string_view::npos) return;
  if (text.find('\0') != std::string_view::npos) return;
  rapidjson::Document document;
  document.Parse<kFlags>(text.data(), text.size());
  // A number too large for a double has no place in a document, but its text is fine.
  if (document.GetParseError() == rapidjson::kParseErrorNumberTooBig) return;
  SPATE_CHECK(result.ok() == is_settings(document));
  if (!result) return;
  SPATE_CHECK(result->size() == document.MemberCount());
  auto member = document.MemberBegin();
  for (const Assignment& assignment : *result) {
    SPATE_CHECK(assignment.key ==
                std::string_view(member->name.GetString(), member->name.GetStringLength()));
    SPATE_CHECK(assignment.list == member->value.IsArray());
    SPATE_CHECK(assignment.line >= 1);
    if (assignment.list) {
      SPATE_CHECK(assignment.items.size() == member->value.Size());
      for (rapidjson::SizeType i = 0; i < member->value.Size(); ++i)
        check_item(assignment.items[i], member->value[i]);
    } else {
      SPATE_CHECK(assignment.items.size() == 1);
      check_item(assignment.items[0], member->value);
    }
    ++member;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_file({reinterpret_cast<const char*>(data), size});
  return 0;
}
