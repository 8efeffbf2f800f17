#include "handlers/echo.h"

namespace spate::handlers {

namespace {

class Echo final : public WebSocketHandler {
  void on_message(WebSocket& socket, const Message& message) override {
    socket.send(message.opcode, message.payload);
  }
};

class EchoModule final : public Module {
  void mount(const Mounts& mounts) override {
    if (!mounts.settings.echo.empty())
      mounts.clients.add(mounts.settings.echo, std::make_unique<Echo>());
  }
};

}  // namespace

std::unique_ptr<Module> echo_module() {
  return std::make_unique<EchoModule>();
}

}  // namespace spate::handlers
