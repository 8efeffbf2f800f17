// Listeners for proxies and forwarding headers, with the proxy played by the test.
#include <cstdlib>

#include "tests/system/http_exchange.h"
#include "tests/system/test_certificate.h"

namespace spate::tests {
namespace {

constexpr std::string_view kV1 = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n";
const std::string kV2 = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0F", 16) +
                        std::string("\xC0\0\2\7\xC6\x33\x64\1\xC8\x23\1\xBB", 12) +
                        std::string("\x04\0\0", 3);
const std::string kLocal = std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);

class ProxyHeader : public HttpTest {
 protected:
  // At a port of its own, which is found out.
  void start_at(const std::string& listen, std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"--listen", listen + "127.0.0.1:0", "--internal-listen", "",
                                 "--echo", "/echo", "--log-level", "debug", "--workers", "1"});
    server_ = std::make_unique<ServerProcess>(Launch{.flags = std::move(flags)});
    const std::string words = "listening on " + listen + "127.0.0.1:";
    ASSERT_TRUE(server().wait_for_output(words, soon())) << server().output();
    const std::string all = server().output();
    port_ = static_cast<std::uint16_t>(std::atoi(&all[all.find(words) + words.size()]));
  }
  // An upgrade over `endpoint` is served as one of `peer`.
  void expect_seen(const Endpoint& endpoint, const std::string& peer) {
    std::string why;
    const auto client = WsClient::open(endpoint, soon(), "/echo", &why);
    ASSERT_NE(client, nullptr) << why << server().output();
    EXPECT_TRUE(client->echoes("through a proxy", soon()));
    EXPECT_TRUE(server().wait_for_output("worker 0: " + peer, soon())) << server().output();
  }
  // Nothing comes but the end.
  void expect_refused(const Endpoint& endpoint, const std::string& log) {
    RawClient client(endpoint.connect(soon()));
    EXPECT_NE(client.receive_end(soon()), RawClient::End::none);
    EXPECT_EQ(client.received_bytes(), 0u);
    EXPECT_TRUE(server().wait_for_output(log, soon())) << server().output();
  }
  Endpoint from(const std::string& source, std::string_view first) {
    return tcp_endpoint(port_, {.source = source, .first = std::string(first)});
  }

  std::uint16_t port_ = 0;
};

TEST_F(ProxyHeader, OfEitherVersionNamesTheClient) {
  start_at("proxy:", {"--trusted-proxies", "127.0.0.1,10.0.0.0/8"});
  expect_seen(from("127.0.0.1", kV1), "192.0.2.7:51234");
  expect_seen(from("127.0.0.1", kV2), "192.0.2.7:51235");
  expect_seen(from("127.0.0.1", kLocal), "127.0.0.1:");
  expect_seen(from("127.0.0.1", "PROXY UNKNOWN\r\n"), "127.0.0.1:");
  expect_seen(from("127.0.0.1", "PROXY TCP6 2001:db8::7 ::1 80 80\r\n"), "[2001:db8::7]:80");
}

TEST_F(ProxyHeader, MayComeInPieces) {
  start_at("proxy:", {"--trusted-proxies", "127.0.0.1"});
  for (const std::string& header : {std::string(kV1), kV2}) {
    RawClient client(from("127.0.0.1", "").connect(soon()));
    ASSERT_TRUE(client.send(header + request("GET", "/health/live"), soon(), 1));
    EXPECT_EQ(response(client).status(), 200);
  }
}

TEST_F(ProxyHeader, IsRequiredInTime) {
  start_at("proxy:", {"--trusted-proxies", "127.0.0.1", "--handshake-timeout-ms", "1500"});
  expect_refused(from("127.0.0.1", "GET / HTTP/1.1\r\n"), "bad PROXY header of 127.0.0.1:");
  expect_refused(from("127.0.0.1", "PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n"), "not TCP4");
  // Begun, and never ended; and nothing at all.
  for (const std::string_view begun : {kV1.substr(0, 20), std::string_view()}) {
    RawClient slow(from("127.0.0.1", begun).connect(soon()));
    EXPECT_NE(slow.receive_end(soon()), RawClient::End::none);
    EXPECT_EQ(slow.received_bytes(), 0u);
  }
  expect_seen(from("127.0.0.1", kV1), "192.0.2.7:51234");
}

TEST_F(ProxyHeader, OfAnybodyElseIsRefused) {
  start_at("proxy:", {"--trusted-proxies", "127.0.0.1"});
  expect_refused(from("127.0.0.2", kV1), "refused 127.0.0.2:");
  expect_refused(from("127.0.0.2", ""), "it is not in --trusted-proxies");
}

TEST_F(ProxyHeader, ComesBeforeTls) {
  const TestCertificate certificate;
  start_at("proxy:tls:", {"--trusted-proxies", "127.0.0.1", "--tls-cert", certificate.certificate(),
                          "--tls-key", certificate.key()});
  expect_seen(tls_endpoint(port_, {.first = std::string(kV1)}), "192.0.2.7:51234");
  expect_seen(tls_endpoint(port_, {.first = kV2}), "192.0.2.7:51235");
  EXPECT_EQ(tls_endpoint(port_).connect(soon()), nullptr);
}

TEST_F(ProxyHeader, MeansNothingOnAListenerOfClients) {
  start_at("", {"--trusted-proxies", "127.0.0.1"});
  RawClient client(from("127.0.0.1", kV1).connect(soon()));
  ASSERT_TRUE(client.send(request("GET", "/health/live"), soon()));
  EXPECT_EQ(response(client).status(), 400);
}

TEST_F(ProxyHeader, NeedsSomebodyWhoIsTrusted) {
  const auto check = [](const std::string& listen, const std::string& trusted) {
    return run_binary({.flags = {"--check", "--listen", listen, "--trusted-proxies", trusted}});
  };
  EXPECT_EQ(check("proxy:127.0.0.1:0", "10.0.0.0/8").exit.status, 0);
  EXPECT_EQ(check("proxy:unix:/run/x", "unix").exit.status, 0);
  for (const auto& [listen, trusted] :
       {std::pair{"proxy:127.0.0.1:0", "unix"}, std::pair{"proxy:unix:/run/x", "10.0.0.0/8"}}) {
    const RunResult result = check(listen, trusted);
    EXPECT_EQ(result.exit.status, 2);
    EXPECT_NE(result.standard_error.find("--trusted-proxies"), std::string::npos);
  }
}

class ForwardedHeader : public ProxyHeader {
 protected:
  // A request with `fields` is refused as one of `peer`. The log says so once a second for each
  // status: each server is asked once.
  void expect_logged(const std::string& source, const std::string& fields,
                     const std::string& peer) {
    RawClient client(from(source, "").connect(soon()));
    ASSERT_TRUE(client.send(request("GET", "/nowhere", fields), soon()));
    EXPECT_EQ(response(client).status(), 404);
    EXPECT_TRUE(server().wait_for_output("refused a request of " + peer + " with 404", soon()))
        << server().output();
  }
};

TEST_F(ForwardedHeader, OfATrustedProxyNamesTheClient) {
  start_at("", {"--trusted-proxies", "127.0.0.1,10.0.0.0/8"});
  expect_logged("127.0.0.1", "X-Forwarded-For: 9.9.9.9, 192.0.2.7, 10.1.2.3\r\n", "192.0.2.7");
}

TEST_F(ForwardedHeader, OfAnybodyElseIsIgnored) {
  start_at("", {"--trusted-proxies", "127.0.0.1"});
  const std::string spoofed = "X-Forwarded-For: 9.9.9.9\r\n";
  RawClient client(from("127.0.0.2", "").connect(soon()));
  ASSERT_TRUE(client.send(request("GET", "/nowhere", spoofed), soon()));
  EXPECT_EQ(response(client).status(), 404);
  EXPECT_TRUE(server().wait_for_output("refused a request of 127.0.0.2:", soon()));
  EXPECT_EQ(server().output().find("9.9.9.9"), std::string::npos);
}

TEST_F(ForwardedHeader, ThatTheProxyDoesNotWriteIsIgnored) {
  start_at("", {"--trusted-proxies", "127.0.0.1", "--forwarded-header", "forwarded"});
  expect_logged("127.0.0.1",
                "X-Forwarded-For: 9.9.9.9\r\nForwarded: for=\"[2001:db8::7]:4711\";proto=https\r\n",
                "[2001:db8::7]:4711");
}

TEST_F(ForwardedHeader, BehindAProxyHeaderIsThatClientsWord) {
  start_at("proxy:", {"--trusted-proxies", "127.0.0.1"});
  RawClient client(from("127.0.0.1", kV1).connect(soon()));
  ASSERT_TRUE(client.send(request("GET", "/nowhere", "X-Forwarded-For: 9.9.9.9\r\n"), soon()));
  EXPECT_EQ(response(client).status(), 404);
  EXPECT_TRUE(server().wait_for_output("refused a request of 192.0.2.7:51234 with 404", soon()));
}

}  // namespace
}  // namespace spate::tests
