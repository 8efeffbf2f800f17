// Messages for sessions, wherever these live: of a transport whose two directions are requests of
// their own, the second one arrives at any worker.
//
//   what a client gives back   node "1-6f0c…" (the worker, in one of its lives), session "b2a8…"
//   here                       the session takes the message
//   another worker             a question to it, through the broker (hub/workers.h)
//
// A session's name is 122 random bits and a secret: who knows it speaks for its client.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "handlers/hub/workers.h"

namespace spate::handlers::client {

class RoutedSession {
 public:
  virtual ~RoutedSession() = default;
  // What its client has sent. It may end the session.
  virtual void on_routed(std::string_view data) = 0;
};

class SessionRouter {
 public:
  enum class Route {
    taken,        // by the session, or by nobody: it is over
    no_node,      // that worker is gone, or there never was one
    too_large,    // for the bus
    unavailable,  // nobody has answered: whether it was taken is unknown
  };

  explicit SessionRouter(hub::Workers& workers);
  ~SessionRouter();
  SessionRouter(const SessionRouter&) = delete;
  SessionRouter& operator=(const SessionRouter&) = delete;

  // This worker's name, which a successor in its slot does not have.
  const std::string& node() const { return node_; }
  // From now until remove(); the name it got.
  std::string add(RoutedSession& session);
  void remove(std::string_view name) { sessions_.erase(std::string(name)); }

  // Texts are views of this call. `done` is called once, maybe now.
  void route(std::string_view node, std::string_view session, std::string_view data,
             const std::function<void(Route)>& done);

 private:
  void deliver(std::string_view session, std::string_view data);

  hub::Workers& workers_;
  const std::string node_;
  std::unordered_map<std::string, RoutedSession*> sessions_;
};

}  // namespace spate::handlers::client
