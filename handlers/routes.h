// Which path leads where: the endpoints of one worker's listeners.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "handlers/deflated_session.h"
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
};

class Routes {
 public:
  Routes(core::ConnectionTable& table, const SessionOptions& options)
      : table_(table), options_(options) {}

  // A path that is taken for the same purpose is a bug of ours.
  void add(std::string_view path, std::unique_ptr<WebSocketHandler> handler) {
    Route& route = routes_[std::string(path)];
    SPATE_CHECK(route.websocket == nullptr);
    route.session = std::make_unique<Session>(table_, *handler, options_);
    if (options_.deflation != nullptr)
      route.deflated = std::make_unique<DeflatedSession>(table_, *handler, options_);
    route.websocket = std::move(handler);
  }
  void add(std::string_view path, std::unique_ptr<HttpHandler> handler) {
    Route& route = routes_[std::string(path)];
    SPATE_CHECK(route.http == nullptr);
    route.http = std::move(handler);
  }

  // Exactly this path, a slash at its end set aside. Null when nothing is there.
  const Route* find(std::string_view path) const {
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    const auto found = routes_.find(path);
    return found == routes_.end() ? nullptr : &found->second;
  }

 private:
  core::ConnectionTable& table_;
  const SessionOptions options_;
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace spate::handlers
