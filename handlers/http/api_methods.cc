#include <algorithm>
#include <set>

#include "codec/base64.h"
#include "core/sys.h"
#include "handlers/client/fitting.h"
#include "handlers/client/json_text.h"
#include "handlers/http/api.h"
#include "handlers/http/api_handler.h"
#include "handlers/http/channel_pattern.h"

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

std::string counted(std::string_view what, std::uint64_t count) {
  return std::string("{\"").append(what).append("\":") + std::to_string(count) + "}";
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

Error Api::publish_to(std::string_view channel, const ApiRequest& request, std::string& out) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(channel, options)) return error;
  if (!client::fits(options->publication_data_format, request.data))
    return client::kErrorBadRequest;
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
  Error error;
  clients_.publish(*options, publish, [&](const hub::PublishResult& result) {
    if (result.error != BrokerError::none) {
      // 100 is temporary: who gets it asks again.
      error = result.error == BrokerError::too_large ? client::kErrorBadRequest
                                                     : client::kErrorInternal;
      return;
    }
    out += '{';
    if (result.position.epoch) append_position(out, result.position);
    out += '}';
  });
  return error;
}

Error Api::publish(const ApiRequest& request, std::string& out) {
  return publish_to(request.channel, request, out);
}

Error Api::broadcast(const ApiRequest& request, std::string& out) {
  // Whether a channel takes no bytes at all is its own matter, but they must be given.
  if (request.channels.empty() || (request.data.empty() && !request.binary))
    return client::kErrorBadRequest;
  if (request.data.size() > kMaxBroadcastBytes / request.channels.size())
    return client::kErrorLimitExceeded;
  out += R"({"responses":[)";
  for (std::size_t i = 0; i < request.channels.size(); ++i) {
    if (i > 0) out += ',';
    append_answer(out, "result", [&](std::string& result) {
      return publish_to(request.channels[i], request, result);
    });
  }
  out += "]}";
  return {};
}

Error Api::broadcast_all(const ApiRequest& request, std::string& out) {
  if (request.data.empty()) return client::kErrorBadRequest;
  const auto exclude_clients = views(request.exclude_clients);
  const auto exclude_users = views(request.exclude_users);
  out += counted("clients", clients_.message_all(request.data, exclude_clients, exclude_users));
  return {};
}

// --- Connections of users. Without emulated transports nobody has a session of that name.

Error Api::subscribe(const ApiRequest& request, std::string& out) {
  const ChannelOptions* options = nullptr;
  if (request.user.empty()) return client::kErrorBadRequest;
  if (const Error error = find_channel(request.channel, options)) return error;
  client::Client::ServerSubscription wish;
  wish.channel = request.channel;
  wish.info = request.info;
  wish.data = request.data;
  wish.expire_at = request.expire_at;
  wish.recover = request.recover_since.given;
  wish.offset = request.recover_since.offset;
  wish.epoch = request.recover_since.epoch;
  wish.options = request.override_;
  Error error;
  std::uint32_t count = 0;
  if (request.session.empty())
    count = clients_.subscribe({request.user, request.client}, wish, error);
  if (error && count == 0) return error;
  out += counted("connections", count);
  return {};
}

Error Api::unsubscribe(const ApiRequest& request, std::string& out) {
  if (request.user.empty()) return client::kErrorBadRequest;
  std::uint32_t count = 0;
  if (request.session.empty())
    count = clients_.unsubscribe({request.user, request.client}, request.channel);
  out += counted("connections", count);
  return {};
}

Error Api::disconnect(const ApiRequest& request, std::string& out) {
  if (request.user.empty()) return client::kErrorBadRequest;
  client::Disconnect why = client::kDisconnectForced;
  if (request.disconnect_code != 0) {
    // What a close frame can carry, and what clients do not take for something else.
    if (request.disconnect_code < 3000 || request.disconnect_code > 4999)
      return client::kErrorBadRequest;
    why.code = static_cast<std::uint16_t>(request.disconnect_code);
  }
  if (!request.disconnect_reason.empty()) {
    if (client::is_json(request.disconnect_reason)) return client::kErrorBadRequest;
    why.reason = request.disconnect_reason;
  }
  const auto except = views(request.whitelist);
  std::uint32_t count = 0;
  if (request.session.empty())
    count = clients_.disconnect({request.user, request.client, except}, why);
  out += counted("connections", count);
  return {};
}

Error Api::refresh(const ApiRequest& request, std::string& out) {
  if (request.user.empty()) return client::kErrorBadRequest;
  std::uint32_t count = 0;
  if (request.session.empty())
    count = clients_.refresh({request.user, request.client}, request.expired, request.expire_at,
                             request.info);
  out += counted("connections", count);
  return {};
}

// --- What is known of channels.

Error Api::presence(const ApiRequest& request, std::string& out) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(request.channel, options)) return error;
  if (!options->presence) return client::kErrorNotAvailable;
  clients_.broker().presence(request.channel,
                             [&](const std::span<const hub::PresenceEntry>& entries) {
                               out += R"({"presence":{)";
                               bool first = true;
                               for (const hub::PresenceEntry& entry : entries) {
                                 if (!std::exchange(first, false)) out += ',';
                                 append_json_string(out, entry.info.client);
                                 append_client_info(out += ':', entry.info);
                               }
                               out += "}}";
                             });
  return {};
}

Error Api::presence_stats(const ApiRequest& request, std::string& out) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(request.channel, options)) return error;
  if (!options->presence) return client::kErrorNotAvailable;
  clients_.broker().presence_stats(request.channel, [&](const hub::PresenceStats& stats) {
    out += R"({"num_clients":)" + std::to_string(stats.clients) + R"(,"num_users":)" +
           std::to_string(stats.users) + "}";
  });
  return {};
}

Error Api::history(const ApiRequest& request, std::string& out) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(request.channel, options)) return error;
  if (!options->history.on()) return client::kErrorNotAvailable;
  hub::HistoryRequest wanted;
  wanted.channel = request.channel;
  wanted.history = options->history;
  wanted.limit = request.limit;
  wanted.reverse = request.reverse;
  if (request.since.given) {
    if (request.reverse && request.since.offset == 0) return client::kErrorBadRequest;
    const hub::Epoch epoch = hub::Epoch::parse(request.since.epoch);
    if (!request.since.epoch.empty() && !epoch) return client::kErrorUnrecoverablePosition;
    wanted.since = hub::StreamPosition{request.since.offset, epoch};
  }
  Error error;
  clients_.broker().history(wanted, [&](const hub::HistoryResult& result) {
    if (result.error != BrokerError::none) error = client::kErrorInternal;
    if (result.wrong_epoch) error = client::kErrorUnrecoverablePosition;
    if (error) return;
    out += R"({"publications":[)";
    bool first = true;
    for (const hub::KeptPublication& kept : result.publications) {
      if (!std::exchange(first, false)) out += ',';
      append_publication(out, kept.publication);
    }
    append_position(out += "],", result.top);
    out += '}';
  });
  return error;
}

Error Api::history_remove(const ApiRequest& request, std::string& out) {
  const ChannelOptions* options = nullptr;
  if (const Error error = find_channel(request.channel, options)) return error;
  if (!options->history.on()) return client::kErrorNotAvailable;
  Error error;
  clients_.broker().remove_history(request.channel, [&](const BrokerError& failed) {
    if (failed != BrokerError::none) error = client::kErrorInternal;
  });
  if (!error) out += "{}";
  return error;
}

Error Api::channels(const ApiRequest& request, std::string& out) {
  if (request.pattern.size() > kMaxPatternBytes) return client::kErrorBadRequest;
  out += R"({"channels":{)";
  bool first = true;
  clients_.hub().for_each_channel([&](const hub::Channel& channel) {
    if (channel.subscribers.empty()) return;
    if (!request.pattern.empty() && !matches_pattern(request.pattern, channel.name)) return;
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, channel.name);
    out += R"(:{"num_clients":)" + std::to_string(channel.subscribers.size()) + "}";
  });
  out += "}}";
  return {};
}

Error Api::info(const ApiRequest&, std::string& out) {
  out += R"({"nodes":[{"uid":)";
  append_json_string(out, options_.node_id);
  out += R"(,"name":)";
  append_json_string(out, options_.node_name);
  out += R"(,"version":)";
  append_json_string(out, options_.version);
  const auto number = [&](std::string_view name, std::uint64_t value) {
    out.append(",\"").append(name).append("\":") += std::to_string(value);
  };
  number("num_clients", clients_.count());
  number("num_users", clients_.user_count());
  number("num_channels", clients_.hub().channel_count());
  number("num_subs", clients_.subscription_count());
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  number("uptime",
         static_cast<std::uint64_t>((core::sys::monotonic_ns() - started_ns_) / kSecondNs));
  out += "}]}";
  return {};
}

Error Api::users(const ApiRequest& request, std::string& out) {
  if (request.users.empty()) return client::kErrorBadRequest;
  out += R"({"users":{)";
  bool first = true;
  for (const std::string_view user :
       std::set<std::string_view>(request.users.begin(), request.users.end())) {
    clients_.broker().user_status(user, [&](const hub::UserStatus& status) {
      if (!std::exchange(first, false)) out += ',';
      append_json_string(out, user);
      out += R"(:{"online":)";
      out += status.online ? "true" : "false";
      out += R"(,"connections":)" + std::to_string(status.connections) + R"(,"since":)" +
             std::to_string(status.since_ms) + "}";
    });
  }
  out += "}}";
  return {};
}

Error Api::batch(const ApiRequest& request, std::string& out) {
  out += R"({"replies":[)";
  for (std::size_t i = 0; i < request.commands.size(); ++i) {
    if (i > 0) out += ',';
    const auto& [name, parameters] = request.commands[i];
    append_answer(out, name, [&, &command = request.commands[i]](std::string& result) -> Error {
      const Method method = find(command.first);
      // A batch in a batch would nest without end.
      if (method == nullptr || method == &Api::batch) return client::kErrorMethodNotFound;
      if (out.size() > kMaxAnswerBytes) return client::kErrorLimitExceeded;
      ApiRequest inner;
      if (inner.parse(command.second) != ApiRequest::Parsed::ok) return client::kErrorBadRequest;
      return run(method, inner, result);
    });
  }
  out += "]}";
  return {};
}

}  // namespace spate::handlers
