// Boost.Beast, asynchronous on one thread: echo, or every message to all other connections.
//   beast echo|fanout PORT [--deflate] [--certificate FILE --key FILE]
// As its example websocket/server/fast; threads are compiled out, executors are concrete types.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

namespace {

struct Message {
  std::string bytes;
  bool text;
};

struct Flags {
  bool fanout = false;
  bool deflate = false;
  std::string certificate, key;
};

// Transport: a socket, or TLS over one.
template <class Transport>
class Session : public std::enable_shared_from_this<Session<Transport>> {
 public:
  template <class... More>
  explicit Session(const Flags& flags, Socket socket, More&... more)
      : stream_(std::move(socket), more...), fanout_(flags.fanout) {
    if (!flags.deflate) return;
    websocket::permessage_deflate terms;
    terms.server_enable = true;
    terms.server_no_context_takeover = terms.client_no_context_takeover = true;
    terms.compLevel = 3;
    stream_.set_option(terms);
  }
  ~Session() { everyone.erase(this); }

  void start() {
    beast::get_lowest_layer(stream_).set_option(asio::ip::tcp::no_delay(true));
    stream_.auto_fragment(false);
    stream_.read_message_max(64 << 20);
    if constexpr (std::is_same_v<Transport, Socket>)
      accept();
    else
      stream_.next_layer().async_handshake(asio::ssl::stream_base::server,
                                           [self = this->shared_from_this()](error_code error) {
                                             if (!error) self->accept();
                                           });
  }

 private:
  void accept() {
    stream_.async_accept([self = this->shared_from_this()](error_code error) {
      if (error) return;
      if (self->fanout_) everyone.insert(self.get());
      self->read();
    });
  }

  void read() {
    stream_.async_read(buffer_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return self->leave();
      self->fanout_ ? self->publish() : self->echo();
    });
  }

  void echo() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.data(),
                        [self = this->shared_from_this()](error_code error, std::size_t) {
                          if (error) return;
                          self->buffer_.consume(self->buffer_.size());
                          self->read();
                        });
  }

  void publish() {
    const auto message = std::make_shared<const Message>(
        Message{beast::buffers_to_string(buffer_.data()), stream_.got_text()});
    buffer_.consume(buffer_.size());
    for (Session* other : everyone)
      if (other != this) other->deliver(message);
    read();
  }

  void deliver(std::shared_ptr<const Message> message) {
    waiting_.push_back(std::move(message));
    if (waiting_.size() == 1) write();
  }

  void write() {
    stream_.text(waiting_.front()->text);
    stream_.async_write(asio::buffer(waiting_.front()->bytes),
                        [self = this->shared_from_this()](error_code error, std::size_t) {
                          if (error) return self->leave();
                          self->waiting_.pop_front();
                          if (!self->waiting_.empty()) self->write();
                        });
  }

  void leave() { everyone.erase(this); }

  static inline std::unordered_set<Session*> everyone;

  websocket::stream<Transport> stream_;
  beast::flat_buffer buffer_;
  std::deque<std::shared_ptr<const Message>> waiting_;  // the first is being sent
  const bool fanout_;
};

// `start` makes a session of a socket.
template <class Start>
void accept(Acceptor& acceptor, const Start& start) {
  acceptor.async_accept([&](error_code error, Socket socket) {
    if (!error) start(std::move(socket));
    accept(acceptor, start);
  });
}

bool parse(int argc, char** argv, Flags& flags) {
  if (argc < 3) return false;
  flags.fanout = argv[1] == std::string_view("fanout");
  for (int i = 3; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--deflate")
      flags.deflate = true;
    else if (flag == "--certificate" && i + 1 < argc)
      flags.certificate = argv[++i];
    else if (flag == "--key" && i + 1 < argc)
      flags.key = argv[++i];
    else
      return false;
  }
  return flags.certificate.empty() == flags.key.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!parse(argc, argv, flags))
    return std::fprintf(stderr,
                        "beast echo|fanout PORT [--deflate] [--certificate FILE --key FILE]\n"),
           2;
  asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  const asio::ip::tcp::endpoint at(asio::ip::address_v4::loopback(),
                                   static_cast<unsigned short>(std::stoi(argv[2])));
  Acceptor acceptor(loop.get_executor());
  acceptor.open(at.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(at);
  acceptor.listen(4096);
  asio::ssl::context tls(asio::ssl::context::tls_server);
  const auto start = [&](Socket socket) {
    std::make_shared<Session<Socket>>(flags, std::move(socket))->start();
  };
  const auto start_tls = [&](Socket socket) {
    std::make_shared<Session<asio::ssl::stream<Socket>>>(flags, std::move(socket), tls)->start();
  };
  if (flags.certificate.empty()) {
    accept(acceptor, start);
  } else {
    tls.use_certificate_chain_file(flags.certificate);
    tls.use_private_key_file(flags.key, asio::ssl::context::pem);
    accept(acceptor, start_tls);
  }
  loop.run();
}
