// User memory of a hub for each connected client: the slope from 1,000 to 15,000 of what all its
// processes own. Usage: hub_memory; exit 3 when the machine lets a process have too few
// descriptors.
//
//   shared   one subscription to a channel of 1,000, presence off          has a budget
//   own      one subscription to a channel of its own, presence on
//
// Clients speak JSON, show a token and have a user's id of eight bytes. They are sockets and no
// more: their end costs this process nothing that would be counted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/base.h"
#include "tests/system/hub_client.h"
#include "tests/system/process_facts.h"

namespace {

using namespace spate::tests;

constexpr std::uint32_t kFirst = 1000;
constexpr std::uint32_t kLast = 15'000;
constexpr std::size_t kDescriptors = kLast + 500;
constexpr std::size_t kBudgetBytes = 600;

constexpr const char* kRules = R"({"namespaces": [
  {"name": "shared", "allow_subscribe_for_client": true},
  {"name": "own", "presence": true, "allow_subscribe_for_client": true}]})";

std::string eight_bytes(std::uint32_t number) {
  char text[9];
  std::snprintf(text, sizeof text, "user%04u", number % 10'000);
  if (number >= 10'000) text[0] = static_cast<char>('A' + number / 10'000);
  return text;
}

std::string channel_of(bool own, std::uint32_t number) {
  return own ? "own:" + std::to_string(number) : "shared:" + std::to_string(number / 1000);
}

int open_socket(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  SPATE_CHECK(fd >= 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SPATE_CHECK(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

// Handshake, connect and subscribe, each when the one before has been answered, as SDKs do.
int join(std::uint16_t port, const std::string& user, const std::string& channel) {
  const int fd = open_socket(port);
  const std::pair<std::string, std::string> steps[] = {
      {upgrade_request("127.0.0.1:" + std::to_string(port), kHubPath), "\r\n\r\n"},
      {text_frame(R"({"connect":{"token":")" + token_of(user) + R"(","name":"js"},"id":1})"),
       R"("pong":true}})"},
      {text_frame(R"({"subscribe":{"channel":")" + channel + R"(","flag":1},"id":2})"),
       R"({"id":2,"subscribe":{}})"}};
  for (const auto& [request, answer] : steps) {
    SPATE_CHECK(send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(request.size()));
    std::string heard;
    char block[1024];
    while (!heard.ends_with(answer)) {
      const ssize_t bytes = recv(fd, block, sizeof block, 0);
      if (bytes <= 0) {
        std::fprintf(stderr, "%s: heard %s\n", user.c_str(), heard.c_str());
        std::exit(1);
      }
      heard.append(block, static_cast<std::size_t>(bytes));
    }
  }
  return fd;
}

// Bytes a client.
double slope(bool own, const char* workers) {
  std::string why;
  const HubProcess hub = HubProcess::start(kRules, {"--workers", workers}, &why);
  if (hub.server == nullptr) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
  }
  std::vector<int> clients;
  std::size_t at_first = 0;
  for (std::uint32_t number = 0; number < kLast; ++number) {
    clients.push_back(join(hub.server->port(), eight_bytes(number), channel_of(own, number)));
    if (number + 1 == kFirst) at_first = owned_bytes(hub.server->pid());
  }
  const std::size_t at_last = owned_bytes(hub.server->pid());
  for (const int fd : clients) close(fd);
  return static_cast<double>(at_last - at_first) / (kLast - kFirst);
}

}  // namespace

int main() {
  if (!raise_descriptors(kDescriptors)) return 3;
  const double shared = slope(false, "1");
  const bool holds = shared <= kBudgetBytes;
  std::printf("a client in a channel of 1,000: %.0f B; budget %zu: %s\n", shared, kBudgetBytes,
              holds ? "holds" : "MISSED");
  std::printf("a client in a channel of its own, present: %.0f B\n", slope(true, "1"));
  std::printf("in a channel of 1,000, with two workers and the broker's process: %.0f B\n",
              slope(false, "2"));
  return holds ? 0 : 1;
}
