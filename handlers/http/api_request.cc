#include "handlers/http/api_request.h"

#include <array>
#include <charconv>

#include "codec/base64.h"
#include "handlers/client/json_object.h"
#include "handlers/client/reader.h"

namespace spate::handlers {

using client::JsonKind;
using client::JsonValue;

namespace {

template <typename Number>
bool read_number(const JsonValue& value, Number& to) {
  if (value.kind != JsonKind::number) return false;
  const char* const end = value.text.data() + value.text.size();
  const auto [stopped, error] = std::from_chars(value.text.data(), end, to);
  return error == std::errc() && stopped == end;
}

bool read(const JsonValue& value, std::string& to) {
  if (value.kind != JsonKind::string) return false;
  to = value.string;
  return true;
}
bool read(const JsonValue& value, std::uint64_t& to) {
  return read_number(value, to);
}
bool read(const JsonValue& value, std::int64_t& to) {
  return read_number(value, to);
}
bool read(const JsonValue& value, bool& to) {
  if (value.kind != JsonKind::boolean) return false;
  to = value.text == "true";
  return true;
}
bool read(const JsonValue& value, std::vector<std::string>& to) {
  to.clear();
  return value.kind == JsonKind::array &&
         client::for_each_item(value.text, [&](const JsonValue& item) {
           if (item.kind != JsonKind::string) return false;
           to.emplace_back(item.string);
           return true;
         });
}
bool read(const JsonValue& value, std::map<std::string, std::string>& to) {
  to.clear();
  return value.kind == JsonKind::object &&
         client::for_each_member(value.text, [&](const JsonValue& member) {
           if (member.kind != JsonKind::string) return false;
           to.insert_or_assign(std::string(member.key), member.string);
           return true;
         });
}
bool read(const JsonValue& value, ApiPosition& to) {
  to = {true, 0, {}};
  return value.kind == JsonKind::object &&
         client::for_each_member(value.text, [&](const JsonValue& member) {
           if (member.kind == JsonKind::null) return true;
           if (member.key == "offset") return read(member, to.offset);
           if (member.key == "epoch") return read(member, to.epoch);
           return true;
         });
}
// {"value": true}
bool read(const JsonValue& value, std::optional<bool>& to) {
  return value.kind == JsonKind::object &&
         client::for_each_member(value.text, [&](const JsonValue& member) {
           if (member.key != "value") return true;
           bool flag = false;
           if (!read(member, flag)) return false;
           to = flag;
           return true;
         });
}
bool read(const JsonValue& value, client::OptionOverride& to) {
  to = {};
  return value.kind == JsonKind::object &&
         client::for_each_member(value.text, [&](const JsonValue& member) {
           if (member.kind == JsonKind::null) return true;
           if (member.key == "presence") return read(member, to.presence);
           if (member.key == "join_leave") return read(member, to.join_leave);
           if (member.key == "force_push_join_leave") return read(member, to.force_push_join_leave);
           if (member.key == "force_recovery") return read(member, to.force_recovery);
           if (member.key == "force_positioning") return read(member, to.force_positioning);
           return true;
         });
}

// {"publish": {…}}: the first member is the method.
bool read_command(const JsonValue& item,
                  std::vector<std::pair<std::string, std::string_view>>& to) {
  if (item.kind != JsonKind::object) return false;
  auto& command = to.emplace_back();
  return client::for_each_member(item.text, [&](const JsonValue& member) {
    if (member.kind != JsonKind::object || !command.first.empty()) return true;
    command = {std::string(member.key), member.text};
    return true;
  });
}

using Read = bool (*)(ApiRequest& request, const JsonValue& value);
struct Member {
  std::string_view key;
  Read read;
};

constexpr std::array kMembers = std::to_array<Member>({
    {"channel", [](ApiRequest& r, const JsonValue& v) { return read(v, r.channel); }},
    {"channels", [](ApiRequest& r, const JsonValue& v) { return read(v, r.channels); }},
    {"user", [](ApiRequest& r, const JsonValue& v) { return read(v, r.user); }},
    {"users", [](ApiRequest& r, const JsonValue& v) { return read(v, r.users); }},
    {"client", [](ApiRequest& r, const JsonValue& v) { return read(v, r.client); }},
    {"session", [](ApiRequest& r, const JsonValue& v) { return read(v, r.session); }},
    {"skip_history", [](ApiRequest& r, const JsonValue& v) { return read(v, r.skip_history); }},
    {"tags", [](ApiRequest& r, const JsonValue& v) { return read(v, r.tags); }},
    {"idempotency_key",
     [](ApiRequest& r, const JsonValue& v) { return read(v, r.idempotency_key); }},
    {"version", [](ApiRequest& r, const JsonValue& v) { return read(v, r.version); }},
    {"version_epoch", [](ApiRequest& r, const JsonValue& v) { return read(v, r.version_epoch); }},
    {"exclude_clients",
     [](ApiRequest& r, const JsonValue& v) { return read(v, r.exclude_clients); }},
    {"exclude_users", [](ApiRequest& r, const JsonValue& v) { return read(v, r.exclude_users); }},
    {"whitelist", [](ApiRequest& r, const JsonValue& v) { return read(v, r.whitelist); }},
    {"disconnect",
     [](ApiRequest& r, const JsonValue& v) {
       r.disconnect_code = 0;
       r.disconnect_reason.clear();
       return v.kind == JsonKind::object &&
              client::for_each_member(v.text, [&](const JsonValue& member) {
                if (member.kind == JsonKind::null) return true;
                if (member.key == "code") return read(member, r.disconnect_code);
                if (member.key == "reason") return read(member, r.disconnect_reason);
                return true;
              });
     }},
    {"expired", [](ApiRequest& r, const JsonValue& v) { return read(v, r.expired); }},
    {"expire_at", [](ApiRequest& r, const JsonValue& v) { return read(v, r.expire_at); }},
    {"limit", [](ApiRequest& r, const JsonValue& v) { return read(v, r.limit); }},
    {"since", [](ApiRequest& r, const JsonValue& v) { return read(v, r.since); }},
    {"recover_since", [](ApiRequest& r, const JsonValue& v) { return read(v, r.recover_since); }},
    {"reverse", [](ApiRequest& r, const JsonValue& v) { return read(v, r.reverse); }},
    {"pattern", [](ApiRequest& r, const JsonValue& v) { return read(v, r.pattern); }},
    {"override", [](ApiRequest& r, const JsonValue& v) { return read(v, r.override_); }},
    {"commands",
     [](ApiRequest& r, const JsonValue& v) {
       r.commands.clear();
       return v.kind == JsonKind::array &&
              client::for_each_item(v.text, [&](const JsonValue& item) {
                return read_command(item, r.commands);
              });
     }},
});

}  // namespace

ApiRequest::Parsed ApiRequest::parse(std::string_view json) {
  bool binary_info = false;
  const auto payload = [&](const JsonValue& value, std::string_view& to) {
    std::string line;
    to = client::one_line(value.text, line);
    if (!line.empty()) to = kept_.emplace_back(std::move(line));
    return true;
  };
  const auto decoded = [&](const JsonValue& value, std::string_view& to, bool& flag) {
    if (value.kind != JsonKind::string) return false;
    std::string& bytes = kept_.emplace_back(value.string.size(), '\0');
    const Bytes room{reinterpret_cast<std::byte*>(bytes.data()), bytes.size()};
    const codec::Base64Decoded done = codec::base64_decode(room, value.string);
    bytes.resize(done.bytes);
    flag = true;
    to = bytes;
    return done.ok();
  };
  bool good = true;  // so far: that what follows is JSON matters more
  const auto take = [&](const JsonValue& value) {
    if (value.key == "data") return binary || payload(value, data);
    if (value.key == "info") return binary_info || payload(value, info);
    if (value.kind == JsonKind::null) return true;
    if (value.key == "b64data") return decoded(value, data, binary);
    if (value.key == "b64info") return decoded(value, info, binary_info);
    for (const Member& member : kMembers)
      if (member.key == value.key) return member.read(*this, value);
    return true;
  };
  const bool is_json = client::for_each_member(json, [&](const JsonValue& value) {
    good = good && take(value);
    return true;
  });
  if (!is_json) return Parsed::not_json;
  return good ? Parsed::ok : Parsed::bad_member;
}

}  // namespace spate::handlers
