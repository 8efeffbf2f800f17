#include "handlers/client/json_text.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>

#include "codec/utf8.h"
#include "handlers/client/reader.h"

namespace spate::handlers::client {
namespace {

// Carriage returns too: they end a line of Server-Sent Events.
bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

// Nothing is kept: only whether it is JSON is asked.
class Events : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Events> {
 public:
  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    return !has_lone_surrogate({text, bytes});
  }
  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    return !has_lone_surrogate({text, bytes});
  }
  bool StartObject() { return ++depth_ <= kMaxJsonDepth; }
  bool StartArray() { return ++depth_ <= kMaxJsonDepth; }
  bool EndObject(rapidjson::SizeType) { return left(); }
  bool EndArray(rapidjson::SizeType) { return left(); }

 private:
  bool left() {
    --depth_;
    return true;
  }

  std::size_t depth_ = 0;
};

}  // namespace

bool has_lone_surrogate(std::string_view decoded) {
  for (std::size_t at = decoded.find('\xED'); at != std::string_view::npos;
       at = decoded.find('\xED', at + 1)) {
    if (at + 1 < decoded.size() && static_cast<unsigned char>(decoded[at + 1]) >= 0xA0) return true;
  }
  return false;
}

bool is_json(std::string_view text) {
  codec::Utf8State utf8;
  if (!codec::utf8_validate(utf8, as_bytes(text)) || !codec::utf8_complete(utf8)) return false;
  // Small texts are judged without the heap.
  char memory[2048];
  rapidjson::MemoryPoolAllocator<> pool(memory, sizeof memory);
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::MemoryPoolAllocator<>>
      reader(&pool);
  rapidjson::MemoryStream stream(text.data(), text.size());
  Events events;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseStopWhenDoneFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  if (reader.Parse<kFlags>(stream, events).IsError()) return false;
  // The stream shows its end as a NUL: what is left is looked at here.
  return text.find_first_not_of(kJsonSpace, stream.Tell()) == std::string_view::npos;
}

bool is_json_object(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kJsonSpace);
  return first != std::string_view::npos && text[first] == '{' && is_json(text);
}

// A search for each is faster than one for both.
bool is_one_line(std::string_view json) {
  return json.find('\n') == std::string_view::npos && json.find('\r') == std::string_view::npos;
}

void append_one_line(std::string& out, std::string_view json) {
  while (!json.empty()) {
    const auto end = std::ranges::find_if(json, is_line_end);
    out.append(json.begin(), end);
    json.remove_prefix(static_cast<std::size_t>(end - json.begin()));
    if (!json.empty()) json.remove_prefix(1);
  }
}

std::string_view one_line(std::string_view text, std::string& scratch) {
  if (is_one_line(text)) return text;
  scratch.clear();
  append_one_line(scratch, text);
  return scratch;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  std::size_t plain = 0;  // from where on nothing needed an escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') [[likely]]
      continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    out.push_back('\\');
    switch (c) {
      case '"':
      case '\\':
        out.push_back(text[i]);
        break;
      case '\b':
        out.push_back('b');
        break;
      case '\f':
        out.push_back('f');
        break;
      case '\n':
        out.push_back('n');
        break;
      case '\r':
        out.push_back('r');
        break;
      case '\t':
        out.push_back('t');
        break;
      default:
        out.append("u00");
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 0xF]);
    }
  }
  out.append(text.substr(plain));
  out.push_back('"');
}

}  // namespace spate::handlers::client
