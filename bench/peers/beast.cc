// Boost.Beast, asynchronous on one thread: echo, or every message to all other connections.
//   beast echo|fanout PORT
// As its example websocket/server/fast; threads are compiled out, executors are concrete types.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
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

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Socket socket, bool fanout) : stream_(std::move(socket)), fanout_(fanout) {}
  ~Session() { everyone.erase(this); }

  void start() {
    stream_.next_layer().set_option(asio::ip::tcp::no_delay(true));
    stream_.auto_fragment(false);
    stream_.read_message_max(64 << 20);
    stream_.async_accept([self = shared_from_this()](error_code error) {
      if (error) return;
      if (self->fanout_) everyone.insert(self.get());
      self->read();
    });
  }

 private:
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->leave();
      self->fanout_ ? self->publish() : self->echo();
    });
  }

  void echo() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.data(), [self = shared_from_this()](error_code error, std::size_t) {
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
                        [self = shared_from_this()](error_code error, std::size_t) {
                          if (error) return self->leave();
                          self->waiting_.pop_front();
                          if (!self->waiting_.empty()) self->write();
                        });
  }

  void leave() { everyone.erase(this); }

  static inline std::unordered_set<Session*> everyone;

  websocket::stream<Socket> stream_;
  beast::flat_buffer buffer_;
  std::deque<std::shared_ptr<const Message>> waiting_;  // the first is being sent
  const bool fanout_;
};

void accept(Acceptor& acceptor, bool fanout) {
  acceptor.async_accept([&acceptor, fanout](error_code error, Socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket), fanout)->start();
    accept(acceptor, fanout);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "beast echo|fanout PORT\n"), 2;
  asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  const asio::ip::tcp::endpoint at(asio::ip::address_v4::loopback(),
                                   static_cast<unsigned short>(std::stoi(argv[2])));
  Acceptor acceptor(loop.get_executor());
  acceptor.open(at.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(at);
  acceptor.listen(4096);
  accept(acceptor, argv[1] == std::string("fanout"));
  loop.run();
}
