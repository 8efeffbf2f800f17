// /metrics of the real binary: what happens on the wire is what is counted, whoever is asked, and a
// worker's death takes nothing but what it held.
#include <signal.h>

#include <charconv>
#include <fstream>
#include <iterator>

#include "tests/core/exposition.h"
#include "tests/system/http_exchange.h"
#include "tests/system/process_facts.h"

namespace spate::tests {
namespace {

class Metrics : public HttpTest {
 protected:
  void start_with_workers(int workers) {
    start_with({"--workers", std::to_string(workers)}, workers);
  }
  void start_with(std::vector<std::string> flags, int workers) {
    flags.insert(flags.end(), {"--ping-interval-ms", "0"});
    start(std::move(flags));
    ASSERT_NE(server_, nullptr);
    constexpr std::string_view kInternal = "internal listener on 127.0.0.1:";
    ASSERT_TRUE(server().wait_for_output(std::string(kInternal), soon()));
    const std::string all = server().output();
    const char* const digits = all.data() + all.find(kInternal) + kInternal.size();
    ASSERT_EQ(std::from_chars(digits, all.data() + all.size(), internal_port_).ec, std::errc());
    ASSERT_TRUE(server().wait_for_output("ready: " + std::to_string(workers), soon()));
  }

  // A request to the internal listener on a connection of its own.
  HttpResponse ask(const std::string& bytes, Answers answers = Answers::get) {
    auto stream = tcp_endpoint(internal_port_).connect(soon());
    EXPECT_NE(stream, nullptr);
    if (stream == nullptr) return {};
    RawClient client(std::move(stream));
    EXPECT_TRUE(client.send(bytes, soon()));
    HttpResponse out = response(client, answers);
    asked_bytes_ += client.sent_bytes();
    answered_bytes_ += client.received_bytes();
    return out;
  }

  Exposition scrape(std::string_view query = {}) {
    const HttpResponse out = ask(request("GET", "/metrics" + std::string(query)));
    EXPECT_EQ(out.status(), 200);
    EXPECT_EQ(out.head.value("content-type"), "text/plain; version=0.0.4");
    Exposition read(out.body);
    EXPECT_EQ(read.error(), "");
    return read;
  }

  // Clients until each worker has at least `each` of them.
  std::vector<std::unique_ptr<WsClient>> clients_everywhere(int workers, double each) {
    std::vector<std::unique_ptr<WsClient>> clients;
    const bool spread = eventually([&] {
      clients.push_back(client());
      const Exposition now = scrape("?by=worker");
      for (int i = 0; i < workers; ++i)
        if (now.sum("spate_websockets", {{"worker", std::to_string(i)}}) < each) return false;
      return true;
    });
    EXPECT_TRUE(spread) << "a worker got no client";
    return clients;
  }

  pid_t worker_pid(int slot) {
    const std::string title = "spate: worker " + std::to_string(slot);
    for (const pid_t pid : process_tree(server().pid())) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
      const std::string line{std::istreambuf_iterator<char>(file), {}};
      if (line.starts_with(title) && (line.size() == title.size() || line[title.size()] == '\0'))
        return pid;
    }
    return -1;
  }

  std::uint16_t internal_port_ = 0;
  std::size_t asked_bytes_ = 0;
  std::size_t answered_bytes_ = 0;
};

TEST_F(Metrics, CountWhatPassedOnTheWire) {
  start_with_workers(2);
  std::size_t sent_bytes = 0, received_bytes = 0;
  const auto done_with = [&](RawClient& client) {
    sent_bytes += client.sent_bytes();
    received_bytes += client.received_bytes();
  };

  auto talker = client();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(talker->echoes("a text message", soon()));
  ASSERT_TRUE(talker->send(binary_frame("\x01\x02") + ping_frame("are you there") +
                               pong_frame("unasked") + fragment(kText, "in", false) +
                               fragment(kContinuation, " three ", false) +
                               fragment(kContinuation, "frames", true),
                           soon()));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(talker->receive(soon())) << talker->violation();

  auto leaver = client();
  ASSERT_TRUE(leaver->send(close_frame(4001, "bye"), soon()));
  ASSERT_TRUE(leaver->receive(soon()));
  ASSERT_EQ(leaver->raw().receive_end(soon()), RawClient::End::fin);
  done_with(leaver->raw());
  leaver.reset();

  auto offender = client();
  FrameBits unmasked;
  unmasked.masked = false;
  unmasked.payload = "no mask";
  ASSERT_TRUE(offender->send(build_frame(unmasked), soon()));
  const auto close = offender->receive(soon());
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1002);
  ASSERT_EQ(offender->raw().receive_end(soon()), RawClient::End::fin);
  done_with(offender->raw());
  offender.reset();

  for (const std::string& bytes :
       {request("GET", "/nothing"), request("GET", "/echo", "Upgrade: websocket\r\n"),
        request("GET", "/health/live", "Connection: close\r\n")}) {
    auto refused = raw_client();
    ASSERT_TRUE(refused->send(bytes, soon()));
    response(*refused);
    ASSERT_EQ(refused->receive_end(soon()), RawClient::End::fin);
    done_with(*refused);
  }

  // The talker's connection is open, and the one that asks.
  Exposition now{"\n"};
  ASSERT_TRUE(eventually([&] {
    now = scrape();
    return now.value("spate_connections") == 2;
  }));
  done_with(talker->raw());
  const auto value = [&](std::string_view name, const Labels& labels = {}) {
    return now.value(name, labels).value_or(-1);
  };
  EXPECT_EQ(value("spate_websockets"), 1);
  EXPECT_EQ(value("spate_websockets_opened_total"), 3);
  EXPECT_EQ(value("spate_connections_opened_total") - now.sum("spate_connections_closed_total"), 2);
  EXPECT_EQ(value("spate_accepts_total"), value("spate_connections_opened_total"));
  EXPECT_EQ(value("spate_messages_received_total", {{"opcode", "text"}}), 6);
  EXPECT_EQ(value("spate_messages_received_total", {{"opcode", "binary"}}), 1);
  EXPECT_EQ(value("spate_messages_sent_total"), 7);
  EXPECT_EQ(value("spate_frames_received_total", {{"opcode", "text"}}), 6);
  EXPECT_EQ(value("spate_frames_received_total", {{"opcode", "continuation"}}), 2);
  EXPECT_EQ(value("spate_frames_received_total", {{"opcode", "ping"}}), 1);
  EXPECT_EQ(value("spate_frames_received_total", {{"opcode", "pong"}}), 1);
  EXPECT_EQ(value("spate_frames_received_total", {{"opcode", "close"}}), 1);
  EXPECT_EQ(value("spate_pongs_sent_total"), 1);
  EXPECT_EQ(value("spate_closes_received_total", {{"code", "4000-4999"}}), 1);
  EXPECT_EQ(value("spate_closes_sent_total", {{"code", "4000-4999"}}), 1);
  EXPECT_EQ(value("spate_closes_sent_total", {{"code", "1002"}}), 1);
  EXPECT_EQ(now.sum("spate_protocol_errors_total"), 1);
  EXPECT_EQ(value("spate_protocol_errors_total", {{"error", "unmasked_client_frame"}}), 1);
  EXPECT_EQ(value("spate_refusals_total", {{"reason", "not_found"}}), 1);
  EXPECT_EQ(value("spate_refusals_total", {{"reason", "connection_lacks_upgrade"}}), 1);
  EXPECT_EQ(now.sum("spate_refusals_total"), 2);
  EXPECT_EQ(value("spate_http_requests_total", {{"status", "1xx"}}), 3);
  EXPECT_EQ(value("spate_http_requests_total", {{"status", "4xx"}}), 2);
  EXPECT_EQ(now.sum("spate_timeouts_total"), 0);
  // The first message of each worker is timed.
  EXPECT_GE(value("spate_handler_seconds_count"), 1);
  EXPECT_LE(value("spate_handler_seconds_count"), 2);
  // What this scrape was asked for has been counted, but not yet its answer.
  EXPECT_EQ(value("spate_received_bytes_total"), static_cast<double>(sent_bytes + asked_bytes_));
  // An answer may be here, and asked about elsewhere, before its sender has counted it.
  EXPECT_TRUE(eventually([&] {
    const std::size_t earlier = answered_bytes_;
    now = scrape();
    return value("spate_sent_bytes_total") == static_cast<double>(received_bytes + earlier);
  }));
  EXPECT_EQ(value("spate_outbox_bytes"), 0);
  EXPECT_EQ(value("spate_workers", {{"state", "ready"}}), 2);
  EXPECT_GT(value("spate_loop_lag_seconds_count"), 10);
  EXPECT_GT(value("spate_process_resident_memory_bytes", {{"process", "worker 1"}}), 1 << 20);
  EXPECT_GT(value("spate_process_resident_memory_bytes", {{"process", "master"}}), 1 << 20);
  EXPECT_GT(value("spate_uptime_seconds"), 0);
  EXPECT_EQ(now.sum("spate_build_info"), 1);
}

TEST_F(Metrics, WhicheverWorkerIsAskedAnswersForAll) {
  start_with_workers(2);
  auto clients = clients_everywhere(2, 1);
  for (auto& each : clients) ASSERT_TRUE(each->echoes("once", soon()));
  bool asked[2] = {};
  ASSERT_TRUE(eventually([&] {
    const Exposition split = scrape("?by=worker");
    const Exposition whole = scrape();
    EXPECT_EQ(split.sum("spate_messages_sent_total"), static_cast<double>(clients.size()));
    EXPECT_EQ(whole.value("spate_messages_sent_total"), static_cast<double>(clients.size()));
    EXPECT_EQ(split.value("spate_messages_sent_total"), std::nullopt);
    for (int i = 0; i < 2; ++i)
      asked[i] = split.sum("spate_http_requests_total",
                           {{"worker", std::to_string(i)}, {"status", "2xx"}}) > 0;
    return HasFailure() || (asked[0] && asked[1]);
  }));
}

TEST_F(Metrics, AKilledWorkersCountersStayAndItsGaugesGo) {
  start_with_workers(2);
  auto clients = clients_everywhere(2, 2);
  for (auto& each : clients) ASSERT_TRUE(each->echoes("before", soon()));
  const Labels zero{{"worker", "0"}}, one{{"worker", "1"}};
  const Exposition before = scrape("?by=worker");
  const double held = before.sum("spate_websockets", zero);
  const double opened = before.sum("spate_connections_opened_total", zero);
  const double echoed = before.sum("spate_messages_sent_total", zero);
  ASSERT_GE(echoed, 2);
  const pid_t victim = worker_pid(0);
  ASSERT_GT(victim, 0);
  ASSERT_EQ(::kill(victim, SIGKILL), 0);

  // Whoever answers, right afterwards: no more than one scrape is lost with its connection.
  Exposition now{"\n"};
  ASSERT_TRUE(eventually([&] {
    auto stream = tcp_endpoint(internal_port_).connect(soon());
    if (stream == nullptr) return false;
    RawClient client(std::move(stream));
    std::string why;
    client.send(request("GET", "/metrics?by=worker"), soon());
    const auto out = receive_response(client, Answers::get, &why);
    if (!out) return false;
    now = Exposition(out->body);
    return now.value("spate_worker_restarts_total", zero) == 1;
  }));
  ASSERT_EQ(now.error(), "");
  EXPECT_EQ(now.value("spate_worker_restarts_total", one), 0);
  EXPECT_EQ(now.value("spate_worker_crashes_total", zero), 1);
  EXPECT_GE(now.sum("spate_worker_connections_lost_total", zero), held);
  EXPECT_EQ(now.sum("spate_websockets", zero), 0);
  EXPECT_EQ(now.sum("spate_websockets", one), static_cast<double>(clients.size()) - held);
  EXPECT_EQ(now.sum("spate_messages_sent_total", zero), echoed);
  EXPECT_GE(now.sum("spate_connections_opened_total", zero), opened);
  EXPECT_GE(now.sum("spate_handler_seconds_count", zero), 1);

  // The new worker counts on from there.
  ASSERT_TRUE(eventually([&] {
    auto fresh = client();
    if (fresh == nullptr || !fresh->echoes("after", soon())) return false;
    return scrape("?by=worker").sum("spate_messages_sent_total", zero) == echoed + 1;
  }));
}

TEST_F(Metrics, CanBeReadWhenClientsAreRefused) {
  for (const int workers : {1, 2}) {
    start_with({"--workers", std::to_string(workers), "--max-connections", "1"}, workers);
    std::vector<std::unique_ptr<WsClient>> held;
    for (int i = 0; i < workers; ++i) {
      held.push_back(client());
      ASSERT_NE(held.back(), nullptr);
    }
    auto refused = raw_client();
    ASSERT_TRUE(refused->send(request("GET", "/health"), soon()));
    EXPECT_EQ(response(*refused).status(), 503);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(scrape().value("spate_websockets"), workers);
  }
}

TEST_F(Metrics, AreForOperatorsAlone) {
  start_with_workers(1);
  auto outsider = raw_client();
  ASSERT_TRUE(outsider->send(request("GET", "/metrics"), soon()));
  EXPECT_EQ(response(*outsider).status(), 404);
  EXPECT_EQ(ask(request("HEAD", "/metrics"), Answers::head).status(), 200);
  EXPECT_EQ(ask(request("GET", "/metrics?by=slot")).status(), 400);
  EXPECT_EQ(ask(request("POST", "/metrics")).status(), 405);
}

}  // namespace
}  // namespace spate::tests
