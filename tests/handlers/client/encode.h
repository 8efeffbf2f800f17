// Commands written as a client would, in either encoding: what was read, written and read again
// must be the same.
#pragma once

#include <string>

#include "handlers/client/client.pb.h"
#include "handlers/client/json_text.h"
#include "handlers/client/protocol.h"

namespace spate::test {

namespace client = handlers::client;
namespace proto = centrifugal::centrifuge::protocol;

// Writes what is not zero, as `"name":value,`.
class JsonMembers {
 public:
  explicit JsonMembers(std::string& out) : out_(out) {}
  void operator()(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    key(name);
    client::append_json_string(out_, text);
    out_ += ',';
  }
  void operator()(std::string_view name, bool value) {
    if (value) raw(name, "true");
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void operator()(std::string_view name, T value) {
    if (value != 0) raw(name, std::to_string(value));
  }
  void raw(std::string_view name, std::string_view json) {
    if (json.empty()) return;
    key(name);
    out_.append(json).append(",");
  }
  template <typename Body>
  void object(std::string_view name, Body body) {
    key(name);
    out_ += '{';
    body();
    close();
  }
  void close() {
    if (out_.back() == ',') out_.pop_back();
    out_ += "},";
  }

 private:
  void key(std::string_view name) {
    client::append_json_string(out_, name);
    out_ += ':';
  }
  std::string& out_;
};

inline void write(JsonMembers& put, const client::SubscribeRequest& request, bool keyed) {
  if (!keyed) put("channel", request.channel);
  put("token", request.token);
  put("recover", request.recover);
  put("epoch", request.epoch);
  put("offset", request.offset);
  put.raw("data", request.data);
  put("positioned", request.positioned);
  put("recoverable", request.recoverable);
  put("join_leave", request.join_leave);
  put("delta", request.delta);
  if (request.has_filter) put.raw("tf", "{}");
  put("flag", request.flag);
  put("type", request.type);
}

inline void write(JsonMembers& put, const client::ConnectRequest& connect) {
  put("token", connect.token);
  put.raw("data", connect.data);
  put.object("subs", [&] {
    for (const client::SubscribeRequest& sub : connect.subs)
      put.object(sub.channel, [&] { write(put, sub, true); });
  });
  put("name", connect.name);
  put("version", connect.version);
  put.object("headers", [&] {
    for (const auto& [name, value] : connect.headers) {
      std::string text;
      client::append_json_string(text, value);
      put.raw(name, text);
    }
  });
}

inline void write(JsonMembers& put, const client::HistoryQuery& history) {
  put("channel", history.channel);
  put("limit", history.limit);
  if (history.has_since) {
    put.object("since", [&] {
      put("offset", history.since_offset);
      put("epoch", history.since_epoch);
    });
  }
  put("reverse", history.reverse);
}

inline std::string json_command(const client::Command& command) {
  using client::Method;
  std::string out = "{";
  JsonMembers put(out);
  if (command.method != Method::none) {
    put.object(client::method_name(command.method), [&] {
      if (command.method == Method::connect) write(put, command.connect);
      if (command.method == Method::subscribe) write(put, command.subscribe, false);
      if (command.method == Method::history) write(put, command.history);
      put("channel", command.channel);
      put("token", command.token);
      put.raw("data", command.data);
      put("method", command.rpc_method);
      put("type", command.type);
    });
  }
  put("id", command.id);
  put.close();
  out.pop_back();  // the comma behind it
  return out;
}

inline void build(const client::SubscribeRequest& from, proto::SubscribeRequest& to) {
  to.set_channel(std::string(from.channel));
  to.set_token(std::string(from.token));
  to.set_recover(from.recover);
  to.set_epoch(std::string(from.epoch));
  to.set_offset(from.offset);
  to.set_data(std::string(from.data));
  to.set_positioned(from.positioned);
  to.set_recoverable(from.recoverable);
  to.set_join_leave(from.join_leave);
  to.set_delta(std::string(from.delta));
  if (from.has_filter) to.mutable_tf();
  to.set_flag(from.flag);
  to.set_type(from.type);
}

inline void build(const client::Command& from, proto::ConnectRequest& to) {
  to.set_token(std::string(from.connect.token));
  to.set_data(std::string(from.connect.data));
  for (const client::SubscribeRequest& sub : from.connect.subs)
    build(sub, (*to.mutable_subs())[std::string(sub.channel)]);
  to.set_name(std::string(from.connect.name));
  to.set_version(std::string(from.connect.version));
  for (const auto& [name, value] : from.connect.headers)
    (*to.mutable_headers())[std::string(name)] = std::string(value);
}

inline void build(const client::HistoryQuery& from, proto::HistoryRequest& to) {
  to.set_channel(std::string(from.channel));
  to.set_limit(from.limit);
  to.set_reverse(from.reverse);
  if (!from.has_since) return;
  to.mutable_since()->set_offset(from.since_offset);
  to.mutable_since()->set_epoch(std::string(from.since_epoch));
}

inline proto::Command generated_command(const client::Command& command) {
  proto::Command to;
  const std::string channel(command.channel);
  const std::string token(command.token);
  const std::string data(command.data);
  to.set_id(command.id);
  switch (command.method) {
    case client::Method::none:
      break;
    case client::Method::connect:
      build(command, *to.mutable_connect());
      break;
    case client::Method::subscribe:
      build(command.subscribe, *to.mutable_subscribe());
      break;
    case client::Method::unsubscribe:
      to.mutable_unsubscribe()->set_channel(channel);
      break;
    case client::Method::publish:
      to.mutable_publish()->set_channel(channel);
      to.mutable_publish()->set_data(data);
      to.mutable_publish()->set_type(command.type);
      break;
    case client::Method::presence:
      to.mutable_presence()->set_channel(channel);
      break;
    case client::Method::presence_stats:
      to.mutable_presence_stats()->set_channel(channel);
      break;
    case client::Method::history:
      build(command.history, *to.mutable_history());
      break;
    case client::Method::rpc:
      to.mutable_rpc()->set_data(data);
      to.mutable_rpc()->set_method(std::string(command.rpc_method));
      break;
    case client::Method::send:
      to.mutable_send()->set_data(data);
      break;
    case client::Method::refresh:
      to.mutable_refresh()->set_token(token);
      break;
    case client::Method::sub_refresh:
      to.mutable_sub_refresh()->set_channel(channel);
      to.mutable_sub_refresh()->set_token(token);
      to.mutable_sub_refresh()->set_type(command.type);
      break;
    case client::Method::ping:
      to.mutable_ping();
      break;
  }
  return to;
}

inline std::string protobuf_command(const client::Command& command) {
  const std::string body = generated_command(command).SerializeAsString();
  std::string out;
  std::size_t length = body.size();
  for (; length >= 0x80; length >>= 7) out.push_back(static_cast<char>(length | 0x80));
  out.push_back(static_cast<char>(length));
  return out + body;
}

}  // namespace spate::test
