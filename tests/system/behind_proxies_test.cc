// nginx and HAProxy in front of a real server, with the very snippets of docs/operations.md: only
// their ports and paths are put in others' places.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base.h"
#include "tests/system/http_exchange.h"

namespace spate::tests {
namespace {

namespace fs = std::filesystem;

// The code block of that language; empty when the page has none.
std::string snippet(const std::string& language) {
  std::ifstream file(SPATE_SOURCE_DIR "/docs/operations.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string fence = "```" + language + "\n";
  const std::size_t begin = page.find(fence);
  if (begin == std::string::npos) return {};
  const std::size_t from = begin + fence.size();
  return page.substr(from, page.find("```", from) - from);
}

// The only place of `what` in `text` becomes `with`.
void put(std::string& text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  ASSERT_NE(at, std::string::npos) << what << " in\n" << text;
  text.replace(at, what.size(), with);
  ASSERT_EQ(text.find(what, at + with.size()), std::string::npos) << what << " twice";
}

// One that nobody has now; whoever binds it next may fail, and the test with it.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), bytes), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

class BehindProxies : public HttpTest {
 protected:
  BehindProxies() : front_port_(free_port()) {
    std::string pattern = fs::temp_directory_path() / "spate-proxies-XXXXXX";
    SPATE_CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~BehindProxies() override {
    if (HasFailure() && proxy_ != nullptr) std::fputs(proxy_->output().c_str(), stderr);
    proxy_.reset();
    server_.reset();
    remove_folder(folder_);
  }

  void start_server(const std::string& listen, const std::string& trusted) {
    server_ = std::make_unique<ServerProcess>(
        Launch{.flags = {"--listen", listen, "--internal-listen", "", "--trusted-proxies", trusted,
                         "--echo", "/echo", "--log-level", "debug", "--workers", "2"}});
    ASSERT_TRUE(server().wait_for_output("ready: 2 workers", soon())) << server().output();
  }
  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name) << content;
    return folder_ / name;
  }
  void start_proxy(const std::string& program, std::vector<std::string> flags) {
    proxy_ = std::make_unique<ServerProcess>(Launch{.flags = std::move(flags), .program = program});
    const auto asks = [&] {
      auto stream = tcp_endpoint(front_port_).connect(soon());
      if (stream == nullptr) return false;
      RawClient client(std::move(stream));
      client.send(request("GET", "/health/ready"), soon());
      return response(client).status() == 200;
    };
    ASSERT_TRUE(eventually(asks)) << proxy_->output();
  }

  // An echo through the proxy, for a client of an address of its own that claims to be another.
  void expect_client_is_seen() {
    const Endpoint endpoint = tcp_endpoint(front_port_, {.source = kClient});
    RawClient raw(endpoint.connect(soon()));
    const std::string claims = "X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n";
    ASSERT_TRUE(raw.send(upgrade_request(endpoint.host, "/echo", claims), soon()));
    const std::size_t head = raw.receive_through("\r\n\r\n", soon());
    ASSERT_NE(head, std::string::npos);
    ASSERT_TRUE(raw.inbox().starts_with("HTTP/1.1 101 ")) << raw.inbox();
    const auto client = WsClient::adopt(std::move(raw), head);
    for (const std::size_t bytes : {1u, 1000u, 60'000u})
      EXPECT_TRUE(client->echoes(std::string(bytes, 'e'), soon())) << bytes;
    EXPECT_TRUE(server().wait_for_output(std::string(": ") + kClient, soon())) << server().output();
    // The close goes through both ways.
    ASSERT_TRUE(client->send(close_frame(1000), soon()));
    const auto answer = client->receive(soon());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->close_code(), 1000);
    EXPECT_EQ(server().output().find("9.9.9.9"), std::string::npos);
  }

  static constexpr const char* kClient = "127.0.0.5";
  const std::uint16_t front_port_;
  fs::path folder_;
  std::unique_ptr<ServerProcess> proxy_;
};

TEST_F(BehindProxies, NginxOverAUnixSocket) {
  const std::string socket = folder_ / "spate.sock";
  start_server("unix:" + socket, "unix");
  std::string text = snippet("nginx");
  put(text, "unix:/run/spate/spate.sock", "unix:" + socket);
  put(text, "listen 80;", "listen 127.0.0.1:" + std::to_string(front_port_) + ";");
  const std::string config =
      "daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;\n"
      "events { worker_connections 64; }\n"
      "http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;\n"
      "uwsgi_temp_path u; scgi_temp_path s;\n" +
      text + "}\n";
  // Its workers are of another user when root starts it.
  fs::permissions(folder_, fs::perms::all);
  fs::permissions(socket, fs::perms::all);
  start_proxy("/usr/sbin/nginx", {"-p", folder_, "-c", file("nginx.conf", config)});
  expect_client_is_seen();
}

TEST_F(BehindProxies, HaproxyWithAProxyHeader) {
  const std::string back = "127.0.0.1:" + std::to_string(free_port());
  start_server("proxy:" + back, "127.0.0.1");
  std::string text = snippet("haproxy");
  put(text, "bind :80\n", "bind 127.0.0.1:" + std::to_string(front_port_) + "\n");
  put(text, "127.0.0.1:8000", back);
  start_proxy("/usr/sbin/haproxy", {"-db", "-f", file("haproxy.cfg", text)});
  expect_client_is_seen();
}

}  // namespace
}  // namespace spate::tests
