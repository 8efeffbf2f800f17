// A connection before, or without, a WebSocket: requests in, responses out, until one of them
// upgrades it and a Session takes over with whatever bytes followed the request.
//
// A request is kept until it is whole, its body decoded in place behind its head:
//
//      | head | body so far | not yet read |
//
// A head has handshake_timeout from the connection's opening, or from the last response, to its
// end; a body as long, and a second more for each kMinBodyRate bytes it brings. What is refused is
// answered with a status and a sentence that says what to do, and closes the connection.
//
// An endpoint may answer later (HttpLater). Requests that were pipelined behind it are served
// meanwhile, up to kMaxOwed of them; answers leave in order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/handshake.h"
#include "codec/http_body.h"
#include "codec/http_head.h"
#include "core/connection_table.h"
#include "handlers/handler_metrics.h"
#include "handlers/routes.h"

namespace spate::handlers {

struct HttpOptions {
  codec::HttpLimits limits{};
  core::Tick handshake_timeout = 0;
  std::vector<std::string> allowed_origins{};
  std::vector<std::string> subprotocols{};
  ClientRules clients{};
  HttpMetrics* metrics = nullptr;  // null: of its own
};

class HttpProtocol final : public core::Protocol {
 public:
  HttpProtocol(core::ConnectionTable& table, const Routes& routes, const HttpOptions& options);

  static constexpr std::uint64_t kMinBodyRate = 500;  // bytes per second
  // Replies to pipelined requests that gather before the connection must take them.
  static constexpr std::uint64_t kMaxUnsentBytes = 64 * 1024;
  static constexpr std::size_t kMaxOwed = 512;  // answers that have not left; then it is not read

  void on_open(core::Connection& connection) override;
  core::Kept on_bytes(core::Connection& connection, const core::ReceiveWindow& window) override;
  void on_end(core::Connection& connection) override;
  void on_keep_refused(core::Connection& connection) override;
  void on_overflow(core::Connection& connection) override;
  void on_drained(core::Connection& connection) override;
  core::Tick on_timer(core::Connection& connection, core::Tick now) override;
  void on_leave(core::Connection& connection) override;
  void on_close(core::Connection& connection, core::CloseCause cause) override;

 private:
  // Answers that have not come, and those that wait behind them.
  struct Owed;
  // Per connection, in Connection::protocol_data.
  struct Data {
    core::Tick began;  // waiting for the head, then for the body
    bool in_head;      // some of it has come
    bool in_body;
    Owed* owed;  // null: nothing
  };
  // Per half-received request, in Hold::state.
  struct HalfRequest {
    std::size_t scanned;       // of the head, while it is not whole
    std::uint32_t head_bytes;  // 0: it is not
    codec::HttpBodyDecoder body;
  };
  static_assert(sizeof(HalfRequest) <= core::kProtocolStateBytes);

  enum class Progress : std::uint8_t { need_more, whole, over };

  Progress take_head(core::Connection& connection, Bytes unread, HalfRequest& half);
  Progress take_body(core::Connection& connection, Bytes& request, HalfRequest& half);
  void read_head_again(Bytes head);
  bool admit_request(core::Connection& connection, const Route* route, HalfRequest& half);
  Session* upgrade(core::Connection& connection, const Route& route);
  // What an answer's form depends on, apart from the answer.
  struct Form {
    bool head_only;
    bool options;
    bool keep_alive;
  };
  void respond(core::Connection& connection, std::string_view body);
  void owe(core::Connection& connection, HttpReply reply, const Form& form);
  void pay(core::Connection& connection);
  bool owes(core::Connection& connection) const;
  void write_reply(core::Connection& connection, const HttpReply& reply, const Form& form);
  void refuse(core::Connection& connection, const Refusal& refusal, std::string_view allow = {});
  void count_answer(int status);
  void forget_head();
  RequestPeer peer_of_request(const core::Connection& connection) const {
    return {connection, head_, options_.clients};
  }
  void expect_request(core::Connection& connection);
  core::Tick deadline(const core::Connection& connection) const;
  std::string_view date();

  core::ConnectionTable& table_;
  const Routes& routes_;
  const HttpOptions options_;
  std::vector<std::string_view> allowed_origins_;
  std::vector<std::string_view> subprotocols_;
  codec::HttpHead head_;  // of the request in hand
  std::string reply_;     // being written; keeps its memory
  std::string date_;      // as of date_tick_
  core::Tick date_tick_ = 0;
  const core::MetricsOf<HttpMetrics> metrics_;
};

// Tells a connection that there is no place for it: 503, then the end.
class RefusalProtocol final : public core::Protocol {
 public:
  explicit RefusalProtocol(core::ConnectionTable& table) : table_(table) {}

  void on_open(core::Connection& connection) override;
  core::Kept on_bytes(core::Connection&, const core::ReceiveWindow&) override { return {}; }
  void on_end(core::Connection&) override {}
  void on_keep_refused(core::Connection&) override {}
  void on_overflow(core::Connection&) override {}
  void on_drained(core::Connection&) override {}
  core::Tick on_timer(core::Connection&, core::Tick) override { return core::kNoDeadline; }
  void on_leave(core::Connection&) override {}
  void on_close(core::Connection&, core::CloseCause) override {}

 private:
  core::ConnectionTable& table_;
};

}  // namespace spate::handlers
