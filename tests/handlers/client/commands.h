// Commands as a line of text, so that tables say what is expected and two readings compare.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "handlers/client/reader.h"

namespace spate::test {

namespace client = handlers::client;

inline void add(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out.append(" ").append(name).append("=").append(value);
}
inline void add(std::string& out, std::string_view name, bool value) {
  if (value) out.append(" ").append(name);
}
template <std::integral T>
requires(!std::same_as<T, bool>) void add(std::string& out, std::string_view name, T value) {
  if (value != 0) add(out, name, std::string_view(std::to_string(value)));
}

inline void add(std::string& out, const client::SubscribeRequest& request) {
  add(out, "channel", request.channel);
  add(out, "token", request.token);
  add(out, "recover", request.recover);
  add(out, "epoch", request.epoch);
  add(out, "offset", request.offset);
  add(out, "data", request.data);
  add(out, "positioned", request.positioned);
  add(out, "recoverable", request.recoverable);
  add(out, "join_leave", request.join_leave);
  add(out, "delta", request.delta);
  add(out, "filter", request.has_filter);
  add(out, "flag", request.flag);
  add(out, "type", request.type);
}

// What is zero is left out; every member that is not shows, whichever the method.
inline std::string outline(const client::Command& command) {
  std::string out(client::method_name(command.method));
  add(out, "id", command.id);
  add(out, "token", command.connect.token);
  add(out, "data", command.connect.data);
  for (const client::SubscribeRequest& request : command.connect.subs) {
    out += " [";
    add(out, request);
    out += " ]";
  }
  add(out, "name", command.connect.name);
  add(out, "version", command.connect.version);
  for (const auto& [name, value] : command.connect.headers)
    out.append(" {").append(name).append(": ").append(value).append("}");
  add(out, command.subscribe);
  add(out, "channel", command.history.channel);
  add(out, "limit", command.history.limit);
  add(out, "since", command.history.has_since);
  add(out, "offset", command.history.since_offset);
  add(out, "epoch", command.history.since_epoch);
  add(out, "reverse", command.history.reverse);
  add(out, "channel", command.channel);
  add(out, "token", command.token);
  add(out, "data", command.data);
  add(out, "method", command.rpc_method);
  add(out, "type", command.type);
  return out;
}

// The commands of a frame, each behind a bar; then `| bad` when that is how it ends.
inline std::string read_frame(client::CommandReader& reader, ConstBytes frame) {
  std::string out;
  client::Command command;
  reader.begin(frame);
  client::ReadStatus status = reader.next(command);
  for (; status == client::ReadStatus::command; status = reader.next(command))
    out += (out.empty() ? "" : " | ") + outline(command);
  // It stays so.
  SPATE_CHECK(reader.next(command) == status);
  if (status == client::ReadStatus::bad) out += out.empty() ? "bad" : " | bad";
  return out;
}

}  // namespace spate::test
