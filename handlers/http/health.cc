#include "handlers/http/health.h"

namespace spate::handlers {

namespace {

class Live final : public HttpHandler {
  HttpReply on_request(const HttpRequest&) override {
    return {.content_type = "application/json", .body = "{}\n"};
  }
};

class Ready final : public HttpHandler {
 public:
  explicit Ready(const WorkerStatus& status) : status_(status) {}

 private:
  HttpReply on_request(const HttpRequest&) override {
    if (status_.ready) return {.content_type = "application/json", .body = "{}\n"};
    return {.status = 503, .content_type = "application/json", .body = "{\"ready\": false}\n"};
  }

  const WorkerStatus& status_;
};

class HealthModule final : public Module {
  void mount(const Mounts& mounts) override {
    for (Routes* const routes : {&mounts.clients, &mounts.operators}) {
      routes->add("/health", std::make_unique<Ready>(mounts.status));
      routes->add("/health/ready", std::make_unique<Ready>(mounts.status));
      routes->add("/health/live", std::make_unique<Live>());
    }
  }
};

}  // namespace

std::unique_ptr<Module> health_module() {
  return std::make_unique<HealthModule>();
}

}  // namespace spate::handlers
