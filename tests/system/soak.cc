// Connect, subscribe, publish, hear it, leave, again and again: memory afterwards is where it was
// after the first tenth (at most 10,000 cycles). Usage: soak CYCLES
//
// Each cycle is the next of 400 users, in the next of 100 channels with presence, joins and leaves,
// history and recovery; every third connection breaks off. The history's shared memory, which fills
// and empties segment by segment, is bounded by its own limit.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base.h"
#include "tests/system/hub_client.h"
#include "tests/system/process_facts.h"

namespace {

using namespace spate::tests;

// What is there once only grows by noise: stacks, a warm ring, tables that keep their room.
constexpr std::size_t kToleranceBytes = 128 * 1024;
constexpr std::size_t kHistoryBytes = 4 << 20;
constexpr std::uint32_t kUsers = 400;
constexpr std::uint32_t kChannels = 100;

constexpr const char* kRules = R"({"namespaces": [
  {"name": "chat", "history_size": 3, "history_ttl": "1h", "force_recovery": true,
   "presence": true, "join_leave": true, "force_push_join_leave": true,
   "allow_subscribe_for_client": true, "allow_publish_for_client": true}]})";

[[noreturn]] void fail(std::uint32_t cycle, const std::string& what) {
  std::fprintf(stderr, "cycle %u: %s\n", cycle, what.c_str());
  std::exit(1);
}

// What comes in between, joins and leaves of others, is passed over.
void hear_until(std::uint32_t cycle, HubClient& client, const std::string& part) {
  for (;;) {
    const std::string heard = client.hear();
    if (heard.empty()) fail(cycle, "never heard " + part);
    if (heard.find(part) != std::string::npos) return;
  }
}

void cycle(std::uint32_t number, const HubProcess& hub) {
  const std::string user = "user" + std::to_string(number % kUsers);
  const std::string channel = "chat:" + std::to_string(number % kChannels);
  const auto client = HubClient::connect(hub, user);
  if (client == nullptr) fail(number, "no connection");
  client->say(R"({"id":2,"subscribe":{"channel":")" + channel + "\"}}");
  hear_until(number, *client, R"({"id":2,"subscribe":{)");
  const std::string data = R"("data":{"n":)" + std::to_string(number) + "}";
  client->say(R"({"id":3,"publish":{"channel":")" + channel + "\"," + data + "}}");
  hear_until(number, *client, data);
  if (number % 3 == 0)
    client->socket().raw().reset();
  else
    client->socket().raw().send(close_frame(1000), within(std::chrono::seconds(5)));
}

}  // namespace

int main(int argc, char** argv) {
  const auto cycles = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 200'000);
  std::string why;
  const HubProcess hub = HubProcess::start(
      kRules, {"--workers", "1", "--history-memory", std::to_string(kHistoryBytes)}, &why);
  if (hub.server == nullptr) return std::fprintf(stderr, "%s\n", why.c_str()), 1;
  const pid_t pid = hub.server->pid();
  const std::uint32_t mark = std::min(cycles / 10, 10'000u);
  std::size_t heap_at_mark = 0;
  std::size_t owned_at_mark = 0;
  for (std::uint32_t i = 1; i <= cycles; ++i) {
    cycle(i, hub);
    if (i == mark) {
      heap_at_mark = heap_bytes(pid);
      owned_at_mark = owned_bytes(pid);
    }
    if (i == mark || i % (cycles / 10) == 0)
      std::printf("%8u cycles: %zu KiB of heap, %zu KiB\n", i, heap_bytes(pid) / 1024,
                  owned_bytes(pid) / 1024);
  }
  const std::size_t heap = heap_bytes(pid);
  const std::size_t owned = owned_bytes(pid);
  const bool level = heap <= heap_at_mark + kToleranceBytes &&
                     owned <= owned_at_mark + kToleranceBytes + kHistoryBytes;
  std::printf("%s: %zu KiB of heap after %u cycles, %zu KiB after %u\n", level ? "ok" : "LEAK",
              heap_at_mark / 1024, mark, heap / 1024, cycles);
  return level && hub.server->stop().status == 0 ? 0 : 1;
}
