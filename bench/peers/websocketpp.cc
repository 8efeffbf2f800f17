// websocketpp on Asio, one thread: echo, or every message to all other connections.
//   websocketpp echo|fanout PORT
// Locks and logs are compiled out, as its manual advises for speed.
#include <cstdio>
#include <set>
#include <string>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

namespace {

struct Config : websocketpp::config::asio {
  using type = Config;
  using concurrency_type = websocketpp::concurrency::none;
  using alog_type = websocketpp::log::basic<concurrency_type, websocketpp::log::alevel>;
  using elog_type = websocketpp::log::basic<concurrency_type, websocketpp::log::elevel>;
  static const websocketpp::log::level alog_level = websocketpp::log::alevel::none;
  static const websocketpp::log::level elog_level = websocketpp::log::elevel::none;
  static const std::size_t max_message_size = 64 << 20;

  struct transport_config : websocketpp::config::asio::transport_config {
    using concurrency_type = Config::concurrency_type;
    using alog_type = Config::alog_type;
    using elog_type = Config::elog_type;
    static const bool enable_multithreading = false;
  };
  using transport_type = websocketpp::transport::asio::endpoint<transport_config>;
};
using Server = websocketpp::server<Config>;
using Handle = websocketpp::connection_hdl;

Server server;
std::set<Server::connection_ptr> everyone;

void echo(Handle from, Server::message_ptr message) {
  server.get_con_from_hdl(std::move(from))->send(message);
}

void fanout(Handle from, Server::message_ptr message) {
  const Server::connection_ptr publisher = server.get_con_from_hdl(std::move(from));
  for (const Server::connection_ptr& other : everyone)
    if (other != publisher) other->send(message);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "websocketpp echo|fanout PORT\n"), 2;
  server.init_asio();
  server.set_reuse_addr(true);
  server.set_listen_backlog(4096);
  server.set_tcp_post_init_handler([](Handle handle) {
    server.get_con_from_hdl(std::move(handle))
        ->get_raw_socket()
        .set_option(boost::asio::ip::tcp::no_delay(true));
  });
  server.set_message_handler(argv[1] == std::string("fanout") ? fanout : echo);
  if (argv[1] == std::string("fanout")) {
    const auto leave = [](Handle handle) { everyone.erase(server.get_con_from_hdl(handle)); };
    server.set_open_handler(
        [](Handle handle) { everyone.insert(server.get_con_from_hdl(handle)); });
    server.set_close_handler(leave);
    server.set_fail_handler(leave);
  }
  server.listen("127.0.0.1", argv[2]);
  server.start_accept();
  server.run();
}
