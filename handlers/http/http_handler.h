// What an endpoint sees of a plain HTTP request, and the interface it implements.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/http_head.h"
#include "handlers/client_address.h"

namespace spate::handlers {

// Lives until on_request returns.
struct HttpRequest {
  const codec::HttpHead& head;
  std::string_view body;  // whole, without chunk framing
  RequestPeer peer;       // peer(): the client, behind trusted proxies
};

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
};

// An endpoint's policy. One object per endpoint and worker, on one thread. Methods and body size
// are checked before it is asked; a HEAD is asked as a GET, and the reply's body then left out. One
// that throws is answered for with 500, and its connection closed.
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
