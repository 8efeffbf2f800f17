// What workers and the broker process write into each other's rings (core/bus_memory.h). Kinds are
// the rings' own; the payloads are numbers in host byte order and texts behind their length, for
// both ends are the same program.
//
// A request's tag is the generation of the worker that wrote it; a reply's tag is the position of
// the request it answers; an event's tag is the hash of its channel's name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base.h"
#include "handlers/hub/broker.h"

namespace spate::handlers::hub {

// From a worker to the broker. Those up to user_status are answered, in their order.
enum class BusRequest : std::uint8_t {
  publish = 1,
  history,
  remove_history,
  presence,
  presence_stats,
  user_status,
  hello,      // a new generation begins
  announced,  // all presence and users have been said again: the broker's generation
  add_presence,
  remove_presence,
  join,
  leave,
  user,      // how many connections of it are here now
  question,  // to one worker or to all
  answer,    // to a question
};

// From the broker to one worker. Those from `question` on come unasked.
enum class BusReply : std::uint8_t {
  published = 1,
  history,
  history_removed,
  presence,
  presence_stats,
  user_status,
  question,  // from another worker, or from itself
  answer,    // of one worker; in pieces
  answered,  // by all that were asked
};

// From the broker to all.
enum class BusEvent : std::uint8_t {
  publication = 1,
  join,
  leave,
  started,  // a broker that knows only the log: say again who is here. Its generation
};

template <typename Enum>
constexpr std::uint8_t raw_kind(Enum kind) {
  return static_cast<std::uint8_t>(kind);
}

// Makes a payload in a string that keeps its memory.
class BusWriter {
 public:
  explicit BusWriter(std::string& out) : out_(out) { out_.clear(); }

  template <typename T>
  BusWriter& number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  BusWriter& text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    out_.append(text);
    return *this;
  }
  BusWriter& texts(std::span<const std::string_view> texts);
  BusWriter& position(const StreamPosition& position);
  BusWriter& policy(const HistoryPolicy& policy);
  BusWriter& info(const ClientInfo& info);
  BusWriter& publication(const Publication& publication);

  ConstBytes bytes() const { return as_bytes(out_); }
  std::size_t size() const { return out_.size(); }

 private:
  std::string& out_;
};

// Reads one. What is not there reads as zero or empty, and ok() is false from then on: a payload
// that another process damaged ends nobody. Texts are views into the payload.
class BusParser {
 public:
  explicit BusParser(ConstBytes payload) : rest_(payload) {}

  template <typename T>
  T number() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (rest_.size() < sizeof value) {
      fail();
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return value;
  }
  std::string_view text();
  void texts(std::vector<std::string_view>& out);
  StreamPosition position();
  HistoryPolicy policy();
  ClientInfo info();
  // `tags` is what the publication's list points into.
  Publication publication(std::vector<Tag>& tags);

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  ConstBytes rest_;
  bool ok_ = true;
};

// Lists that what was parsed points into; kept for their memory.
struct BusLists {
  std::vector<Tag> tags;
  std::vector<std::string_view> exclude_users;
  std::vector<std::string_view> exclude_clients;
};

void write_publish(BusWriter& writer, const PublishRequest& request);
PublishRequest parse_publish(BusParser& parser, BusLists& lists);

void write_history(BusWriter& writer, const HistoryRequest& request);
HistoryRequest parse_history(BusParser& parser);

}  // namespace spate::handlers::hub
