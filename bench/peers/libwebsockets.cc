// libwebsockets on libev, one thread: echo, or every message to all other connections.
//   libwebsockets echo|fanout PORT
// As its manual asks, writes only happen when it says that the connection is writeable, and go on
// until the pipe is choked.
#include <libwebsockets.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>

namespace {

// The library puts the frame's header in front of the payload, into the same bytes.
struct Message {
  std::string bytes = std::string(LWS_PRE, '\0');
  bool text = false;
};

struct Session {
  std::deque<std::shared_ptr<const Message>> waiting;
  std::shared_ptr<Message> incoming;
};

bool fanout = false;
std::unordered_set<lws*> everyone;
std::string outgoing;

void deliver(lws* to, std::shared_ptr<const Message> message) {
  (*static_cast<Session**>(lws_wsi_user(to)))->waiting.push_back(std::move(message));
  lws_callback_on_writable(to);
}

void receive(lws* from, Session& session, const char* bytes, std::size_t count) {
  if (!session.incoming) session.incoming = std::make_shared<Message>();
  session.incoming->bytes.append(bytes, count);
  if (lws_remaining_packet_payload(from) > 0 || !lws_is_final_fragment(from)) return;
  session.incoming->text = !lws_frame_is_binary(from);
  const std::shared_ptr<const Message> message = std::move(session.incoming);
  if (!fanout) return deliver(from, message);
  for (lws* other : everyone)
    if (other != from) deliver(other, message);
}

// False: the connection is of no use any more.
bool write(lws* to, Session& session) {
  while (!session.waiting.empty()) {
    const Message& message = *session.waiting.front();
    outgoing = message.bytes;  // others may need the same bytes
    const auto payload = reinterpret_cast<unsigned char*>(outgoing.data()) + LWS_PRE;
    if (lws_write(to, payload, outgoing.size() - LWS_PRE,
                  message.text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < 0)
      return false;
    session.waiting.pop_front();
    if (lws_send_pipe_choked(to)) break;
  }
  if (!session.waiting.empty()) lws_callback_on_writable(to);
  return true;
}

int on_event(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t count) {
  auto** const session = static_cast<Session**>(user);
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
      *session = new Session;
      everyone.insert(wsi);
      return 0;
    case LWS_CALLBACK_RECEIVE:
      receive(wsi, **session, static_cast<const char*>(in), count);
      return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
      return write(wsi, **session) ? 0 : -1;
    case LWS_CALLBACK_CLOSED:
      everyone.erase(wsi);
      delete *session;
      return 0;
    default:
      return 0;
  }
}

lws_context* context = nullptr;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "libwebsockets echo|fanout PORT\n"), 2;
  fanout = argv[1] == std::string("fanout");
  lws_set_log_level(LLL_ERR, nullptr);
  constexpr std::size_t kReceiveBytes = 65536;
  const lws_protocols protocols[] = {
      {"", on_event, sizeof(Session*), kReceiveBytes, 0, nullptr, 0},
      {nullptr, nullptr, 0, 0, 0, nullptr, 0},
  };
  lws_context_creation_info info;
  std::memset(&info, 0, sizeof info);
  info.iface = "127.0.0.1";
  info.port = std::atoi(argv[2]);
  info.protocols = protocols;
  info.pt_serv_buf_size = kReceiveBytes;
  info.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_DISABLE_IPV6;
  context = lws_create_context(&info);
  if (!context) return 1;
  while (lws_service(context, 0) >= 0) {
  }
}
