#include "tests/conformance/request.h"

namespace spate::tests {

Request Request::without(const std::string& name) const {
  Request out = *this;
  std::erase_if(out.headers, [&](const auto& header) { return header.first == name; });
  return out;
}

Request Request::with(const std::string& name, const std::string& value) const {
  Request out = *this;
  out.headers.emplace_back(name, value);
  return out;
}

Request Request::changed(const std::string& name, const std::string& value) const {
  Request out = *this;
  for (auto& header : out.headers) {
    if (header.first == name) header.second = value;
  }
  return out;
}

std::string Request::bytes() const {
  std::string out = method + " " + target + " " + version + "\r\n";
  for (const auto& [name, value] : headers) out += name + ": " + value + "\r\n";
  return out + "\r\n";
}

Request request_line(std::string method, std::string target, std::string version) {
  return {.method = std::move(method), .target = std::move(target), .version = std::move(version)};
}

Case accepted(Handshake handshake) {
  return {.handshake = std::move(handshake),
          .script = {send(text_frame("open"))},
          .expect = stays_open({text("open")})};
}

void add_accepted(Table& table, const std::string& name, const std::string& clause,
                  const Request& request, const Profile& profile) {
  table.add(
      "handshake/" + name, clause, [request] { return accepted({.request = request.bytes()}); },
      profile);
}

void add_refused(Table& table, const std::string& name, const std::string& clause,
                 const Refusal& refusal, const std::string& bytes, const Profile& profile) {
  table.add(
      "handshake/" + name, clause,
      [refusal, bytes] {
        return Case{.handshake = {.request = bytes,
                                  .statuses = refusal.statuses,
                                  .may_stay_open = refusal.may_stay_open}};
      },
      profile);
}

}  // namespace spate::tests
