#include "handlers/client/session_router.h"

#include <charconv>
#include <optional>

#include "handlers/hub/bus_message.h"
#include "handlers/hub/client_id.h"

namespace spate::handlers::client {

using hub::BrokerError;
using hub::BusParser;
using hub::BusWriter;

namespace {

constexpr std::string_view kTaken = "taken";
constexpr std::string_view kOther = "other";  // a worker in that slot, and not the one meant

std::string random_name() {
  const hub::ClientId::Text text = hub::ClientId::random().text();
  return std::string(hub::view(text));
}

std::optional<std::uint32_t> slot_of(std::string_view node) {
  std::uint32_t slot = 0;
  const char* const end = node.data() + node.size();
  const auto [stop, error] = std::from_chars(node.data(), end, slot);
  if (error != std::errc() || stop == end || *stop != '-' || slot == hub::kEveryWorker)
    return std::nullopt;
  return slot;
}

}  // namespace

SessionRouter::SessionRouter(hub::Workers& workers)
    : workers_(workers), node_(std::to_string(workers.own_slot()) + "-" + random_name()) {
  workers_.set_on_question(hub::Topic::session,
                           [this](std::string_view question, const hub::Workers::Respond& respond) {
                             BusParser parser(as_bytes(question));
                             const std::string_view node = parser.text();
                             const std::string_view session = parser.text();
                             const std::string_view data = parser.text();
                             if (!parser.done() || node != node_)
                               return respond(std::string(kOther));
                             // What it says to that is not waited for: its client hears it on the
                             // other leg.
                             respond(std::string(kTaken));
                             deliver(session, data);
                           });
}

SessionRouter::~SessionRouter() {
  workers_.set_on_question(hub::Topic::session, {});
}

std::string SessionRouter::add(RoutedSession& session) {
  std::string name = random_name();
  sessions_.emplace(name, &session);
  return name;
}

void SessionRouter::route(std::string_view node, std::string_view session, std::string_view data,
                          const std::function<void(Route)>& done) {
  if (node == node_) {
    deliver(session, data);
    return done(Route::taken);
  }
  const auto slot = slot_of(node);
  if (!slot || *slot == workers_.own_slot()) return done(Route::no_node);
  std::string question;
  BusWriter(question).text(node).text(session).text(data);
  workers_.ask(*slot, hub::Topic::session, question, [done](const hub::Answers& answers) {
    switch (answers.error) {
      case BrokerError::none:
        break;
      case BrokerError::too_large:
        return done(Route::too_large);
      default:
        return done(Route::unavailable);
    }
    // Of a worker that died while it was asked there is none.
    const bool taken = !answers.answers.empty() && answers.answers.front() == kTaken;
    done(taken ? Route::taken : Route::no_node);
  });
}

void SessionRouter::deliver(std::string_view session, std::string_view data) {
  const auto found = sessions_.find(std::string(session));
  if (found != sessions_.end()) found->second->on_routed(data);
}

}  // namespace spate::handlers::client
