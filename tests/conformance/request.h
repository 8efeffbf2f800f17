// A correct opening handshake, for rows that spoil it in one place.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/row.h"

namespace spate::tests {

struct Request {
  std::string method = "GET";
  std::string target = "/echo";
  std::string version = "HTTP/1.1";
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Host", "{host}"},
      {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},
      {"Sec-WebSocket-Key", std::string(kSampleKey)},
      {"Sec-WebSocket-Version", "13"},
  };

  Request without(const std::string& name) const;
  Request with(const std::string& name, const std::string& value) const;
  Request changed(const std::string& name, const std::string& value) const;
  std::string bytes() const;
};

Request request_line(std::string method, std::string target, std::string version = "HTTP/1.1");

// Upgraded, and the connection is tried with a message.
Case accepted(Handshake handshake);

struct Refusal {
  std::vector<int> statuses;
  bool may_stay_open = false;
};

void add_accepted(Table& table, const std::string& name, const std::string& clause,
                  const Request& request, const Profile& profile = kStandard);
void add_refused(Table& table, const std::string& name, const std::string& clause,
                 const Refusal& refusal, const std::string& bytes,
                 const Profile& profile = kStandard);

}  // namespace spate::tests
