// Clients over WebSocket: /connection/websocket. A message holds one or several commands; JSON
// goes out in text frames, Protobuf in binary ones, and a disconnect is a close frame.
#pragma once

#include <memory>
#include <string>

#include "core/connection_table.h"
#include "handlers/client/clients.h"
#include "handlers/client/transport.h"
#include "handlers/websocket.h"

namespace spate::handlers::client {

// Pushes as whole WebSocket frames.
class WebSocketEncoder final : public hub::PushEncoder {
 public:
  bool publication(hub::Framing framing, std::string& out, std::string_view channel,
                   const Publication& publication, hub::Epoch epoch) override;
  void join(hub::Framing framing, std::string& out, std::string_view channel,
            const ClientInfo& info) override;
  void leave(hub::Framing framing, std::string& out, std::string_view channel,
             const ClientInfo& info) override;

 private:
  std::string message_;  // keep their memory
  std::string line_;
};

class WebSocketTransport final : public ClientTransport {
 public:
  explicit WebSocketTransport(core::ConnectionTable& table) : table_(table) {}

  void turn(Link link, const std::function<void()>& work) override;
  void send(Link link, hub::Framing framing, std::string_view messages, bool urgent) override;
  void send(Link link, hub::Framing framing, hub::PushBatch& batch, std::size_t from,
            std::size_t to) override;
  void send(Link link, const core::BlockRef& framed) override;
  void ping(Link link) override;
  core::Tick last_heard(Link link) const override;
  bool has_backlog(Link link) const override;
  std::uint64_t unsent_bytes(Link link) const override;
  void arm(Link link, core::Tick deadline) override;
  void pause(Link link) override;
  void resume(Link link) override;
  void close(Link link, const Disconnect& why) override;

 private:
  core::ConnectionTable& table_;
  std::string frame_;
};

class WebSocketEndpoint final : public WebSocketHandler {
 public:
  WebSocketEndpoint(Clients& clients, ClientTransport& transport, std::string user_header)
      : clients_(clients), transport_(transport), user_header_(std::move(user_header)) {}

  Admission admit(const UpgradeRequest& request) override;
  void on_open(WebSocket& socket) override;
  void on_message(WebSocket& socket, const Message& message) override;
  core::Tick on_timer(WebSocket& socket, core::Tick now) override;
  void on_drained(WebSocket& socket) override;
  codec::CloseCode on_drain(WebSocket& socket) override;
  std::string_view drain_reason() const override { return kDisconnectShutdown.reason; }
  void on_close(WebSocket& socket, codec::CloseCode code, std::string_view reason) override;
  bool keeps_time() const override { return true; }
  bool rests_on_backlog() const override { return false; }
  codec::CloseCode overflow_code() const override { return kDisconnectSlow.code; }

 private:
  Clients& clients_;
  ClientTransport& transport_;
  const std::string user_header_;
  // Of the request that was admitted last: its connection is opened next.
  Client::Origin origin_;
  std::string user_;
};

}  // namespace spate::handlers::client
