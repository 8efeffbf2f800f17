#include "handlers/http/metrics.h"

#include "handlers/server_metrics.h"

namespace spate::handlers {

namespace {

class Metrics final : public HttpHandler {
 public:
  explicit Metrics(const ServerMetrics& metrics) : metrics_(metrics) {}

 private:
  HttpReply on_request(const HttpRequest& request) override {
    const std::string_view query = request.head.query;
    if (!query.empty() && query != "by=worker")
      return {.status = 400, .body = "The only query is by=worker.\n"};
    const auto split = query.empty() ? core::MetricSplit::none : core::MetricSplit::by_worker;
    return {.content_type = core::kMetricTextType, .body = metrics_.text(split)};
  }

  const ServerMetrics& metrics_;
};

class MetricsModule final : public Module {
  void mount(const Mounts& mounts) override {
    mounts.operators.add("/metrics", std::make_unique<Metrics>(mounts.metrics));
  }
};

}  // namespace

std::unique_ptr<Module> metrics_module() {
  return std::make_unique<MetricsModule>();
}

}  // namespace spate::handlers
