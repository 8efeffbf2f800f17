// Methods about connections, which are anywhere: every worker does its part. The question to them
// is the method's letter and the call's body, the answer a few numbers, or names.
#include <map>
#include <unordered_set>

#include "core/sys.h"
#include "handlers/client/json_text.h"
#include "handlers/http/api.h"
#include "handlers/http/channel_pattern.h"
#include "handlers/hub/bus_message.h"

namespace spate::handlers {

using client::append_json_string;
using client::Error;
using hub::BrokerError;
using hub::BusParser;
using hub::BusWriter;
using hub::ChannelOptions;

namespace {

constexpr char kSubscribe = 's';
constexpr char kUnsubscribe = 'u';
constexpr char kDisconnect = 'd';
constexpr char kRefresh = 'r';
constexpr char kMessageAll = 'm';
constexpr char kChannels = 'c';
constexpr char kInfo = 'i';

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::string counted(std::string_view what, std::uint64_t count) {
  return std::string("{\"").append(what).append("\":") + std::to_string(count) + "}";
}

// How many connections a worker's part concerned, and what refused it, if anything did.
std::string count_answer(std::uint32_t count, std::uint32_t error = 0) {
  std::string out;
  BusWriter(out).number(count).number(error);
  return out;
}

client::Disconnect disconnect_of(const ApiRequest& request) {
  client::Disconnect why = client::kDisconnectForced;
  if (request.disconnect_code != 0) why.code = static_cast<std::uint16_t>(request.disconnect_code);
  if (!request.disconnect_reason.empty()) why.reason = request.disconnect_reason;
  return why;
}

}  // namespace

// --- Asking.

void Api::ask_all(char method, const ApiCallPointer& call,
                  std::function<void(std::span<const std::string>)> done) {
  std::string question(1, method);
  question.append(call->body());
  workers_.ask_all(hub::Topic::connections, question,
                   [call, done = std::move(done)](const hub::Answers& answers) {
                     if (answers.error == BrokerError::too_large)
                       return call->fail(client::kErrorLimitExceeded);
                     if (answers.error != BrokerError::none)
                       return call->fail(client::kErrorInternal);
                     done(answers.answers);
                   });
}

void Api::count_everywhere(char method, const ApiCallPointer& call, std::string_view what) {
  ask_all(method, call, [call, what](std::span<const std::string> answers) {
    std::uint64_t count = 0;
    std::uint32_t code = 0;
    for (const std::string& answer : answers) {
      BusParser parser(as_bytes(answer));
      count += parser.number<std::uint32_t>();
      const auto error = parser.number<std::uint32_t>();
      if (error != 0) code = error;
    }
    if (code != 0 && count == 0) return call->fail(client::error_of(code));
    call->finish(counted(what, count));
  });
}

void Api::broadcast_all(const ApiCallPointer& call) {
  if (call->request.data.empty()) return call->fail(client::kErrorBadRequest);
  count_everywhere(kMessageAll, call, "clients");
}

void Api::subscribe(const ApiCallPointer& call) {
  const ChannelOptions* options = nullptr;
  if (call->request.user.empty()) return call->fail(client::kErrorBadRequest);
  if (const Error error = find_channel(call->request.channel, options)) return call->fail(error);
  count_everywhere(kSubscribe, call, "connections");
}

void Api::unsubscribe(const ApiCallPointer& call) {
  if (call->request.user.empty()) return call->fail(client::kErrorBadRequest);
  count_everywhere(kUnsubscribe, call, "connections");
}

void Api::disconnect(const ApiCallPointer& call) {
  const ApiRequest& request = call->request;
  if (request.user.empty()) return call->fail(client::kErrorBadRequest);
  // What a close frame can carry, and what clients do not take for something else.
  if (request.disconnect_code != 0 &&
      (request.disconnect_code < 3000 || request.disconnect_code > 4999))
    return call->fail(client::kErrorBadRequest);
  if (!request.disconnect_reason.empty() && client::is_json(request.disconnect_reason))
    return call->fail(client::kErrorBadRequest);
  count_everywhere(kDisconnect, call, "connections");
}

void Api::refresh(const ApiCallPointer& call) {
  if (call->request.user.empty()) return call->fail(client::kErrorBadRequest);
  count_everywhere(kRefresh, call, "connections");
}

void Api::channels(const ApiCallPointer& call) {
  if (call->request.pattern.size() > kMaxPatternBytes) return call->fail(client::kErrorBadRequest);
  ask_all(kChannels, call, [call](std::span<const std::string> answers) {
    std::map<std::string_view, std::uint64_t> clients;
    for (const std::string& answer : answers) {
      BusParser parser(as_bytes(answer));
      while (parser.ok() && !parser.done()) {
        const std::string_view channel = parser.text();
        clients[channel] += parser.number<std::uint32_t>();
      }
    }
    std::string out = R"({"channels":{)";
    bool first = true;
    for (const auto& [channel, count] : clients) {
      if (!std::exchange(first, false)) out += ',';
      append_json_string(out, channel);
      out += R"(:{"num_clients":)" + std::to_string(count) + "}";
    }
    call->finish(out += "}}");
  });
}

void Api::info(const ApiCallPointer& call) {
  ask_all(kInfo, call, [this, call](std::span<const std::string> answers) {
    std::uint64_t clients = 0, subscriptions = 0;
    std::unordered_set<std::uint64_t> users, channels;
    for (const std::string& answer : answers) {
      BusParser parser(as_bytes(answer));
      clients += parser.number<std::uint64_t>();
      subscriptions += parser.number<std::uint64_t>();
      for (auto* const names : {&users, &channels})
        for (auto left = parser.number<std::uint32_t>(); left > 0 && parser.ok(); --left)
          names->insert(parser.number<std::uint64_t>());
    }
    std::string out = R"({"nodes":[{"uid":)";
    append_json_string(out, options_.node_id);
    out += R"(,"name":)";
    append_json_string(out, options_.node_name);
    out += R"(,"version":)";
    append_json_string(out, options_.version);
    const auto number = [&](std::string_view name, std::uint64_t value) {
      out.append(",\"").append(name).append("\":") += std::to_string(value);
    };
    number("num_clients", clients);
    number("num_users", users.size());
    number("num_channels", channels.size());
    number("num_subs", subscriptions);
    constexpr std::int64_t kSecondNs = 1'000'000'000;
    number("uptime",
           static_cast<std::uint64_t>((core::sys::monotonic_ns() - started_ns_) / kSecondNs));
    call->finish(out += "}]}");
  });
}

// --- Answering, for this worker's clients. The one that asks has checked the call.

void Api::on_question(std::string_view question, const Answer& answer) {
  if (question.empty()) return answer({});
  const std::string body(question.substr(1));
  ApiRequest request;
  if (request.parse(body) != ApiRequest::Parsed::ok) return answer({});
  // Without emulated transports nobody has a session of that name.
  const bool nobody = !request.session.empty();
  const auto except = views(request.whitelist);
  const client::Clients::Target target{request.user, request.client, except};
  switch (question.front()) {
    case kSubscribe:
      return nobody ? answer(count_answer(0)) : subscribe_here(request, answer);
    case kUnsubscribe:
      return answer(count_answer(
          nobody ? 0 : clients_.unsubscribe({request.user, request.client}, request.channel)));
    case kDisconnect:
      return answer(count_answer(nobody ? 0 : clients_.disconnect(target, disconnect_of(request))));
    case kRefresh:
      return answer(
          count_answer(nobody ? 0
                              : clients_.refresh({request.user, request.client}, request.expired,
                                                 request.expire_at, request.info)));
    case kMessageAll:
      return clients_.message_all(request.data, views(request.exclude_clients),
                                  views(request.exclude_users),
                                  [answer](std::uint32_t count) { answer(count_answer(count)); });
    case kChannels:
      return answer(channels_here(request));
    case kInfo:
      return answer(info_here());
    default:
      return answer({});
  }
}

void Api::subscribe_here(const ApiRequest& request, const Answer& answer) {
  client::Client::ServerSubscription wish;
  wish.channel = request.channel;
  wish.info = request.info;
  wish.data = request.data;
  wish.expire_at = request.expire_at;
  wish.recover = request.recover_since.given;
  wish.offset = request.recover_since.offset;
  wish.epoch = request.recover_since.epoch;
  wish.options = request.override_;
  clients_.subscribe({request.user, request.client}, wish,
                     [answer](std::uint32_t count, const Error& error) {
                       answer(count_answer(count, error.code));
                     });
}

std::string Api::channels_here(const ApiRequest& request) const {
  std::string out;
  BusWriter writer(out);
  clients_.hub().for_each_channel([&](const hub::Channel& channel) {
    if (channel.subscribers.empty()) return;
    if (!request.pattern.empty() && !matches_pattern(request.pattern, channel.name)) return;
    writer.text(channel.name).number(static_cast<std::uint32_t>(channel.subscribers.size()));
  });
  return out;
}

// Names as hashes: who is counted twice shows, and a million of them take eight megabytes.
std::string Api::info_here() const {
  std::string out;
  BusWriter writer(out);
  writer.number(std::uint64_t{clients_.count()}).number(clients_.subscription_count());
  const auto hash = [&](std::string_view name) {
    return core::siphash64(options_.key_of_names, name);
  };
  writer.number(clients_.user_count());
  clients_.for_each_user([&](std::string_view user) { writer.number(hash(user)); });
  writer.number(static_cast<std::uint32_t>(clients_.hub().channel_count()));
  clients_.hub().for_each_channel(
      [&](const hub::Channel& channel) { writer.number(hash(channel.name)); });
  return out;
}

}  // namespace spate::handlers
