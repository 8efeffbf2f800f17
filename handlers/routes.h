// Which path leads where: the endpoints of one worker's listeners.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "handlers/deflated_session.h"
#include "handlers/guard.h"
#include "handlers/http/http_handler.h"
#include "handlers/session.h"
#include "handlers/websocket.h"

namespace spate::handlers {

// One path: a WebSocket endpoint, a plain HTTP one, or both.
struct Route {
  std::unique_ptr<WebSocketHandler> websocket;
  std::unique_ptr<Session> session;           // speaks the protocol for `websocket`
  std::unique_ptr<DeflatedSession> deflated;  // with permessage-deflate; null: it is off
  std::unique_ptr<HttpHandler> http;
  Guard* guard = nullptr;
};

class Routes {
 public:
  // `guards`: the worker's; null: of its own.
  Routes(core::ConnectionTable& table, const SessionOptions& options, Guards* guards = nullptr)
      : table_(table),
        options_(options),
        guards_(guards != nullptr ? *guards : own_guards_.emplace(Guards::Options{})) {}

  // A path that is taken for the same purpose is a bug of ours.
  void add(std::string_view path, std::unique_ptr<WebSocketHandler> handler) {
    Route& route = route_at(path);
    SPATE_CHECK(route.websocket == nullptr);
    SessionOptions options = options_;
    options.guard = route.guard;
    if (handler->keeps_time()) {
      options.own_deadlines = true;
      options.ping_interval = options.idle_timeout = 0;
    }
    route.session = std::make_unique<Session>(table_, *handler, options);
    if (options.deflation != nullptr)
      route.deflated = std::make_unique<DeflatedSession>(table_, *handler, options);
    route.websocket = std::move(handler);
  }
  void add(std::string_view path, std::unique_ptr<HttpHandler> handler) {
    Route& route = route_at(path);
    SPATE_CHECK(route.http == nullptr);
    route.http = std::move(handler);
  }

  // Exactly this path, a slash at its end set aside. Null when nothing is there.
  const Route* find(std::string_view path) const {
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    const auto found = routes_.find(path);
    return found == routes_.end() ? nullptr : &found->second;
  }

  // Who guards the endpoint that a session serves; null when it is none of these.
  Guard* guard_of(const core::Protocol* session) const {
    for (const auto& [path, route] : routes_)
      if (session != nullptr && (session == route.session.get() || session == route.deflated.get()))
        return route.guard;
    return nullptr;
  }
  // Each session's next message.
  void time_next() {
    for (const auto& [path, route] : routes_) {
      if (route.session != nullptr) route.session->time_next();
      if (route.deflated != nullptr) route.deflated->time_next();
    }
  }

 private:
  Route& route_at(std::string_view path) {
    Route& route = routes_[std::string(path)];
    route.guard = &guards_.of(path);
    return route;
  }

  core::ConnectionTable& table_;
  const SessionOptions options_;
  std::optional<Guards> own_guards_;
  Guards& guards_;
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace spate::handlers
