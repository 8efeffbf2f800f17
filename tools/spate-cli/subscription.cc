#include "tools/spate-cli/subscription.h"

#include <algorithm>
#include <charconv>

#include "core/printable.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"

namespace spate::cli {
namespace {

using handlers::client::append_json_string;
using handlers::client::for_each_item;
using handlers::client::for_each_member;
using handlers::client::JsonValue;

constexpr std::size_t kMaxShownBytes = 200;
// What the protocol calls codes that a client comes back after, with a new token here.
constexpr std::uint64_t kTokenExpired = 109;
constexpr std::uint64_t kFirstSubscribeAgain = 2500;

std::uint64_t number_of(const JsonValue& value) {
  std::uint64_t number = 0;
  std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  return number;
}

struct ServerError {
  std::uint64_t code = 0;
  std::string message;
  bool temporary = false;

  std::string text() const { return std::to_string(code) + " " + message; }
};

// {"code":…,"message" or "reason":…,"temporary":…}
ServerError error_of(std::string_view json) {
  ServerError error;
  for_each_member(json, [&](const JsonValue& value) {
    if (value.key == "code") error.code = number_of(value);
    if (value.key == "message" || value.key == "reason")
      error.message = core::printable(value.string, kMaxShownBytes);
    if (value.key == "temporary") error.temporary = value.text == "true";
    return true;
  });
  return error;
}

}  // namespace

Subscription::Subscription(const std::vector<std::string>& channels, bool join_leave,
                           Listener& listener)
    : join_leave_(join_leave), listener_(listener) {
  for (const std::string& channel : channels) {
    if (std::ranges::find(channels_, channel, &Channel::name) != channels_.end()) continue;
    channels_.emplace_back().name = channel;
  }
}

std::string Subscription::hello(std::string_view token) {
  connected_ = false;
  waiting_.clear();
  connect_id_ = next_id_++;
  std::string message = "{\"id\":" + std::to_string(connect_id_) + ",\"connect\":{";
  if (!token.empty()) {
    message += "\"token\":";
    append_json_string(message, token);
    message += ',';
  }
  message += "\"name\":\"spate-cli\"}}";
  for (Channel& channel : channels_)
    if (!channel.over) message += "\n" + subscribe_command(channel);
  return message;
}

std::string Subscription::subscribe_command(Channel& channel) {
  const std::uint64_t id = next_id_++;
  waiting_.emplace_back(id, &channel - channels_.data());
  channel.recovering = channel.recoverable;
  std::string command = "{\"id\":" + std::to_string(id) + ",\"subscribe\":{\"channel\":";
  append_json_string(command, channel.name);
  command += ",\"positioned\":true,\"recoverable\":true";
  if (join_leave_) command += ",\"join_leave\":true";
  if (channel.recovering) {
    command += ",\"recover\":true,\"offset\":" + std::to_string(channel.offset) + ",\"epoch\":";
    append_json_string(command, channel.epoch);
  }
  return command + "}}";
}

Subscription::Fate Subscription::take(std::string_view message, std::string& answer) {
  Fate fate = Fate::go_on;
  while (fate == Fate::go_on && !message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(line.size() + 1, message.size()));
    if (!line.empty()) fate = take_line(line, answer);
  }
  return fate;
}

Subscription::Fate Subscription::take_line(std::string_view line, std::string& answer) {
  std::uint64_t id = 0;
  std::string_view connect, subscribe, error, push;
  bool empty = true;
  const bool whole = for_each_member(line, [&](const JsonValue& value) {
    empty = false;
    if (value.key == "id") id = number_of(value);
    if (value.key == "connect") connect = value.text;
    if (value.key == "subscribe") subscribe = value.text;
    if (value.key == "error") error = value.text;
    if (value.key == "push") push = value.text;
    return true;
  });
  if (!whole) {
    why_ = "the server sends what is no JSON object";
    return Fate::reconnect;
  }
  if (empty && pong_) answer += answer.empty() ? "{}" : "\n{}";
  if (!push.empty()) return take_push(push, answer);
  return id == 0 ? Fate::go_on : take_reply(id, connect, subscribe, error);
}

Subscription::Fate Subscription::take_reply(std::uint64_t id, std::string_view connect,
                                            std::string_view subscribe, std::string_view error) {
  if (id == connect_id_) {
    if (!error.empty()) return take_connect_error(error);
    take_connected(connect);
    return Fate::go_on;
  }
  const auto found = std::ranges::find(waiting_, id, &std::pair<std::uint64_t, std::size_t>::first);
  if (found == waiting_.end()) return Fate::go_on;
  Channel& channel = channels_[found->second];
  waiting_.erase(found);
  if (!error.empty()) return take_subscribe_error(channel, error);
  take_subscribed(channel, subscribe);
  return Fate::go_on;
}

Subscription::Fate Subscription::take_connect_error(std::string_view json) {
  const ServerError error = error_of(json);
  why_ = "the server refuses the connection: " + error.text();
  if (error.code == kTokenExpired) return Fate::expired;
  return error.temporary ? Fate::reconnect : Fate::refused;
}

void Subscription::take_connected(std::string_view result) {
  connected_ = true;
  pong_ = false;
  ping_seconds_ = 0;
  for_each_member(result, [&](const JsonValue& value) {
    if (value.key == "pong") pong_ = value.text == "true";
    if (value.key == "ping") ping_seconds_ = static_cast<std::int64_t>(number_of(value) & 0xFFFFFF);
    return true;
  });
}

Subscription::Fate Subscription::take_subscribe_error(Channel& channel, std::string_view json) {
  const ServerError error = error_of(json);
  if (!error.temporary) return give_up(channel, error.text());
  why_ = channel.name + ": " + error.text();
  return Fate::reconnect;
}

// The others go on; with the last one the whole is over.
Subscription::Fate Subscription::give_up(Channel& channel, std::string_view why) {
  channel.over = true;
  listener_.refused(channel.name, why);
  if (!std::ranges::all_of(channels_, &Channel::over)) return Fate::go_on;
  why_ = "no channel is left";
  return Fate::refused;
}

void Subscription::take_subscribed(Channel& channel, std::string_view result) {
  const std::uint64_t since = channel.offset;
  std::string_view publications;
  bool recovered = false;
  channel.recoverable = false;
  channel.offset = 0;
  channel.epoch.clear();
  for_each_member(result, [&](const JsonValue& value) {
    if (value.key == "recoverable") channel.recoverable = value.text == "true";
    if (value.key == "recovered") recovered = value.text == "true";
    if (value.key == "offset") channel.offset = number_of(value);
    if (value.key == "epoch") channel.epoch = value.string;
    if (value.key == "publications") publications = value.text;
    return true;
  });
  if (channel.recovering) listener_.resumed(channel.name, recovered, since, channel.offset);
  if (publications.empty()) return;
  for_each_item(publications, [&](const JsonValue& publication) {
    take_publication(channel, publication.text);
    return true;
  });
}

Subscription::Fate Subscription::take_push(std::string_view push, std::string& answer) {
  std::string name;
  std::string_view publication, join, leave, unsubscribe, disconnect;
  for_each_member(push, [&](const JsonValue& value) {
    if (value.key == "channel") name = value.string;
    if (value.key == "pub") publication = value.text;
    if (value.key == "join") join = value.text;
    if (value.key == "leave") leave = value.text;
    if (value.key == "unsubscribe") unsubscribe = value.text;
    if (value.key == "disconnect") disconnect = value.text;
    return true;
  });
  if (!disconnect.empty()) {
    why_ = "the server ends the connection: " + error_of(disconnect).text();
    return Fate::reconnect;
  }
  const auto channel = std::ranges::find(channels_, name, &Channel::name);
  if (channel == channels_.end()) return Fate::go_on;
  if (!publication.empty()) take_publication(*channel, publication);
  for (const std::string_view event : {join, leave}) {
    if (event.empty()) continue;
    for_each_member(event, [&](const JsonValue& value) {
      if (value.key == "info") listener_.presence(name, event.data() == join.data(), value.text);
      return true;
    });
  }
  return unsubscribe.empty() ? Fate::go_on : take_unsubscribe(*channel, unsubscribe, answer);
}

Subscription::Fate Subscription::take_unsubscribe(Channel& channel, std::string_view push,
                                                  std::string& answer) {
  const ServerError why = error_of(push);
  if (why.code < kFirstSubscribeAgain)
    return give_up(channel, "the server ends the subscription: " + why.text());
  answer += (answer.empty() ? "" : "\n") + subscribe_command(channel);
  return Fate::go_on;
}

void Subscription::take_publication(Channel& channel, std::string_view publication) {
  std::uint64_t offset = 0;
  std::string_view data;
  for_each_member(publication, [&](const JsonValue& value) {
    if (value.key == "offset") offset = number_of(value);
    if (value.key == "data") data = value.text;
    return true;
  });
  if (offset != 0) channel.offset = offset;
  listener_.publication(channel.name, offset, data);
}

}  // namespace spate::cli
