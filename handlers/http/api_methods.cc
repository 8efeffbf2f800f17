#include <algorithm>
#include <set>

#include "codec/base64.h"
#include "handlers/client/fitting.h"
#include "handlers/client/json_text.h"
#include "handlers/http/api.h"
#include "handlers/http/api_handler.h"

namespace spate::handlers {

using client::append_json_string;
using client::Error;
using hub::BrokerError;
using hub::ChannelOptions;

namespace {

// What one call may make: its answers, and the payloads that a broadcast queues. A few bytes that
// ask for much must not use up the worker's memory.
constexpr std::size_t kMaxAnswerBytes = 64 << 20;
constexpr std::size_t kMaxBroadcastBytes = 256 << 20;

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

void append_position(std::string& out, const hub::StreamPosition& position) {
  out += R"("offset":)" + std::to_string(position.offset) + R"(,"epoch":)";
  append_json_string(out, position.epoch.text());
}

// A payload that is not JSON goes out as base64: bytes have no other place in JSON.
void append_payload(std::string& out, std::string_view name, std::string_view data) {
  out += "\"";
  if (client::is_json(data)) {
    out.append(name).append("\":").append(data);
    return;
  }
  out.append("b64").append(name).append("\":\"");
  const std::size_t at = out.size();
  out.resize(at + codec::base64_encoded_bytes(data.size()));
  codec::base64_encode({out.data() + at, out.size() - at}, as_bytes(data));
  out += '"';
}

void append_client_info(std::string& out, const hub::ClientInfo& info) {
  out += R"({"user":)";
  append_json_string(out, info.user);
  out += R"(,"client":)";
  append_json_string(out, info.client);
  if (!info.conn_info.empty()) append_payload(out += ',', "conn_info", info.conn_info);
  if (!info.chan_info.empty()) append_payload(out += ',', "chan_info", info.chan_info);
  out += '}';
}

void append_publication(std::string& out, const hub::Publication& publication) {
  append_payload(out += '{', "data", publication.data);
  if (publication.info) {
    out += R"(,"info":)";
    append_client_info(out, *publication.info);
  }
  out += R"(,"offset":)" + std::to_string(publication.offset);
  if (!publication.tags.empty()) {
    out += R"(,"tags":{)";
    for (std::size_t i = 0; i < publication.tags.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, publication.tags[i].key);
      append_json_string(out += ':', publication.tags[i].value);
    }
    out += '}';
  }
  out += '}';
}

}  // namespace

const Api::Row Api::kMethods[] = {
    {"publish", &Api::publish},
    {"broadcast", &Api::broadcast},
    {"broadcast_all", &Api::broadcast_all},
    {"subscribe", &Api::subscribe},
    {"unsubscribe", &Api::unsubscribe},
    {"disconnect", &Api::disconnect},
    {"refresh", &Api::refresh},
    {"presence", &Api::presence},
    {"presence_stats", &Api::presence_stats},
    {"history", &Api::history},
    {"history_remove", &Api::history_remove},
    {"channels", &Api::channels},
    {"info", &Api::info},
    {"users", &Api::users},
    {"bus", &Api::bus},
    {"batch", &Api::batch},
};

Api::Method Api::find(std::string_view name) {
  for (const Row& row : kMethods)
    if (row.name == name) return row.method;
  return nullptr;
}

void Api::mount(Routes& routes, const std::shared_ptr<Api>& api) {
  for (const Row& row : kMethods)
    routes.add("/api/" + std::string(row.name), api_handler(api, row.method, row.name == "batch"));
}

Error Api::find_channel(std::string_view channel, const ChannelOptions*& options) const {
  if (channel.empty() || channel.size() > clients_.rules().max_length())
    return client::kErrorBadRequest;
  options = clients_.rules().options_of(channel);
  return options == nullptr ? client::kErrorUnknownChannel : Error{};
}

// --- Publishing.

void Api::publish_to(std::string_view channel, const ApiRequest& request, ApiCall::Done done) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(channel, options)) return done(error, {});
  if (!client::fits(options->publication_data_format, request.data))
    return done(client::kErrorBadRequest, {});
  std::vector<hub::Tag> tags;
  for (const auto& [key, value] : request.tags) tags.push_back({key, value});
  const auto exclude_users = views(request.exclude_users);
  const auto exclude_clients = views(request.exclude_clients);
  hub::PublishRequest publish;
  publish.channel = channel;
  publish.publication.data = request.data;
  publish.publication.tags = tags;
  if (!request.skip_history) publish.history = options->history;
  publish.idempotency_key = request.idempotency_key;
  publish.version = request.version;
  publish.version_epoch = request.version_epoch;
  publish.exclude_users = exclude_users;
  publish.exclude_clients = exclude_clients;
  clients_.publish(*options, publish, [done = std::move(done)](const hub::PublishResult& result) {
    // 100 is temporary: who gets it asks again.
    if (result.error == BrokerError::too_large) return done(client::kErrorBadRequest, {});
    if (result.error != BrokerError::none) return done(client::kErrorInternal, {});
    std::string out = "{";
    if (result.position.epoch) append_position(out, result.position);
    done({}, out += '}');
  });
}

void Api::publish(const ApiCallPointer& call) {
  publish_to(call->request.channel, call->request, [call](const Error& error, std::string result) {
    if (error) return call->fail(error);
    call->finish(std::move(result));
  });
}

// All at once; the answers come in any order, and are told in that of the channels.
void Api::broadcast(const ApiCallPointer& call) {
  const ApiRequest& request = call->request;
  // Whether a channel takes no bytes at all is its own matter, but they must be given.
  if (request.channels.empty() || (request.data.empty() && !request.binary))
    return call->fail(client::kErrorBadRequest);
  if (request.data.size() > kMaxBroadcastBytes / request.channels.size())
    return call->fail(client::kErrorLimitExceeded);
  struct Answers {
    std::vector<std::string> each;
    std::size_t left = 0;
  };
  const auto answers = std::make_shared<Answers>();
  answers->each.resize(request.channels.size());
  answers->left = request.channels.size();
  for (std::size_t i = 0; i < request.channels.size(); ++i)
    publish_to(request.channels[i], request,
               [call, answers, i](const Error& error, const std::string& result) {
                 answers->each[i] = named_answer("result", error, result);
                 if (--answers->left > 0) return;
                 std::string out = R"({"responses":[)";
                 for (std::size_t at = 0; at < answers->each.size(); ++at)
                   out.append(at > 0 ? "," : "").append(answers->each[at]);
                 call->finish(out += "]}");
               });
}

// --- What is known of channels.

void Api::presence(const ApiCallPointer& call) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(call->request.channel, options)) return call->fail(error);
  if (!options->presence) return call->fail(client::kErrorNotAvailable);
  clients_.broker().presence(call->request.channel, [call](const hub::PresenceResult& result) {
    if (result.error != BrokerError::none) return call->fail(client::kErrorInternal);
    std::string out = R"({"presence":{)";
    bool first = true;
    for (const hub::PresenceEntry& entry : result.entries) {
      if (!std::exchange(first, false)) out += ',';
      append_json_string(out, entry.info.client);
      append_client_info(out += ':', entry.info);
    }
    call->finish(out += "}}");
  });
}

void Api::presence_stats(const ApiCallPointer& call) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(call->request.channel, options)) return call->fail(error);
  if (!options->presence) return call->fail(client::kErrorNotAvailable);
  clients_.broker().presence_stats(call->request.channel, [call](const hub::PresenceStats& stats) {
    if (stats.error != BrokerError::none) return call->fail(client::kErrorInternal);
    call->finish(R"({"num_clients":)" + std::to_string(stats.clients) + R"(,"num_users":)" +
                 std::to_string(stats.users) + "}");
  });
}

void Api::history(const ApiCallPointer& call) {
  const ApiRequest& request = call->request;
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(request.channel, options)) return call->fail(error);
  if (!options->history.on()) return call->fail(client::kErrorNotAvailable);
  hub::HistoryRequest wanted;
  wanted.channel = request.channel;
  wanted.history = options->history;
  wanted.limit = request.limit;
  wanted.reverse = request.reverse;
  if (request.since.given) {
    if (request.reverse && request.since.offset == 0) return call->fail(client::kErrorBadRequest);
    const hub::Epoch epoch = hub::Epoch::parse(request.since.epoch);
    if (!request.since.epoch.empty() && !epoch)
      return call->fail(client::kErrorUnrecoverablePosition);
    wanted.since = hub::StreamPosition{request.since.offset, epoch};
  }
  clients_.broker().history(wanted, [call](const hub::HistoryResult& result) {
    if (result.wrong_epoch) return call->fail(client::kErrorUnrecoverablePosition);
    if (result.error != BrokerError::none) return call->fail(client::kErrorInternal);
    std::string out = R"({"publications":[)";
    bool first = true;
    for (const hub::KeptPublication& kept : result.publications) {
      if (!std::exchange(first, false)) out += ',';
      append_publication(out, kept.publication);
    }
    append_position(out += "],", result.top);
    call->finish(out += '}');
  });
}

void Api::history_remove(const ApiCallPointer& call) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(call->request.channel, options)) return call->fail(error);
  if (!options->history.on()) return call->fail(client::kErrorNotAvailable);
  clients_.broker().remove_history(call->request.channel, [call](const BrokerError& failed) {
    if (failed != BrokerError::none) return call->fail(client::kErrorInternal);
    call->finish("{}");
  });
}

void Api::users(const ApiCallPointer& call) {
  if (call->request.users.empty()) return call->fail(client::kErrorBadRequest);
  const std::set<std::string_view> users(call->request.users.begin(), call->request.users.end());
  struct Gathered {
    std::string out = R"({"users":{)";
    std::size_t left;
    bool first = true;
    bool failed = false;
  };
  const auto gathered = std::make_shared<Gathered>();
  gathered->left = users.size();
  for (const std::string_view user : users)
    clients_.broker().user_status(user, [call, gathered, user](const hub::UserStatus& status) {
      std::string& out = gathered->out;
      gathered->failed |= status.error != BrokerError::none;
      if (!std::exchange(gathered->first, false)) out += ',';
      append_json_string(out, user);
      out += R"(:{"online":)";
      out += status.online ? "true" : "false";
      out += R"(,"connections":)" + std::to_string(status.connections) + R"(,"since":)" +
             std::to_string(status.since_ms) + "}";
      if (--gathered->left > 0) return;
      if (gathered->failed) return call->fail(client::kErrorInternal);
      call->finish(std::move(out += "}}"));
    });
}

void Api::bus(const ApiCallPointer& call) {
  if (!options_.bus_report) return call->fail(client::kErrorNotAvailable);
  call->finish(options_.bus_report());
}

// --- Several calls in one.

struct Api::Batch {
  explicit Batch(ApiCallPointer of) : call(std::move(of)) {}

  const ApiCallPointer call;
  std::string out = R"({"replies":[)";
  std::size_t next = 0;
  bool asking = false;     // a command has not been answered
  bool advancing = false;  // whoever is answered at once is taken care of by the loop
};

void Api::batch(const ApiCallPointer& call) {
  advance(std::make_shared<Batch>(call));
}

// Each when the one before it has been answered.
void Api::advance(const std::shared_ptr<Batch>& batch) {
  if (std::exchange(batch->advancing, true)) return;
  const auto& commands = batch->call->request.commands;
  while (!batch->asking && batch->next < commands.size()) {
    const std::string& name = commands[batch->next].first;
    const std::string_view parameters = commands[batch->next].second;
    if (batch->next++ > 0) batch->out += ',';
    batch->asking = true;
    const auto command = std::make_shared<ApiCall>(
        std::string(parameters),
        [this, batch, &name](const Error& error, const std::string& result) {
          batch->out += named_answer(name, error, result);
          batch->asking = false;
          advance(batch);
        });
    const Method method = find(name);
    // A batch in a batch would nest without end.
    if (method == nullptr || method == &Api::batch)
      command->fail(client::kErrorMethodNotFound);
    else if (batch->out.size() > kMaxAnswerBytes)
      command->fail(client::kErrorLimitExceeded);
    else if (command->parse() != ApiRequest::Parsed::ok)
      command->fail(client::kErrorBadRequest);
    else
      run(method, command);
  }
  batch->advancing = false;
  if (!batch->asking) batch->call->finish(std::move(batch->out += "]}"));
}

}  // namespace spate::handlers
