// Plain HTTP as a strict client speaks it: a response is read to exactly the length that it states
// (RFC 9112 §6.3), so that a byte too many or too few is seen.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/system/fixture.h"

namespace spate::tests {

struct HttpResponse {
  ResponseHead head;
  std::string body;

  int status() const { return head.status; }
};

// Whether the response answers a HEAD: it then states a length and brings no body (§9.3.2 of RFC
// 9110).
enum class Answers { get, head };

// Takes the next response off the client's inbox, waiting for it. Nothing, and a reason in *why,
// when none came by the deadline or what came breaks the rules.
std::optional<HttpResponse> receive_response(RawClient& client, Answers answers, std::string* why,
                                             Deadline deadline = soon());

// A request without a body; `fields` are whole lines, each with its CRLF.
std::string request(std::string_view method, std::string_view target, std::string_view fields = {});

class HttpTest : public SystemTest {
 protected:
  // The next response; a failure, and status 0, when there is none.
  HttpResponse response(RawClient& client, Answers answers = Answers::get);
  // Nothing more comes, and the server ends the connection in order.
  void expect_end(RawClient& client);
  // The connection is still good for a request.
  void expect_open(RawClient& client);
  // One whole connection: sends the bytes and expects these responses to GETs, then the end.
  void expect_statuses(std::string_view bytes, const std::vector<int>& statuses);
};

}  // namespace spate::tests
