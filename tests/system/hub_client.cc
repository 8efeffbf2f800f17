#include "tests/system/hub_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>

namespace spate::tests {
namespace {

std::string base64url(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                      reinterpret_cast<const unsigned char*>(bytes.data()),
                                      static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(written));
  std::ranges::replace(out, '+', '-');
  std::ranges::replace(out, '/', '_');
  while (out.ends_with('=')) out.pop_back();
  return out;
}

}  // namespace

std::string token_of(std::string_view user) {
  std::string token = base64url(R"({"alg":"HS256","typ":"JWT"})") + "." +
                      base64url(R"({"sub":")" + std::string(user) + "\"}");
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  HMAC(EVP_sha256(), kTokenSecret.data(), static_cast<int>(kTokenSecret.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), mac, &bytes);
  return token + "." + base64url({reinterpret_cast<const char*>(mac), bytes});
}

HubProcess HubProcess::start(std::string channels, std::vector<std::string> more,
                             std::string* why) {
  std::vector<std::string> flags{
      "--channels",     std::move(channels),   "--internal-listen",      "127.0.0.1:0",
      "--api-insecure", "--token-hmac-secret", std::string(kTokenSecret)};
  flags.insert(flags.end(), more.begin(), more.end());
  HubProcess hub{ServerProcess::start({.flags = std::move(flags)}, why), 0};
  if (hub.server == nullptr) return hub;
  constexpr std::string_view kInternal = "internal listener on 127.0.0.1:";
  // It says that behind the port that start() waits for.
  const bool ready =
      hub.server->wait_for_output("master: ready: ", within(std::chrono::seconds(10)));
  const std::string output = hub.server->output();
  const std::size_t at = output.find(kInternal);
  if (!ready || at == std::string::npos) {
    if (why != nullptr) *why = output;
    return {};
  }
  const char* const digits = output.data() + at + kInternal.size();
  std::from_chars(digits, output.data() + output.size(), hub.internal_port);
  return hub;
}

std::string HubProcess::ask(std::string_view request_line, std::string_view body,
                            Deadline deadline) const {
  auto stream = tcp_endpoint(internal_port).connect(deadline);
  if (stream == nullptr) return "STATUS 0";
  RawClient client(std::move(stream));
  std::string request = std::string(request_line) +
                        " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n";
  if (!client.send(request.append(body), deadline)) return "STATUS 0";
  client.receive_end(deadline);
  const std::string answer = client.take();
  const std::size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return "STATUS 0";
  if (!answer.starts_with("HTTP/1.1 200 ")) return "STATUS " + answer.substr(9, 3);
  return answer.substr(end + 4);
}

std::string HubProcess::api(std::string_view method, std::string_view body,
                            Deadline deadline) const {
  return ask("POST /api/" + std::string(method), body, deadline);
}

std::uint64_t HubProcess::metric(std::string_view name) const {
  const std::string page = ask("GET /metrics", {}, within(std::chrono::seconds(10)));
  const std::string line = "\n" + std::string(name) + " ";
  const std::size_t at = page.find(line);
  std::uint64_t value = 0;
  if (at != std::string::npos)
    std::from_chars(page.data() + at + line.size(), page.data() + page.size(), value);
  return value;
}

std::unique_ptr<HubClient> HubClient::open(const HubProcess& hub, Deadline deadline) {
  auto socket = WsClient::open(hub.server->endpoint(), deadline, kHubPath);
  if (socket == nullptr) return nullptr;
  return std::unique_ptr<HubClient>(new HubClient(std::move(socket)));
}

std::unique_ptr<HubClient> HubClient::connect(const HubProcess& hub, std::string_view user,
                                              Deadline deadline) {
  auto client = open(hub, deadline);
  if (client == nullptr ||
      !client->say(R"({"id":1,"connect":{"token":")" + token_of(user) + "\"}}", deadline))
    return nullptr;
  return client->hear(deadline).starts_with(R"({"id":1,"connect":{)") ? std::move(client) : nullptr;
}

bool HubClient::say(std::string text, Deadline deadline) {
  return socket_->send(text_frame(std::move(text)), deadline);
}

std::string HubClient::hear(Deadline deadline) {
  for (;;) {
    if (!pending_.empty()) {
      const std::size_t end = std::min(pending_.find('\n'), pending_.size());
      std::string line = pending_.substr(0, end);
      pending_.erase(0, std::min(end + 1, pending_.size()));
      if (line != "{}") return line;
      if (!say("{}", deadline)) return {};
      continue;
    }
    auto frame = socket_->receive(deadline);
    if (!frame) return {};
    if (frame->opcode == kClose) {
      close_code_ = frame->close_code().value_or(1005);
      return {};
    }
    pending_ = std::move(frame->payload);
  }
}

}  // namespace spate::tests
