// RapidJSON's events, put where they belong as they come: no tree is built, and nesting costs the
// parser's own stack a few bytes a level, up to kMaxJsonDepth.
//
// The parser decodes every string into its stack, so what is kept of a command is two kinds of
// spans of the frame itself: payloads as they are, and text wherever its bytes are there unescaped.
// UTF-8 is validated for the whole frame at once; RapidJSON's own validation, a byte at a time,
// kept it from copying strings in one go.
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <string>
#include <vector>

#include "codec/utf8.h"
#include "handlers/client/json_members.h"
#include "handlers/client/json_text.h"
#include "handlers/client/reader.h"

namespace spate::handlers::client {
namespace {

// Of keys that come twice the last one counts; a search for each would cost the square of them.
template <typename Entry, typename Key>
void keep_last_of_each(std::vector<Entry>& entries, Key key) {
  if (entries.size() < 2) return;
  std::ranges::reverse(entries);
  std::ranges::stable_sort(entries, {}, key);
  const auto same_key = [&](const Entry& a, const Entry& b) {
    return std::invoke(key, a) == std::invoke(key, b);
  };
  entries.erase(std::unique(entries.begin(), entries.end(), same_key), entries.end());
}

// What had to be decoded. Each byte of it stands for at least one of the frame's, so that much is
// reserved before the first, and views of it hold.
class Texts {
 public:
  void begin(std::string_view frame) {
    frame_bytes_ = frame.size();
    texts_.clear();
  }
  std::string_view keep_decoded(std::string_view text) {
    return keep(text.size(), [&] { texts_.append(text); });
  }
  std::string_view keep_one_line(std::string_view json) {
    return keep(json.size(), [&] { append_one_line(texts_, json); });
  }

 private:
  template <typename Append>
  std::string_view keep(std::size_t at_most, Append append) {
    if (texts_.empty()) texts_.reserve(frame_bytes_);
    SPATE_CHECK(at_most <= texts_.capacity() - texts_.size());
    const std::size_t at = texts_.size();
    append();
    return std::string_view(texts_).substr(at);
  }

  std::size_t frame_bytes_ = 0;
  std::string texts_;
};

// Fills in one command. False from an event ends the parse: something is not what it must be.
class CommandEvents : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, CommandEvents> {
 public:
  // `text` is what `stream` reads. A request that another one in the command precedes is checked as
  // any and read into `passed_over`.
  CommandEvents(std::string_view text, const rapidjson::MemoryStream& stream, Texts& texts,
                Command& command, Command& passed_over)
      : text_(text),
        stream_(stream),
        texts_(texts),
        command_(command),
        passed_over_(passed_over),
        request_(&command) {}

  // As if the key were not there.
  bool Null() { return depth_ > 0; }
  bool Bool(bool value) {
    if (passing()) return true;
    if (bool** to = std::get_if<bool*>(&slot_)) {
      **to = value;
      return true;
    }
    return ended();
  }
  bool RawNumber(const char* text, rapidjson::SizeType bytes, bool) {
    if (passing()) return true;
    const std::string_view number(text, bytes);
    if (auto* to = std::get_if<std::uint32_t*>(&slot_)) return integer(number, **to);
    if (auto* to = std::get_if<std::uint64_t*>(&slot_)) return integer(number, **to);
    if (auto* to = std::get_if<std::int32_t*>(&slot_)) return integer(number, **to);
    if (auto* to = std::get_if<std::int64_t*>(&slot_)) return integer(number, **to);
    return ended();
  }
  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    const std::string_view decoded(text, bytes);
    if (has_lone_surrogate(decoded)) return false;
    if (passing()) return true;
    if (auto* to = std::get_if<std::string_view*>(&slot_)) {
      **to = kept(decoded);
      return true;
    }
    if (std::holds_alternative<Header>(slot_)) {
      request_->connect.headers.emplace_back(entry_key_, kept(decoded));
      return true;
    }
    return ended();
  }
  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    const std::string_view key(text, bytes);
    if (has_lone_surrogate(key)) return false;
    if (passing()) return true;
    find_slot(key);
    // The value begins behind the colon; when there is none the parse will fail.
    const std::size_t colon = text_.find_first_not_of(kJsonSpace, stream_.Tell());
    value_at_ = std::min(text_.find_first_not_of(kJsonSpace, colon + 1), text_.size());
    return true;
  }
  bool StartObject() { return open(true); }
  bool StartArray() { return open(false); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

 private:
  // Inside a value that is passed over, payloads among them.
  bool passing() const { return depth_ > level_; }

  bool open(bool object) {
    if (++depth_ > kMaxJsonDepth) return false;
    if (depth_ == 1) return object && enter(Place::command);
    if (depth_ - 1 > level_) return true;
    if (const Method* method = std::get_if<Method>(&slot_)) return object && begin(*method);
    if (const Place* place = std::get_if<Place>(&slot_)) return object && enter(*place);
    return takes_anything();
  }

  bool close() {
    --depth_;
    if (depth_ < level_) {
      leave();
      return true;
    }
    return depth_ > level_ || ended(1);  // the event comes before the bracket is taken
  }

  bool takes_anything() const {
    return std::holds_alternative<std::monostate>(slot_) ||
           std::holds_alternative<Payload>(slot_) || std::holds_alternative<Presence>(slot_);
  }

  // A value has ended that need not be of any kind.
  bool ended(std::size_t bracket = 0) {
    if (depth_ == 0 || !takes_anything()) return false;
    if (const Payload* payload = std::get_if<Payload>(&slot_)) {
      const std::string_view value = text_.substr(value_at_, stream_.Tell() + bracket - value_at_);
      *payload->to = is_one_line(value) ? value : texts_.keep_one_line(value);
    } else if (const Presence* presence = std::get_if<Presence>(&slot_)) {
      *presence->to = true;
    }
    return true;
  }

  bool begin(Method method) {
    // The documented order is that of the numbers.
    const bool precedes = command_.method == Method::none || method <= command_.method;
    request_ = precedes ? &command_ : &passed_over_;
    const std::uint32_t id = request_->id;
    request_->clear();
    request_->id = id;
    request_->method = method;
    return enter(Place::request);
  }

  bool enter(Place place) {
    places_[level_++] = place;
    slot_ = {};
    switch (place) {
      case Place::subs:
        request_->connect.subs.clear();
        break;
      case Place::sub:
        request_->connect.subs.emplace_back();
        break;
      case Place::headers:
        request_->connect.headers.clear();
        break;
      case Place::since:
        request_->history.has_since = true;
        request_->history.since_offset = 0;
        request_->history.since_epoch = {};
        break;
      case Place::command:
      case Place::request:
        break;
    }
    return true;
  }

  void leave() {
    ConnectRequest& connect = request_->connect;
    switch (places_[--level_]) {
      case Place::sub:
        connect.subs.back().channel = entry_key_;
        break;
      case Place::subs:
        keep_last_of_each(connect.subs, &SubscribeRequest::channel);
        break;
      case Place::headers:
        keep_last_of_each(connect.headers, [](const auto& header) { return header.first; });
        break;
      default:
        break;
    }
    slot_ = {};
  }

  void find_slot(std::string_view key) {
    switch (places_[level_ - 1]) {
      case Place::command:
        slot_ = command_slot(command_, key);
        break;
      case Place::request:
        slot_ = request_slot(*request_, key);
        break;
      case Place::sub:
        slot_ = subscribe_slot(request_->connect.subs.back(), key);
        break;
      case Place::since:
        slot_ = since_slot(request_->history, key);
        break;
      case Place::subs:
        entry_key_ = kept(key);
        slot_ = Place::sub;
        break;
      case Place::headers:
        entry_key_ = kept(key);
        slot_ = Header{};
        break;
    }
  }

  // The string that has just been read, as something that stays.
  std::string_view kept(std::string_view decoded) {
    const std::string_view source = text_.substr(0, stream_.Tell() - 1);  // without the last quote
    return source.ends_with(decoded) ? source.substr(source.size() - decoded.size())
                                     : texts_.keep_decoded(decoded);
  }

  // Nothing but digits, and a minus where T has one.
  template <typename T>
  static bool integer(std::string_view text, T& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
  }

  std::string_view text_;
  const rapidjson::MemoryStream& stream_;
  Texts& texts_;
  Command& command_;
  Command& passed_over_;
  Command* request_;  // one of the two
  Slot slot_;
  std::size_t value_at_ = 0;    // where the value behind the last key begins
  std::string_view entry_key_;  // of a map
  std::size_t depth_ = 0;       // what is open
  std::size_t level_ = 0;       // of that, objects whose members are looked at: the outermost
  std::array<Place, 4> places_{};
};

class JsonReader final : public CommandReader {
 public:
  void begin(ConstBytes frame) override {
    frame_ = as_text(frame);
    at_ = 0;
    any_ = false;
    texts_.begin(frame_);
    codec::Utf8State utf8;
    bad_ = !codec::utf8_validate(utf8, frame) || !codec::utf8_complete(utf8);
  }

  ReadStatus next(Command& command) override {
    command.clear();
    if (bad_) return ReadStatus::bad;
    const std::size_t start = std::min(frame_.find_first_not_of(kJsonSpace, at_), frame_.size());
    const bool at_end = start == frame_.size();
    if (at_end && any_) return ReadStatus::end;
    const bool joined = !any_ || frame_.substr(at_, start - at_).find('\n') != frame_.npos;
    bad_ = at_end || !joined || !read(start, command);
    any_ = true;
    return bad_ ? ReadStatus::bad : ReadStatus::command;
  }

 private:
  bool read(std::size_t start, Command& command) {
    const std::string_view text = frame_.substr(start);
    rapidjson::MemoryStream stream(text.data(), text.size());
    CommandEvents events(text, stream, texts_, command, passed_over_);
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseStopWhenDoneFlag |
                                rapidjson::kParseNumbersAsStringsFlag;
    const bool ok = !parser_.Parse<kFlags>(stream, events).IsError();
    at_ = start + stream.Tell();
    return ok;
  }

  std::string_view frame_;
  std::size_t at_ = 0;  // behind the last command
  bool any_ = false;    // whether there was one
  bool bad_ = true;
  Texts texts_;
  Command passed_over_;
  rapidjson::Reader parser_;
};

}  // namespace

std::unique_ptr<CommandReader> make_json_reader() {
  return std::make_unique<JsonReader>();
}

}  // namespace spate::handlers::client
