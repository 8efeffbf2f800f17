// The server API: POST /api/<method> with a JSON body, for back ends, on the internal listener.
//
//   {"channel": "news", "data": {…}}  ->  {"result": {…}}  or  {"error": {"code": …, "message": …}}
//
// Answers are 200 with one or the other inside; whoever sends X-Centrifugo-Error-Mode: transport
// gets errors as HTTP statuses. Calls show a key: X-API-Key, Authorization: apikey, or ?api_key=.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "handlers/client/clients.h"
#include "handlers/http/api_request.h"
#include "handlers/hub/workers.h"
#include "handlers/routes.h"

namespace spate::handlers {

struct ApiOptions {
  std::string key;  // empty: no call is taken
  bool insecure = false;
  std::string node_id;
  std::string node_name;
  std::string version;
  core::HashKey key_of_names{};               // the same in all workers
  std::function<std::string()> bus_report{};  // null: there is no bus
};

// One call: its parameters, and where its answer goes, which comes once and maybe later.
class ApiCall {
 public:
  using Done = std::function<void(const client::Error& error, std::string result)>;

  // The body is kept: parameters are spans of it.
  ApiCall(std::string body, Done done) : body_(std::move(body)), done_(std::move(done)) {}

  ApiRequest::Parsed parse() { return request.parse(body_); }
  std::string_view body() const { return body_; }
  void finish(std::string result) const { done_({}, std::move(result)); }
  void fail(const client::Error& error) const { done_(error, {}); }

  ApiRequest request;

 private:
  const std::string body_;
  const Done done_;
};
using ApiCallPointer = std::shared_ptr<const ApiCall>;

class Api {
 public:
  Api(client::Clients& clients, hub::Workers& workers, const ApiOptions& options);

  // Adds a path for each method.
  static void mount(Routes& routes, const std::shared_ptr<Api>& api);

  using Method = void (Api::*)(const ApiCallPointer& call);
  static Method find(std::string_view name);
  void run(Method method, const ApiCallPointer& call) { (this->*method)(call); }
  bool authorized(const codec::HttpHead& head) const;

 private:
  struct Row {
    std::string_view name;
    Method method;
  };
  static const Row kMethods[];
  struct Batch;

  // api_methods.cc
  void publish(const ApiCallPointer& call);
  void broadcast(const ApiCallPointer& call);
  void presence(const ApiCallPointer& call);
  void presence_stats(const ApiCallPointer& call);
  void history(const ApiCallPointer& call);
  void history_remove(const ApiCallPointer& call);
  void users(const ApiCallPointer& call);
  void batch(const ApiCallPointer& call);
  void bus(const ApiCallPointer& call);
  void publish_to(std::string_view channel, const ApiRequest& request, ApiCall::Done done);
  void advance(const std::shared_ptr<Batch>& batch);
  client::Error find_channel(std::string_view channel, const hub::ChannelOptions*& options) const;

  // api_everywhere.cc: what each worker does for its own clients. First whether the call is one,
  // by the worker that has it; then every worker's part; then what that comes to.
  void broadcast_all(const ApiCallPointer& call);
  void subscribe(const ApiCallPointer& call);
  void unsubscribe(const ApiCallPointer& call);
  void disconnect(const ApiCallPointer& call);
  void refresh(const ApiCallPointer& call);
  void channels(const ApiCallPointer& call);
  void info(const ApiCallPointer& call);
  using Answer = std::function<void(std::string)>;
  void on_question(std::string_view question, const Answer& answer);
  void count_everywhere(char method, const ApiCallPointer& call, std::string_view what);
  void ask_all(char method, const ApiCallPointer& call,
               std::function<void(std::span<const std::string> answers)> done);
  void subscribe_here(const ApiRequest& request, const Answer& answer);
  std::string channels_here(const ApiRequest& request) const;
  std::string info_here() const;

  client::Clients& clients_;
  hub::Workers& workers_;
  const ApiOptions options_;
  const std::int64_t started_ns_;
};

}  // namespace spate::handlers
