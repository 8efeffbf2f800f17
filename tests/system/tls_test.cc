// TLS of the real binary: what it serves, what it refuses, and certificates that change.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/system/fixture.h"
#include "tests/system/process_facts.h"
#include "tests/system/test_certificate.h"

namespace spate::tests {
namespace {

// A blocking client: for what a Stream does not show.
class Peek {
 public:
  explicit Peek(std::uint16_t port, SSL_SESSION* resume = nullptr)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        tls_(SSL_new(context_.get()), SSL_free) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    SSL_set_fd(tls_.get(), fd_);
    if (resume != nullptr) SSL_set_session(tls_.get(), resume);
    ERR_clear_error();
    open_ = SSL_connect(tls_.get()) == 1;
  }
  ~Peek() { ::close(fd_); }

  bool open() const { return open_; }
  bool resumed() const { return SSL_session_reused(tls_.get()) == 1; }
  bool shows(const test::Identity& identity) const {
    const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(tls_.get()),
                                                            X509_free);
    return shown != nullptr && X509_cmp(shown.get(), identity.x509.get()) == 0;
  }
  // The status line of a request's response; with it come the session's tickets.
  std::string ask(const std::string& path) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    SSL_write(tls_.get(), request.data(), static_cast<int>(request.size()));
    char answer[4096];
    const int bytes = SSL_read(tls_.get(), answer, sizeof answer);
    const std::string text(answer, static_cast<std::size_t>(std::max(bytes, 0)));
    return text.substr(0, text.find('\r'));
  }
  std::shared_ptr<SSL_SESSION> session() {
    return {SSL_get1_session(tls_.get()), SSL_SESSION_free};
  }

 private:
  int fd_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  bool open_ = false;
};

class TlsServer : public SystemTest {
 protected:
  void start(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"--echo", "/echo", "--tls-cert", files_.certificate(), "--tls-key",
                                 files_.key(), "--listen", "tls:127.0.0.1:0"});
    std::string why;
    auto process = std::make_unique<ServerProcess>(Launch{.flags = std::move(flags), .tls = true});
    ASSERT_TRUE(process->wait_until_listening(soon())) << process->output();
    server_ = std::move(process);
  }
  Peek peek(SSL_SESSION* resume = nullptr) { return Peek(server().port(), resume); }

  TestCertificate files_;
};

TEST_F(TlsServer, EchoesWhateverTheSize) {
  start({"--internal-listen", "", "--max-message-bytes", "4M", "--outbox-bytes", "8M"});
  const auto socket = client();
  ASSERT_NE(socket, nullptr);
  for (const std::size_t bytes : {1u, 125u, 16'384u, 65'537u, 3'000'000u})
    EXPECT_TRUE(socket->echoes(std::string(bytes, 'x'), soon())) << bytes;
}

TEST_F(TlsServer, CertificatesChangeWithoutDroppingAConnection) {
  start({"--internal-listen", "", "--workers", "2"});
  const auto old = client();
  ASSERT_NE(old, nullptr);
  ASSERT_TRUE(peek().shows(files_.identity()));

  const test::Identity before = files_.identity();
  files_.renew("DNS:renewed.example");
  server().signal(SIGHUP);
  ASSERT_TRUE(server().wait_for_output("certificates were read again", soon()));
  // Both workers, however the kernel spreads the connections.
  EXPECT_TRUE(eventually([&] {
    int good = 0;
    for (int i = 0; i < 16; ++i) good += peek().shows(files_.identity()) ? 1 : 0;
    return good == 16;
  }));
  EXPECT_TRUE(old->echoes("still here", soon()));

  // A worker that comes later shows the same.
  for (const pid_t pid : process_tree(server().pid()))
    if (pid != server().pid()) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return peek().shows(files_.identity()); }));
  for (int i = 0; i < 16; ++i) EXPECT_FALSE(peek().shows(before));
}

TEST_F(TlsServer, ABadReloadChangesNothing) {
  start({"--internal-listen", ""});
  ASSERT_TRUE(server().wait_for_output("ready: ", soon()));  // before, SIGHUP ends it
  const test::Identity good = files_.identity();
  files_.renew("DNS:old.example", -3600);
  server().signal(SIGHUP);
  ASSERT_TRUE(server().wait_for_output("certificates stay as they are", soon()));
  EXPECT_NE(server().output().find("expired on "), std::string::npos) << server().output();
  EXPECT_TRUE(peek().shows(good));
}

TEST_F(TlsServer, ASessionResumesAtEveryWorker) {
  start({"--internal-listen", "", "--workers", "4"});
  Peek first = peek();
  ASSERT_TRUE(first.open());
  EXPECT_FALSE(first.resumed());
  EXPECT_EQ(first.ask("/health"), "HTTP/1.1 200 OK");
  const auto session = first.session();
  for (int i = 0; i < 32; ++i) {
    Peek next = peek(session.get());
    EXPECT_TRUE(next.resumed());
    EXPECT_EQ(next.ask("/health"), "HTTP/1.1 200 OK");
  }
}

TEST_F(TlsServer, WhoSpeaksHttpIsToldToSpeakTls) {
  start({"--internal-listen", ""});
  auto stream = tcp_endpoint(server().port()).connect(soon());
  ASSERT_NE(stream, nullptr);
  RawClient raw(std::move(stream));
  ASSERT_TRUE(raw.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", soon()));
  EXPECT_EQ(raw.receive_end(soon()), RawClient::End::fin);
  EXPECT_TRUE(raw.inbox().starts_with("HTTP/1.1 400 ")) << raw.inbox();
  EXPECT_NE(raw.inbox().find("wss://"), std::string::npos);
  EXPECT_TRUE(serves());
}

TEST_F(TlsServer, AHandshakeHasItsTime) {
  start({"--internal-listen", "", "--handshake-timeout-ms", "1000"});
  for (const std::string& begun : {std::string(), std::string("\x16\x03\x01\x02\x00\x01", 6)}) {
    auto stream = tcp_endpoint(server().port()).connect(soon());
    ASSERT_NE(stream, nullptr);
    RawClient raw(std::move(stream));
    ASSERT_TRUE(raw.send(begun, soon()));
    EXPECT_NE(raw.receive_end(soon()), RawClient::End::none);
  }
  EXPECT_TRUE(serves());
}

TEST_F(TlsServer, FullMeansRefusedInHttp) {
  start({"--internal-listen", "", "--workers", "1", "--max-connections", "1"});
  const auto held = client();
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(peek().ask("/health"), "HTTP/1.1 503 Service Unavailable");
  EXPECT_TRUE(held->echoes("served", soon()));
}

// The load generator, which judges the certificate unless told not to.
TEST_F(TlsServer, IsLoadedBySpateBench) {
  start({"--internal-listen", "", "--workers", "1"});
  const std::string url = "wss://127.0.0.1:" + std::to_string(server().port()) + "/echo";
  const auto bench = [&](const std::string& flags) {
    const std::string command = std::string(SPATE_BENCH) + " echo " + url +
                                " --quiet --seconds 0.3 --warmup 0 --connections 20 --in-flight 4 "
                                "--size 20:50,40K:50 " +
                                flags;
    return WEXITSTATUS(std::system(command.c_str()));
  };
  EXPECT_EQ(bench("--ca " + files_.certificate()), 0);
  EXPECT_EQ(bench("--insecure --tls-resume"), 0);
  EXPECT_NE(bench("--timeout 2"), 0) << "a certificate that nobody has signed";
}

// Exit 2, one line, with the setting, the file and what is wrong.
void expect_refused(const std::vector<std::string>& flags, const std::vector<std::string>& parts) {
  const RunResult result = run_binary({.flags = flags});
  EXPECT_TRUE(result.exit.exited && result.exit.status == 2) << describe(result.exit);
  EXPECT_EQ(std::count(result.standard_error.begin(), result.standard_error.end(), '\n'), 1);
  for (const std::string& part : parts)
    EXPECT_NE(result.standard_error.find(part), std::string::npos) << result.standard_error;
}

TEST(TlsSettings, ThatDoNotFitAreNamed) {
  const TestCertificate good, other;
  const TestCertificate old("DNS:old.example", -3600);
  const std::string tls = "tls:127.0.0.1:0";
  expect_refused({"--listen", tls}, {"--listen=tls:127.0.0.1:0", "--tls-cert"});
  expect_refused({"--tls-cert", good.certificate(), "--tls-key", good.key()},
                 {"--tls-cert=", "no listener speaks TLS"});
  expect_refused({"--listen", tls, "--tls-cert", good.certificate()},
                 {"--tls-key", "not as many keys"});
  expect_refused({"--listen", tls, "--tls-cert", "/nowhere.pem", "--tls-key", good.key()},
                 {"--tls-cert", "/nowhere.pem: cannot be read"});
  expect_refused({"--listen", tls, "--tls-cert", good.certificate(), "--tls-key", other.key()},
                 {"--tls-key", "does not belong to " + good.certificate()});
  expect_refused({"--listen", tls, "--tls-cert", old.certificate(), "--tls-key", old.key()},
                 {"--tls-cert", "expired on "});
  expect_refused({"--listen", tls, "--tls-cert", good.key(), "--tls-key", other.key()},
                 {"--tls-cert", "no certificate in it"});
  expect_refused({"--internal-listen", "tls:127.0.0.1:0"}, {"--internal-listen", "TLS is for"});
}

}  // namespace
}  // namespace spate::tests
