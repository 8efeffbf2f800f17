// A message's members in Protobuf's wire format, as generated code writes them: what is zero or
// empty is left out. The same methods as JsonFields; `always` has no meaning here but for objects.
//
// What has a length is written behind one byte that is kept free for it, and moves on where the
// length turns out to need more: a copy of what was just written, once for each message around it.
// Generated code measures first, which takes a second description of every message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "handlers/client/field.h"

namespace spate::handlers::client {

class ProtobufFields {
 public:
  // One whole message, behind its length.
  template <typename Body>
  static void message(std::string& out, Body body) {
    ProtobufFields(out).delimited(body);
  }

  void text(Field field, std::string_view value) {
    if (!value.empty()) text_here(field.number, value);
  }
  void text_always(Field field, std::string_view value) { text(field, value); }
  void number(Field field, std::uint64_t value) {
    if (value == 0) return;
    tag(field.number, kVarint);
    varint(value);
  }
  void number_always(Field field, std::uint64_t value) { number(field, value); }
  void flag(Field field, bool value) { number(field, value ? 1 : 0); }
  void payload(Field field, std::string_view value) { text(field, value); }
  template <typename Body>
  void object_always(Field field, Body body) {
    object_here(field.number, body);
  }
  template <typename Items, typename Body>
  void list(Field field, const Items& items, Body body) {
    for (const auto& item : items)
      object_here(field.number, [&](ProtobufFields& object) { body(object, item); });
  }
  template <typename Items, typename Body>
  void list_always(Field field, const Items& items, Body body) {
    list(field, items, body);
  }
  // A map is a list of {1: key, 2: value}, both always there.
  template <typename Items, typename Key, typename Body>
  void map(Field field, const Items& items, Key key_of, Body body) {
    list(field, items, [&](ProtobufFields& entry, const auto& item) {
      entry.text_here(1, key_of(item));
      entry.object_here(2, [&](ProtobufFields& value) { body(value, item); });
    });
  }
  template <typename Items, typename Key, typename Body>
  void map_always(Field field, const Items& items, Key key_of, Body body) {
    map(field, items, key_of, body);
  }
  template <typename Items, typename Key, typename Value>
  void text_map(Field field, const Items& items, Key key_of, Value value_of) {
    list(field, items, [&](ProtobufFields& entry, const auto& item) {
      entry.text_here(1, key_of(item));
      entry.text_here(2, value_of(item));
    });
  }

 private:
  static constexpr std::uint32_t kVarint = 0;
  static constexpr std::uint32_t kDelimited = 2;

  explicit ProtobufFields(std::string& out) : out_(out) {}

  void tag(std::uint32_t number, std::uint32_t wire_type) { varint(number << 3 | wire_type); }
  void text_here(std::uint32_t number, std::string_view value) {
    tag(number, kDelimited);
    varint(value.size());
    out_.append(value);
  }
  template <typename Body>
  void object_here(std::uint32_t number, Body body) {
    tag(number, kDelimited);
    delimited(body);
  }
  template <typename Body>
  void delimited(Body body) {
    const std::size_t at = out_.size();
    out_.push_back('\0');
    body(*this);
    char length[kMaxVarintBytes];
    const std::size_t bytes = encode(out_.size() - at - 1, length);
    out_[at] = length[0];
    if (bytes > 1) out_.insert(at + 1, length + 1, bytes - 1);
  }
  void varint(std::uint64_t value) {
    char bytes[kMaxVarintBytes];
    out_.append(bytes, encode(value, bytes));
  }

  static constexpr std::size_t kMaxVarintBytes = 10;
  static std::size_t encode(std::uint64_t value, char* to) {
    std::size_t bytes = 0;
    for (; value >= 0x80; value >>= 7) to[bytes++] = static_cast<char>(value | 0x80);
    to[bytes++] = static_cast<char>(value);
    return bytes;
  }

  std::string& out_;
};

}  // namespace spate::handlers::client
