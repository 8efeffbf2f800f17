// Log lines from any bytes: within their bound, without a control character, and in JSON a document
// that holds the fields.
//
// Input: message, process and two values, with a line end between them.
#include "core/log_line.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>

namespace {

using namespace spate;
using namespace spate::core::log;

void check_line(std::string_view line) {
  SPATE_CHECK(line.size() <= kMaxRenderedBytes);
  SPATE_CHECK(
      std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 4> parts;
  for (std::string_view& part : parts) {
    const std::size_t end =
        &part == &parts.back() ? rest.size() : std::min(rest.find('\n'), rest.size());
    part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const Fields fields{{"a", parts[2]}, {"b", parts[3]}, {"n", size}};
  const LineParts line{parts[1], parts[0], fields, size % 3};

  std::string text;
  append_text(text, line);
  check_line(text);

  std::string json = "{";
  append_json(json, line);
  json += '}';
  check_line(json);
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
  SPATE_CHECK(!document.HasParseError());
  SPATE_CHECK(document["message"].IsString());
  SPATE_CHECK(document.HasMember("truncated") || document["n"].GetUint64() == size);
  SPATE_CHECK(document.HasMember("suppressed") == (size % 3 != 0));
  return 0;
}
