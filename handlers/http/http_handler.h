// What an endpoint sees of a plain HTTP request, and the interface it implements.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "codec/http_head.h"
#include "handlers/client_address.h"

namespace spate::handlers {

// Lives until on_request returns.
struct HttpRequest {
  const codec::HttpHead& head;
  std::string_view body;  // whole, without chunk framing
  RequestPeer peer;       // peer(): the client, behind trusted proxies
};

class LateReply;

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
  std::shared_ptr<LateReply> later{};  // HttpLater::reply(): the answer comes later, not this one
};

// The place of an answer that comes later: for who writes it out.
class LateReply {
 public:
  bool given() const { return given_; }
  HttpReply& reply() { return reply_; }
  // Null: nobody waits any more.
  void when_given(std::function<void()> call) { on_given_ = std::move(call); }

 private:
  friend class HttpLater;

  HttpReply reply_;
  bool given_ = false;
  std::function<void()> on_given_;
};

// An answer that may come after on_request has returned, which returns its reply(). The endpoint
// keeps this and gives the answer once; the connection may be gone by then. What is destroyed
// without an answer gives 500. On the worker's thread.
class HttpLater {
 public:
  HttpLater() = default;
  HttpLater(const HttpLater&) = delete;
  HttpLater& operator=(const HttpLater&) = delete;
  ~HttpLater() {
    if (!place_->given_) give({.status = 500, .body = "The endpoint did not answer.\n"});
  }

  HttpReply reply() const { return {.later = place_}; }

  void give(HttpReply reply) {
    place_->reply_ = std::move(reply);
    place_->given_ = true;
    if (const auto call = std::exchange(place_->on_given_, nullptr)) call();
  }

 private:
  const std::shared_ptr<LateReply> place_ = std::make_shared<LateReply>();
};

// An endpoint's policy. One object per endpoint and worker, on one thread. Methods and body size
// are checked before it is asked; a HEAD is asked as a GET, and the reply's body then left out. One
// that throws is answered for with 500, and its connection closed. Answers leave in the order of
// their requests.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // As the Allow header has it (RFC 9110 §10.2.1).
  virtual std::string_view methods() const { return "GET, HEAD"; }
  // 0: no body is taken.
  virtual std::uint64_t max_body_bytes() const { return 0; }
  virtual HttpReply on_request(const HttpRequest& request) = 0;
};

}  // namespace spate::handlers
