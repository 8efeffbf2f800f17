// A hub without sockets: clients over a transport of strings, the real broker, and time that moves
// when the test says so.
//
//   HubWorld world(R"({"without_namespace":{"allow_subscribe_for_client":true}})");
//   Peer& anna = world.connect();
//   world.say(anna, R"({"subscribe":{"channel":"news"},"id":2})");
//   EXPECT_EQ(anna.take(), …);
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "handlers/client/clients.h"
#include "handlers/client/websocket_endpoint.h"
#include "handlers/hub/log_broker.h"
#include "handlers/hub/workers.h"
#include "tests/handlers/hub/later_broker.h"
#include "tests/handlers/session_fixture.h"

namespace spate::test {

using handlers::client::Client;
using handlers::client::ClientOptions;
using handlers::client::Clients;
using handlers::client::ClientTransport;
using handlers::client::Disconnect;
namespace hub = handlers::hub;

// Whether requests to the broker wait until settle(): tests are run both ways.
inline const bool later_broker = std::getenv("SPATE_TEST_LATER_BROKER") != nullptr;

// A client's end.
struct Peer {
  Client* client = nullptr;
  hub::Framing framing = hub::Framing::websocket_json;
  std::vector<std::string> heard;  // messages, without their frames
  std::vector<std::string> urgent;
  Disconnect disconnected{};
  core::Tick deadline = 0;
  core::Tick last_heard = 0;
  std::size_t writes = 0;
  std::size_t frame_pings = 0;
  bool backlog = false;
  bool paused = false;             // it is not read
  std::deque<std::string> unread;  // said while it was
  std::uint64_t unsent_bytes = 0;
  std::size_t largest_message = 0;  // bytes

  // What came since the last time; JSON messages one by one.
  std::vector<std::string> take() { return std::exchange(heard, {}); }
  std::string last() const { return heard.empty() ? std::string() : heard.back(); }
  bool over() const { return client == nullptr; }
};

class StringTransport final : public ClientTransport {
 public:
  void turn(Link link, const std::function<void()>& work) override {
    ++peer(link).writes;
    work();
  }
  void send(Link link, hub::Framing framing, std::string_view messages, bool urgent) override {
    Peer& to = peer(link);
    EXPECT_EQ(framing, to.framing);
    to.largest_message = std::max(to.largest_message, messages.size());
    if (urgent && to.backlog) to.urgent.emplace_back(messages);
    add(to, messages);
  }
  void send(Link link, hub::Framing framing, hub::PushBatch& batch, std::size_t from,
            std::size_t to) override {
    frames(peer(link), batch.bytes_of(framing, from, to));
  }
  void send(Link link, const core::BlockRef& framed) override {
    frames(peer(link), framed.bytes());
  }
  void ping(Link link) override { ++peer(link).frame_pings; }
  core::Tick last_heard(Link link) const override { return peer(link).last_heard; }
  bool has_backlog(Link link) const override { return peer(link).backlog; }
  std::uint64_t unsent_bytes(Link link) const override { return peer(link).unsent_bytes; }
  void arm(Link link, core::Tick deadline) override {
    Peer& of = peer(link);
    if (of.deadline == 0 || static_cast<std::int32_t>(deadline - of.deadline) < 0)
      of.deadline = deadline;
  }
  void pause(Link link) override { peer(link).paused = true; }
  void resume(Link link) override { peer(link).paused = false; }
  void close(Link link, const Disconnect& why) override {
    Peer& of = peer(link);
    of.disconnected = why;
    reason_.emplace_back(why.reason);
    of.disconnected.reason = reason_.back();
    std::exchange(of.client, nullptr)->on_end();
  }

 private:
  static Peer& peer(Link link) { return *static_cast<Peer*>(link); }
  static void add(Peer& to, std::string_view messages) {
    if (to.framing != hub::Framing::websocket_json) return void(to.heard.emplace_back(messages));
    while (!messages.empty()) {
      const std::size_t end = std::min(messages.find('\n'), messages.size());
      to.heard.emplace_back(messages.substr(0, end));
      messages.remove_prefix(std::min(end + 1, messages.size()));
    }
  }
  static void frames(Peer& to, ConstBytes bytes) {
    for (const Frame& frame : frames_of(std::string(as_text(bytes)))) add(to, frame.payload);
  }

  std::deque<std::string> reason_;
};

class HubWorld {
 public:
  explicit HubWorld(std::string_view channels, ClientOptions client_options = {},
                    hub::Hub::Options hub_options = {})
      : options(std::move(client_options)),
        rules(hub::ChannelRules::parse(channels).value()),
        metrics(cells(rules.all().size())),
        hub(reactor, encoder, metrics, hub_options) {
    EXPECT_EQ(memory.create(16 << 20), 0);
    handlers::client::TokenSettings tokens;
    tokens.hmac_secret = kSecret;
    verifier = handlers::client::TokenVerifier::create(tokens).value();
    start();
  }
  ~HubWorld() {
    for (Peer& peer : peers) end(peer);
    settle();
  }

  static constexpr const char* kSecret = "0123456789abcdef0123456789abcdef";

  Peer& open(hub::Framing framing = hub::Framing::websocket_json, std::string_view user = {},
             bool frame_pings = false) {
    Peer& peer = peers.emplace_back();
    peer.framing = framing;
    peer.client = &clients->open(transport, &peer, {framing, frame_pings, user});
    return peer;
  }
  // Opens and connects; `connect` is the request's JSON.
  Peer& connect(std::string_view user = {}, std::string_view connect = "{}") {
    Peer& peer = open(hub::Framing::websocket_json, user);
    say(peer, R"({"id":1,"connect":)" + std::string(connect) + "}");
    return peer;
  }
  Peer& subscribe(Peer& peer, std::string_view channel, std::string_view more = "") {
    say(peer, R"({"id":2,"subscribe":{"channel":")" + std::string(channel) + "\"" +
                  std::string(more) + "}}");
    return peer;
  }
  void say(Peer& peer, const std::string& frame) {
    say_only(peer, frame);
    settle();
  }
  // Nothing is answered yet that is answered later.
  void say_only(Peer& peer, const std::string& frame) {
    if (peer.paused) return void(peer.unread.push_back(frame));
    if (peer.client != nullptr) peer.client->on_frame(as_bytes(frame));
  }
  // The client goes away.
  void end(Peer& peer) {
    if (peer.client != nullptr) std::exchange(peer.client, nullptr)->on_end();
    settle();
  }
  hub::PublishResult publish(std::string_view channel, std::string_view data,
                             std::vector<std::string_view> exclude_users = {},
                             std::vector<std::string_view> exclude_clients = {}) {
    hub::PublishRequest request;
    request.channel = channel;
    request.publication.data = data;
    const hub::ChannelOptions& of = *rules.options_of(channel);
    request.history = of.history;
    request.exclude_users = exclude_users;
    request.exclude_clients = exclude_clients;
    hub::PublishResult result;
    clients->publish(of, request, [&](const hub::PublishResult& done) { result = done; });
    if (answers) later->answer_all();
    return result;
  }
  // The server subscribes a user's connections; how many.
  std::uint32_t subscribe_user(std::string_view user, std::string_view channel) {
    Client::ServerSubscription wish;
    wish.channel = channel;
    const auto subscribed = std::make_shared<std::uint32_t>(0);
    clients->subscribe({user}, wish,
                       [subscribed](std::uint32_t count, const auto&) { *subscribed = count; });
    settle();
    return *subscribed;
  }
  // Until nothing is on its way.
  void settle() {
    for (int turns = 0; turns < 1000; ++turns) {
      if (answers) later->answer_all();
      reactor.precise().fire_due(core::sys::monotonic_ns());
      const bool asked = answers && later->waiting() > 0;
      if (hub.idle() && !asked && !read_on()) return;
      hub.flush();
    }
    FAIL() << "the hub never comes to rest";
  }
  // Time passes; every timer fires when it is due.
  void advance_ms(std::uint64_t ms) {
    const core::Tick end = reactor.now() + core::ticks_of_ms(ms);
    while (reactor.now() != end) leap(1);
  }
  // In one step: each timer that is due fires once.
  void leap(core::Tick ticks) {
    reactor.wake_at(reactor.now() + ticks);
    for (Peer& peer : peers) {
      if (peer.client == nullptr || peer.deadline == 0) continue;
      if (static_cast<std::int32_t>(reactor.now() - peer.deadline) < 0) continue;
      peer.deadline = 0;
      if (const core::Tick next = peer.client->on_timer(reactor.now());
          next != 0 && peer.client != nullptr)
        transport.arm(&peer, next);
    }
    settle();
  }
  // The worker was killed, and another one reads its log.
  void restart_broker() {
    for (Peer& peer : peers) end(peer);
    clients.reset();
    later.reset();
    broker.reset();
    start();
  }

  std::uint64_t refused(hub::Refused reason) const {
    return client_metrics.refusals[static_cast<std::size_t>(reason)];
  }

  ClientOptions options;
  core::Reactor reactor{{}};
  hub::ChannelRules rules;
  std::vector<std::unique_ptr<hub::NamespaceMetrics>> space_metrics;
  hub::HubMetrics metrics;
  hub::ClientMetrics client_metrics;
  handlers::client::RpcHandlers rpc;
  handlers::client::WebSocketEncoder encoder;
  std::unique_ptr<handlers::client::TokenVerifier> verifier;
  core::LogMemory memory;
  hub::Hub hub;
  std::unique_ptr<hub::LogBroker> broker;
  std::unique_ptr<LaterBroker> later;  // in front of it
  bool answers = true;                 // settle() has it answer
  std::unique_ptr<Clients> clients;
  hub::OnlyWorker workers;
  StringTransport transport;
  std::deque<Peer> peers;

 private:
  void start() {
    broker = std::make_unique<hub::LogBroker>(memory, hub, hub::LogBrokerOptions{});
    ASSERT_TRUE(broker->open().ok());
    later = std::make_unique<LaterBroker>(*broker);
    later->holds = later_broker;
    hub.set_broker(*later);
    clients = std::make_unique<Clients>(Clients::Parts{
        reactor, hub, *later, rules, *verifier, *verifier, metrics, client_metrics, rpc, options});
  }
  // What was said to clients that are read again. Whether anything was.
  bool read_on() {
    bool any = false;
    for (Peer& peer : peers)
      while (!peer.paused && !peer.unread.empty()) {
        const std::string frame = std::move(peer.unread.front());
        peer.unread.pop_front();
        any = true;
        if (peer.client != nullptr) peer.client->on_frame(as_bytes(frame));
      }
    return any;
  }
  std::vector<hub::NamespaceMetrics*> cells(std::size_t count) {
    std::vector<hub::NamespaceMetrics*> all;
    while (space_metrics.size() < count)
      all.push_back(space_metrics.emplace_back(std::make_unique<hub::NamespaceMetrics>()).get());
    return all;
  }
};

}  // namespace spate::test
