// RapidJSON's events, iteratively: nesting costs no stack. Where a value begins is not told by its
// event; it is the first byte behind the last key or item that is neither white space, colon nor
// comma.
#include "handlers/client/json_object.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <string>

#include "handlers/client/json_text.h"

namespace spate::handlers::client {
namespace {

class Events : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Events> {
 public:
  Events(std::string_view text, JsonKind container, const rapidjson::MemoryStream& stream,
         detail::VisitJson visit, void* context)
      : text_(text), container_(container), stream_(stream), visit_(visit), context_(context) {}

  bool Null() { return scalar(JsonKind::null, {}); }
  bool Bool(bool) { return scalar(JsonKind::boolean, {}); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return scalar(JsonKind::number, {}); }
  bool String(const char* string, rapidjson::SizeType bytes, bool) {
    return !has_lone_surrogate({string, bytes}) && scalar(JsonKind::string, {string, bytes});
  }
  bool Key(const char* key, rapidjson::SizeType bytes, bool) {
    if (has_lone_surrogate({key, bytes})) return false;
    if (depth_ != 1) return true;
    key_.assign(key, bytes);
    behind_ = stream_.Tell();
    return true;
  }
  bool StartObject() { return start(JsonKind::object); }
  bool StartArray() { return start(JsonKind::array); }
  bool EndObject(rapidjson::SizeType) { return end(JsonKind::object); }
  bool EndArray(rapidjson::SizeType) { return end(JsonKind::array); }

 private:
  bool scalar(JsonKind kind, std::string_view string) {
    if (depth_ > 1) return true;
    return depth_ == 1 && show(kind, stream_.Tell(), string);
  }
  // The bracket is taken from the stream after its event.
  bool start(JsonKind kind) {
    if (depth_ == 0 && kind != container_) return false;
    if (depth_ == 0) behind_ = stream_.Tell() + 1;
    return ++depth_ <= kMaxJsonDepth;
  }
  bool end(JsonKind kind) { return --depth_ != 1 || show(kind, stream_.Tell() + 1, {}); }

  bool show(JsonKind kind, std::size_t end, std::string_view string) {
    const std::size_t begin = text_.find_first_not_of(" \t\r\n:,", behind_);
    behind_ = end;
    return visit_(context_, {key_, kind, text_.substr(begin, end - begin), string});
  }

  std::string_view text_;
  JsonKind container_;
  const rapidjson::MemoryStream& stream_;
  detail::VisitJson visit_;
  void* context_;
  std::size_t depth_ = 0;
  std::size_t behind_ = 0;  // the last key, or the last item
  std::string key_;
};

}  // namespace

bool detail::walk_json(std::string_view text, JsonKind container, VisitJson visit, void* context) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  Events events(text, container, stream, visit, context);
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Reader reader;
  // A NUL reads as the stream's end.
  return !reader.Parse<kFlags>(stream, events).IsError() && stream.Tell() == text.size();
}

}  // namespace spate::handlers::client
