// The server API: POST /api/<method> with a JSON body, for back ends, on the internal listener.
//
//   {"channel": "news", "data": {…}}  ->  {"result": {…}}  or  {"error": {"code": …, "message": …}}
//
// Answers are 200 with one or the other inside; whoever sends X-Centrifugo-Error-Mode: transport
// gets errors as HTTP statuses. Calls show a key: X-API-Key, Authorization: apikey, or ?api_key=.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "handlers/client/clients.h"
#include "handlers/http/api_request.h"
#include "handlers/routes.h"

namespace spate::handlers {

struct ApiOptions {
  std::string key;  // empty: no call is taken
  bool insecure = false;
  std::string node_id;
  std::string node_name;
  std::string version;
};

class Api {
 public:
  Api(client::Clients& clients, const ApiOptions& options);

  // Adds a path for each method.
  static void mount(Routes& routes, const std::shared_ptr<Api>& api);

  // What a method answers: `out` gets the result's JSON, unless there is an error.
  using Method = client::Error (Api::*)(const ApiRequest& request, std::string& out);
  static Method find(std::string_view name);
  client::Error run(Method method, const ApiRequest& request, std::string& out) {
    return (this->*method)(request, out);
  }
  bool authorized(const codec::HttpHead& head) const;

 private:
  struct Row {
    std::string_view name;
    Method method;
  };
  static const Row kMethods[];

  client::Error publish(const ApiRequest& request, std::string& out);
  client::Error broadcast(const ApiRequest& request, std::string& out);
  client::Error broadcast_all(const ApiRequest& request, std::string& out);
  client::Error subscribe(const ApiRequest& request, std::string& out);
  client::Error unsubscribe(const ApiRequest& request, std::string& out);
  client::Error disconnect(const ApiRequest& request, std::string& out);
  client::Error refresh(const ApiRequest& request, std::string& out);
  client::Error presence(const ApiRequest& request, std::string& out);
  client::Error presence_stats(const ApiRequest& request, std::string& out);
  client::Error history(const ApiRequest& request, std::string& out);
  client::Error history_remove(const ApiRequest& request, std::string& out);
  client::Error channels(const ApiRequest& request, std::string& out);
  client::Error info(const ApiRequest& request, std::string& out);
  client::Error users(const ApiRequest& request, std::string& out);
  client::Error batch(const ApiRequest& request, std::string& out);

  client::Error publish_to(std::string_view channel, const ApiRequest& request, std::string& out);
  client::Error find_channel(std::string_view channel, const hub::ChannelOptions*& options) const;

  client::Clients& clients_;
  const ApiOptions options_;
  const std::int64_t started_ns_;
};

}  // namespace spate::handlers
