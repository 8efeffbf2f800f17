#include "handlers/client/json_members.h"

#include <algorithm>
#include <span>

namespace spate::handlers::client {
namespace {

template <typename T>
struct Row {
  std::string_view key;
  Slot (*slot)(T& object);
};

constexpr Row<SubscribeRequest> kSubscribe[] = {
    {"channel", [](SubscribeRequest& s) -> Slot { return &s.channel; }},
    {"token", [](SubscribeRequest& s) -> Slot { return &s.token; }},
    {"recover", [](SubscribeRequest& s) -> Slot { return &s.recover; }},
    {"epoch", [](SubscribeRequest& s) -> Slot { return &s.epoch; }},
    {"offset", [](SubscribeRequest& s) -> Slot { return &s.offset; }},
    {"data", [](SubscribeRequest& s) -> Slot { return Payload{&s.data}; }},
    {"positioned", [](SubscribeRequest& s) -> Slot { return &s.positioned; }},
    {"recoverable", [](SubscribeRequest& s) -> Slot { return &s.recoverable; }},
    {"join_leave", [](SubscribeRequest& s) -> Slot { return &s.join_leave; }},
    {"delta", [](SubscribeRequest& s) -> Slot { return &s.delta; }},
    {"tf", [](SubscribeRequest& s) -> Slot { return Presence{&s.has_filter}; }},
    {"flag", [](SubscribeRequest& s) -> Slot { return &s.flag; }},
    {"type", [](SubscribeRequest& s) -> Slot { return &s.type; }},
};

constexpr Row<Command> kConnect[] = {
    {"token", [](Command& c) -> Slot { return &c.connect.token; }},
    {"data", [](Command& c) -> Slot { return Payload{&c.connect.data}; }},
    {"subs", [](Command&) -> Slot { return Place::subs; }},
    {"name", [](Command& c) -> Slot { return &c.connect.name; }},
    {"version", [](Command& c) -> Slot { return &c.connect.version; }},
    {"headers", [](Command&) -> Slot { return Place::headers; }},
};

constexpr Row<Command> kHistory[] = {
    {"channel", [](Command& c) -> Slot { return &c.history.channel; }},
    {"limit", [](Command& c) -> Slot { return &c.history.limit; }},
    {"since", [](Command&) -> Slot { return Place::since; }},
    {"reverse", [](Command& c) -> Slot { return &c.history.reverse; }},
};

constexpr Row<HistoryQuery> kSince[] = {
    {"offset", [](HistoryQuery& h) -> Slot { return &h.since_offset; }},
    {"epoch", [](HistoryQuery& h) -> Slot { return &h.since_epoch; }},
};

// Members that requests share; which of them a request has is said below.
constexpr Row<Command> kChannel = {"channel", [](Command& c) -> Slot { return &c.channel; }};
constexpr Row<Command> kData = {"data", [](Command& c) -> Slot { return Payload{&c.data}; }};
constexpr Row<Command> kToken = {"token", [](Command& c) -> Slot { return &c.token; }};
constexpr Row<Command> kType = {"type", [](Command& c) -> Slot { return &c.type; }};
constexpr Row<Command> kRpcMethod = {"method", [](Command& c) -> Slot { return &c.rpc_method; }};

constexpr Row<Command> kChannelOnly[] = {kChannel};
constexpr Row<Command> kPublish[] = {kChannel, kData, kType};
constexpr Row<Command> kRpc[] = {kData, kRpcMethod};
constexpr Row<Command> kSend[] = {kData};
constexpr Row<Command> kRefresh[] = {kToken};
constexpr Row<Command> kSubRefresh[] = {kChannel, kToken, kType};

std::span<const Row<Command>> rows_of(Method method) {
  switch (method) {
    case Method::connect:
      return kConnect;
    case Method::unsubscribe:
    case Method::presence:
    case Method::presence_stats:
      return kChannelOnly;
    case Method::publish:
      return kPublish;
    case Method::history:
      return kHistory;
    case Method::rpc:
      return kRpc;
    case Method::send:
      return kSend;
    case Method::refresh:
      return kRefresh;
    case Method::sub_refresh:
      return kSubRefresh;
    case Method::subscribe:
    case Method::ping:
    case Method::none:
      break;
  }
  return {};
}

template <typename T>
Slot slot_of(std::span<const Row<T>> rows, T& object, std::string_view key) {
  const auto row = std::ranges::find(rows, key, &Row<T>::key);
  return row != rows.end() ? row->slot(object) : Slot{};
}

}  // namespace

Slot command_slot(Command& command, std::string_view key) {
  if (key == "id") return &command.id;
  for (std::size_t i = 1; i < kMethods; ++i) {
    if (key == method_name(static_cast<Method>(i))) return static_cast<Method>(i);
  }
  return {};
}

Slot request_slot(Command& command, std::string_view key) {
  return command.method == Method::subscribe
             ? subscribe_slot(command.subscribe, key)
             : slot_of<Command>(rows_of(command.method), command, key);
}

Slot subscribe_slot(SubscribeRequest& request, std::string_view key) {
  return slot_of<SubscribeRequest>(kSubscribe, request, key);
}

Slot since_slot(HistoryQuery& history, std::string_view key) {
  return slot_of<HistoryQuery>(kSince, history, key);
}

}  // namespace spate::handlers::client
