// The door of the server API: keys, bodies, and how an answer becomes HTTP. The methods are in
// api_methods.cc.
#include "handlers/http/api.h"

#include <openssl/crypto.h>

#include "codec/http_syntax.h"
#include "core/sys.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"
#include "handlers/http/api_handler.h"

namespace spate::handlers {

using client::Error;

namespace {

// A broadcast names many channels, a batch holds many commands.
constexpr std::uint64_t kMaxBodyBytes = 16 << 20;

bool same_secret(std::string_view given, std::string_view key) {
  return given.size() == key.size() && !key.empty() &&
         CRYPTO_memcmp(given.data(), key.data(), key.size()) == 0;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = codec::ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// A parameter's value (RFC 3986 §2.1). What is no escape stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && digit_of(text[i + 1]) >= 0 &&
                        digit_of(text[i + 2]) >= 0;
    decoded +=
        escape ? static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return decoded;
}

int status_of(const Error& error) {
  switch (error.code) {
    case 100:
      return 500;
    case 102:
    case 104:
      return 404;
    case 107:
    case 108:
      return 400;
    case 112:
      return 416;
    case 113:
      return 409;
    default:
      return 500;
  }
}

class ApiHandler final : public HttpHandler {
 public:
  ApiHandler(std::shared_ptr<Api> api, Api::Method method, bool is_batch)
      : api_(std::move(api)), method_(method), is_batch_(is_batch) {}

  std::string_view methods() const override { return "POST"; }
  std::uint64_t max_body_bytes() const override { return kMaxBodyBytes; }

 private:
  HttpReply on_request(const HttpRequest& request) override {
    if (!api_->authorized(request.head)) return {.status = 401, .body = {}};
    const codec::HttpHeader* const mode = request.head.find("X-Centrifugo-Error-Mode");
    const bool transport = !is_batch_ && mode != nullptr && mode->value == "transport";
    const auto later = std::make_shared<HttpLater>();
    const auto call = std::make_shared<ApiCall>(
        std::string(request.body),
        [later, transport, bare = is_batch_](const Error& error, const std::string& result) {
          later->give(answer(error, result, transport, bare));
        });
    switch (call->parse()) {
      case ApiRequest::Parsed::not_json:
        return {.status = 400,
                .body = "The body is not a JSON object in UTF-8, at most " +
                        std::to_string(client::kMaxJsonDepth) + " levels deep.\n"};
      case ApiRequest::Parsed::bad_member:
        return answer(client::kErrorBadRequest, {}, transport, is_batch_);
      case ApiRequest::Parsed::ok:
        break;
    }
    api_->run(method_, call);
    return later->reply();
  }

  static HttpReply answer(const Error& error, std::string_view result, bool transport, bool bare) {
    HttpReply reply{.content_type = "application/json"};
    if (!error) {
      reply.body.reserve(result.size() + 12);
      if (bare)
        reply.body = result;
      else
        reply.body.append(R"({"result":)").append(result).append("}");
    } else if (transport) {
      reply.status = status_of(error);
      reply.body = error_object(error);
    } else {
      reply.body = R"({"error":)" + error_object(error) + "}";
    }
    return reply;
  }

  const std::shared_ptr<Api> api_;
  const Api::Method method_;
  const bool is_batch_;
};

}  // namespace

std::string error_object(const Error& error) {
  std::string text = R"({"code":)" + std::to_string(error.code) + R"(,"message":)";
  client::append_json_string(text, error.message);
  return text + "}";
}

std::string named_answer(std::string_view name, const Error& error, std::string_view result) {
  if (error) return R"({"error":)" + error_object(error) + "}";
  std::string text = "{";
  client::append_json_string(text, name);
  return text.append(":").append(result) += '}';
}

std::unique_ptr<HttpHandler> api_handler(std::shared_ptr<Api> api, Api::Method method,
                                         bool is_batch) {
  return std::make_unique<ApiHandler>(std::move(api), method, is_batch);
}

Api::Api(client::Clients& clients, hub::Workers& workers, const ApiOptions& options)
    : clients_(clients),
      workers_(workers),
      options_(options),
      started_ns_(core::sys::monotonic_ns()) {
  workers_.set_on_question(
      hub::Topic::connections,
      [this](std::string_view question, const Answer& answer) { on_question(question, answer); });
}

bool Api::authorized(const codec::HttpHead& head) const {
  if (options_.insecure) return true;
  if (const codec::HttpHeader* const header = head.find("X-API-Key"))
    return same_secret(header->value, options_.key);
  if (const codec::HttpHeader* const header = head.find("Authorization")) {
    constexpr std::string_view kScheme = "apikey ";
    if (codec::equals_ignoring_case(header->value.substr(0, kScheme.size()), kScheme))
      return same_secret(header->value.substr(kScheme.size()), options_.key);
  }
  constexpr std::string_view kParameter = "api_key=";
  std::string_view query = head.query;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    if (pair.starts_with(kParameter))
      return same_secret(percent_decoded(pair.substr(kParameter.size())), options_.key);
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
  }
  return false;
}

}  // namespace spate::handlers
