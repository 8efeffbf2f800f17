// Each message is described once, by members that have a number and a name, in the order of the
// numbers; what that comes to in bytes, JsonFields and ProtobufFields know.
#include "handlers/client/writer.h"

#include "handlers/client/json_fields.h"
#include "handlers/client/protobuf_fields.h"

namespace spate::handlers::client {
namespace {

// The number in Reply of a method's result; its name is the method's.
Field result_field(Method method) {
  const std::string_view name = method_name(method);
  switch (method) {
    case Method::connect:
      return {5, name};
    case Method::subscribe:
      return {6, name};
    case Method::unsubscribe:
      return {7, name};
    case Method::publish:
      return {8, name};
    case Method::presence:
      return {9, name};
    case Method::presence_stats:
      return {10, name};
    case Method::history:
      return {11, name};
    case Method::ping:
      return {12, name};
    case Method::rpc:
      return {13, name};
    case Method::refresh:
      return {14, name};
    case Method::sub_refresh:
      return {15, name};
    case Method::none:
    case Method::send:
      break;
  }
  check_failed("a method with a result", __FILE__, __LINE__);
}

template <typename Fields>
void put(Fields& out, const ClientInfo& info) {
  out.text_always({1, "user"}, info.user);
  out.text_always({2, "client"}, info.client);
  out.payload({3, "conn_info"}, info.conn_info);
  out.payload({4, "chan_info"}, info.chan_info);
}

template <typename Fields>
void put(Fields& out, const Publication& publication, hub::Epoch epoch = {}) {
  out.payload({4, "data"}, publication.data);
  if (publication.info)
    out.object_always({5, "info"}, [&](Fields& info) { put(info, *publication.info); });
  out.number({6, "offset"}, publication.offset);
  out.text_map(
      {7, "tags"}, publication.tags, [](const hub::Tag& tag) { return tag.key; },
      [](const hub::Tag& tag) { return tag.value; });
  out.text({14, "epoch"}, epoch.text());
}

template <typename Fields>
void put(Fields& out, const hub::KeptPublication& kept) {
  put(out, kept.publication);
}

template <typename Fields>
void put(Fields& out, const SubscribeResult& result) {
  out.flag({1, "expires"}, result.expires);
  out.number({2, "ttl"}, result.ttl);
  out.flag({3, "recoverable"}, result.recoverable);
  out.text({6, "epoch"}, result.position.epoch.text());
  out.list({7, "publications"}, result.publications,
           [](Fields& object, const hub::KeptPublication& kept) { put(object, kept); });
  out.flag({8, "recovered"}, result.recovered);
  out.number({9, "offset"}, result.position.offset);
  out.flag({10, "positioned"}, result.positioned);
  out.payload({11, "data"}, result.data);
  out.flag({12, "was_recovering"}, result.was_recovering);
}

template <typename Fields>
class Writer final : public MessageWriter {
 public:
  void error(std::string& out, std::uint32_t id, const Error& error) override {
    Fields::message(out, [&](Fields& reply) {
      reply.number({1, "id"}, id);
      reply.object_always({2, "error"}, [&](Fields& object) {
        object.number_always({1, "code"}, error.code);
        object.text_always({2, "message"}, error.message);
        object.flag({3, "temporary"}, error.temporary);
      });
    });
  }

  void connected(std::string& out, std::uint32_t id, const ConnectResult& result,
                 std::span<const ConnectedSubscription> subs) override {
    reply(out, id, Method::connect, [&](Fields& object) {
      object.text_always({1, "client"}, result.client);
      object.text({2, "version"}, result.version);
      object.flag({3, "expires"}, result.expires);
      object.number({4, "ttl"}, result.ttl);
      object.payload({5, "data"}, result.data);
      object.map(
          {6, "subs"}, subs, [](const ConnectedSubscription& sub) { return sub.channel; },
          [](Fields& value, const ConnectedSubscription& sub) { put(value, sub.result); });
      object.number({7, "ping"}, result.ping);
      object.flag({8, "pong"}, result.pong);
      object.text({9, "session"}, result.session);
      object.text({10, "node"}, result.node);
    });
  }

  void subscribed(std::string& out, std::uint32_t id, const SubscribeResult& result) override {
    reply(out, id, Method::subscribe, [&](Fields& object) { put(object, result); });
  }

  void done(std::string& out, std::uint32_t id, Method method) override {
    reply(out, id, method, [](Fields&) {});
  }

  void presence(std::string& out, std::uint32_t id,
                std::span<const hub::PresenceEntry> entries) override {
    reply(out, id, Method::presence, [&](Fields& object) {
      object.map_always(
          {1, "presence"}, entries,
          [](const hub::PresenceEntry& entry) { return entry.info.client; },
          [](Fields& value, const hub::PresenceEntry& entry) { put(value, entry.info); });
    });
  }

  void presence_stats(std::string& out, std::uint32_t id,
                      const hub::PresenceStats& stats) override {
    reply(out, id, Method::presence_stats, [&](Fields& object) {
      object.number_always({1, "num_clients"}, stats.clients);
      object.number_always({2, "num_users"}, stats.users);
    });
  }

  void history(std::string& out, std::uint32_t id,
               std::span<const hub::KeptPublication> publications, StreamPosition top) override {
    reply(out, id, Method::history, [&](Fields& object) {
      object.list_always({1, "publications"}, publications,
                         [](Fields& value, const hub::KeptPublication& kept) { put(value, kept); });
      object.text_always({2, "epoch"}, top.epoch.text());
      object.number_always({3, "offset"}, top.offset);
    });
  }

  void rpc(std::string& out, std::uint32_t id, std::string_view data) override {
    reply(out, id, Method::rpc, [&](Fields& object) { object.payload({1, "data"}, data); });
  }

  void refreshed(std::string& out, std::uint32_t id, Method method, const Expiry& expiry) override {
    // RefreshResult names client and version first.
    const std::uint32_t first = method == Method::refresh ? 3 : 1;
    reply(out, id, method, [&](Fields& object) {
      object.flag({first, "expires"}, expiry.expires);
      object.number({first + 1, "ttl"}, expiry.ttl);
    });
  }

  void ping(std::string& out) override {
    Fields::message(out, [](Fields&) {});
  }

  void publication(std::string& out, std::string_view channel, const Publication& publication,
                   hub::Epoch epoch) override {
    push(out, channel, {4, "pub"}, [&](Fields& object) { put(object, publication, epoch); });
  }

  void join(std::string& out, std::string_view channel, const ClientInfo& info) override {
    push(out, channel, {5, "join"}, [&](Fields& object) {
      object.object_always({1, "info"}, [&](Fields& value) { put(value, info); });
    });
  }

  void leave(std::string& out, std::string_view channel, const ClientInfo& info) override {
    push(out, channel, {6, "leave"}, [&](Fields& object) {
      object.object_always({1, "info"}, [&](Fields& value) { put(value, info); });
    });
  }

  void subscribe(std::string& out, std::string_view channel,
                 const SubscribeResult& result) override {
    push(out, channel, {9, "subscribe"}, [&](Fields& object) {
      object.flag({1, "recoverable"}, result.recoverable);
      object.text({4, "epoch"}, result.position.epoch.text());
      object.number({5, "offset"}, result.position.offset);
      object.flag({6, "positioned"}, result.positioned);
      object.payload({7, "data"}, result.data);
    });
  }

  void unsubscribe(std::string& out, std::string_view channel, const Unsubscribed& why) override {
    push(out, channel, {7, "unsubscribe"}, [&](Fields& object) {
      object.number_always({2, "code"}, why.code);
      object.text_always({3, "reason"}, why.reason);
    });
  }

  void message(std::string& out, std::string_view data) override {
    push(out, {}, {8, "message"}, [&](Fields& object) { object.payload({1, "data"}, data); });
  }

  void disconnect(std::string& out, const Disconnect& why) override {
    push(out, {}, {11, "disconnect"}, [&](Fields& object) {
      object.number_always({1, "code"}, why.code);
      object.text_always({2, "reason"}, why.reason);
    });
  }

  void refresh(std::string& out, const Expiry& expiry) override {
    push(out, {}, {12, "refresh"}, [&](Fields& object) {
      object.flag({1, "expires"}, expiry.expires);
      object.number({2, "ttl"}, expiry.ttl);
    });
  }

 private:
  // The result is there even when it is empty: clients tell replies by it.
  template <typename Body>
  static void reply(std::string& out, std::uint32_t id, Method method, Body body) {
    const Field result = result_field(method);
    Fields::message(out, [&](Fields& reply) {
      reply.number({1, "id"}, id);
      reply.object_always(result, body);
    });
  }

  template <typename Body>
  static void push(std::string& out, std::string_view channel, Field kind, Body body) {
    Fields::message(out, [&](Fields& reply) {
      reply.object_always({4, "push"}, [&](Fields& push) {
        push.text({2, "channel"}, channel);
        push.object_always(kind, body);
      });
    });
  }
};

}  // namespace

MessageWriter& json_writer() {
  static Writer<JsonFields> writer;
  return writer;
}

MessageWriter& protobuf_writer() {
  static Writer<ProtobufFields> writer;
  return writer;
}

}  // namespace spate::handlers::client
