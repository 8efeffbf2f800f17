// Commands that change nothing about the client: publish, history, presence, rpc and send. Those
// that ask the broker do not wait for each other: requests leave in order, and so come answers.
#include <algorithm>
#include <vector>

#include "core/log.h"
#include "handlers/client/client.h"
#include "handlers/client/client_waiting.h"
#include "handlers/client/fitting.h"

namespace spate::handlers::client {

using hub::ChannelOptions;
using hub::Refused;

namespace {

constexpr std::string_view kNoAnswer =
    "the broker did not answer in time; what was asked may be done yet";

Refused reason_of(const Error& error) {
  switch (error.code) {
    case kErrorUnknownChannel.code:
      return Refused::unknown_channel;
    case kErrorPermissionDenied.code:
      return Refused::permission;
    case kErrorMethodNotFound.code:
      return Refused::method_not_found;
    case kErrorAlreadySubscribed.code:
      return Refused::already_subscribed;
    case kErrorLimitExceeded.code:
      return Refused::channel_limit;
    case kErrorNotAvailable.code:
      return Refused::not_available;
    case kErrorTokenExpired.code:
    case kErrorExpired.code:
      return Refused::expired_token;
    case kErrorUnrecoverablePosition.code:
      return Refused::unrecoverable;
    case kErrorInternal.code:
      return Refused::broker;
    default:
      return Refused::bad_channel;
  }
}

}  // namespace

// Says it to the client, to the log with its remedy, and to the metrics.
void Client::refuse(std::uint32_t id, Method method, std::string_view channel, const Error& error,
                    std::string_view rule) {
  clients_.count(reason_of(error));
  core::log::limited(core::log::Level::info, error.message, "refused {method} with {code}: {rule}",
                     {{"method", method_name(method)},
                      {"code", error.code},
                      {"rule", rule},
                      {"channel", channel},
                      {"user", user()}});
  reply_error(id, error);
}

const ChannelOptions* Client::options_or_refuse(const Command& command, std::string_view channel) {
  if (channel.empty()) {
    bad_request("a command without a channel");
    return nullptr;
  }
  const ChannelOptions* const options = clients_.parts_.rules.options_of(channel);
  if (options == nullptr) refuse(command, channel, kErrorUnknownChannel, kNoNamespace);
  return options;
}

void Client::publish(const Command& command) {
  const ChannelOptions* const options = options_or_refuse(command, command.channel);
  if (options == nullptr) return;
  const hub::ChannelName name = clients_.parts_.rules.name_of(command.channel);
  if (command.channel.size() > clients_.parts_.options.channel_max_length ||
      !hub::ChannelRules::well_formed(*options, name))
    return refuse(command, command.channel, kErrorBadRequest, kBadName);
  if (command.type != 0)
    return refuse(command, command.channel, kErrorPermissionDenied,
                  "the channel is a stream, not a map");
  if (!fits(options->publication_data_format, command.data))
    return refuse(command, command.channel, kErrorBadRequest,
                  "the data is empty, or not as publication_data_format wants it");
  const hub::Subscription* const subscription = find(command.channel);
  const auto permission = hub::may_publish(clients_.parts_.rules, *options,
                                           {.user = user(), .subscribed = subscription != nullptr});
  if (!permission.allowed)
    return refuse(command, command.channel, kErrorPermissionDenied, permission.why(*options));

  Self self = this->self(subscription);
  self.info.client = hub::view(self.text);
  const std::array<std::string_view, 1> own_id{self.info.client};
  hub::PublishRequest request{.channel = command.channel,
                              .publication = {.data = command.data, .info = self.info},
                              .history = options->history};
  if (options->exclude_publisher) request.exclude_clients = own_id;
  ++pending_;
  clients_.publish(*options, request, [this, id = command.id](const hub::PublishResult& result) {
    take_answer([&] { published(id, result); });
  });
}

void Client::published(std::uint32_t id, const hub::PublishResult& result) {
  switch (result.error) {
    case hub::BrokerError::none:
      return writer().done(out(true), id, Method::publish);
    case hub::BrokerError::too_large:
      return refuse(id, Method::publish, {}, kErrorBadRequest,
                    "the data is larger than a history can keep");
    case hub::BrokerError::no_room:
      return refuse(id, Method::publish, {}, kErrorInternal,
                    "the history has no room (--history-memory)");
    case hub::BrokerError::unavailable:
      return refuse(id, Method::publish, {}, kErrorInternal, kNoAnswer);
  }
}

void Client::history(const Command& command) {
  const HistoryQuery& query = command.history;
  const ChannelOptions* const options = options_or_refuse(command, query.channel);
  if (options == nullptr) return;
  if (!options->history.on())
    return refuse(command, query.channel, kErrorNotAvailable,
                  "the channel keeps no history (history_size and history_ttl)");
  const auto permission =
      hub::may_read_history(clients_.parts_.rules, *options,
                            {.user = user(), .subscribed = find(query.channel) != nullptr});
  if (!permission.allowed)
    return refuse(command, query.channel, kErrorPermissionDenied, permission.why(*options));
  if (query.reverse && query.has_since && query.since_offset == 0)
    return refuse(command, query.channel, kErrorBadRequest, "nothing lies before offset 0");
  const hub::Epoch epoch = hub::Epoch::parse(query.since_epoch);
  if (query.has_since && !query.since_epoch.empty() && !epoch)
    return refuse(command, query.channel, kErrorUnrecoverablePosition, "no stream has that epoch");
  const std::int64_t most = clients_.parts_.options.history_max_publications;
  hub::HistoryRequest request{
      .channel = query.channel,
      .history = options->history,
      .limit = query.limit < 0 ? most : std::min<std::int64_t>(query.limit, most),
      .reverse = query.reverse};
  if (query.has_since) request.since = StreamPosition{query.since_offset, epoch};
  ++pending_;
  clients_.parts_.broker.history(request,
                                 [this, id = command.id](const hub::HistoryResult& result) {
                                   take_answer([&] { history_read(id, result); });
                                 });
}

void Client::history_read(std::uint32_t id, const hub::HistoryResult& result) {
  if (result.error != hub::BrokerError::none)
    return refuse(id, Method::history, {}, kErrorInternal, "the history cannot be read");
  if (result.wrong_epoch)
    return refuse(id, Method::history, {}, kErrorUnrecoverablePosition,
                  "the stream has another epoch");
  // What it published and was not sent is part of the history.
  FittingPublications fitting(encoding(), user(), {});
  if (!fitting.add(result.publications)) {
    clients_.count(hub::Ended::payload);
    return disconnect(kDisconnectInappropriateProtocol);
  }
  writer().history(out(true), id, fitting.publications(), result.top);
}

const ChannelOptions* Client::presence_options(const Command& command) {
  const ChannelOptions* const options = options_or_refuse(command, command.channel);
  if (options == nullptr) return nullptr;
  if (!options->presence) {
    refuse(command, command.channel, kErrorNotAvailable,
           "the channel keeps no presence (presence)");
    return nullptr;
  }
  const auto permission =
      hub::may_see_presence(clients_.parts_.rules, *options,
                            {.user = user(), .subscribed = find(command.channel) != nullptr});
  if (!permission.allowed) {
    refuse(command, command.channel, kErrorPermissionDenied, permission.why(*options));
    return nullptr;
  }
  return options;
}

void Client::presence(const Command& command) {
  if (presence_options(command) == nullptr) return;
  ++pending_;
  clients_.parts_.broker.presence(command.channel,
                                  [this, id = command.id](const hub::PresenceResult& result) {
                                    take_answer([&] { presence_read(id, result); });
                                  });
}

void Client::presence_read(std::uint32_t id, const hub::PresenceResult& result) {
  if (result.error != hub::BrokerError::none)
    return refuse(id, Method::presence, {}, kErrorInternal, kNoAnswer);
  std::vector<hub::PresenceEntry> fitting(result.entries.begin(), result.entries.end());
  for (hub::PresenceEntry& entry : fitting) entry.info = fit(entry.info, encoding());
  writer().presence(out(true), id, fitting);
}

void Client::presence_stats(const Command& command) {
  if (presence_options(command) == nullptr) return;
  ++pending_;
  clients_.parts_.broker.presence_stats(command.channel,
                                        [this, id = command.id](const hub::PresenceStats& stats) {
                                          take_answer([&] { presence_counted(id, stats); });
                                        });
}

void Client::presence_counted(std::uint32_t id, const hub::PresenceStats& stats) {
  if (stats.error != hub::BrokerError::none)
    return refuse(id, Method::presence_stats, {}, kErrorInternal, kNoAnswer);
  writer().presence_stats(out(true), id, stats);
}

void Client::rpc(const Command& command) {
  const RpcHandlers& rpc = clients_.parts_.rpc;
  if (rpc.methods.empty())
    return refuse(command, {}, kErrorNotAvailable, "the server has no methods of its own");
  const auto found = rpc.methods.find(command.rpc_method);
  if (found == rpc.methods.end())
    return refuse(command, {}, kErrorMethodNotFound, "the server has no method of that name");
  const RpcReply reply = found->second({*this, command.rpc_method, command.data});
  if (state_ == State::ended) return;
  if (reply.error) return reply_error(command.id, reply.error);
  std::string scratch;
  if (encoding() == Encoding::json && !reply.data.empty()) {
    if (!is_json(reply.data))
      return refuse(command, {}, kErrorInternal, "the method's answer is not JSON");
    return writer().rpc(out(true), command.id, one_line(reply.data, scratch));
  }
  writer().rpc(out(true), command.id, reply.data);
}

void Client::send(const Command& command) {
  const RpcHandlers& rpc = clients_.parts_.rpc;
  if (!rpc.on_send) {
    clients_.count(Refused::not_available);
    return disconnect(kDisconnectNotAvailable);
  }
  rpc.on_send({*this, {}, command.data});
}

}  // namespace spate::handlers::client
