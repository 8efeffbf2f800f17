// How a method of the server API meets HTTP, and how its answer or error is written.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "handlers/client/json_text.h"
#include "handlers/http/api.h"
#include "handlers/http/http_handler.h"

namespace spate::handlers {

std::unique_ptr<HttpHandler> api_handler(std::shared_ptr<Api> api, Api::Method method,
                                         bool is_batch);

// {"code":…,"message":…}
std::string error_object(const client::Error& error);

// {"NAME":result} or {"error":…}, for one of several answers in a body.
template <typename Call>
void append_answer(std::string& out, std::string_view name, Call call) {
  std::string result;
  if (const client::Error error = call(result)) {
    out += R"({"error":)" + error_object(error) + "}";
    return;
  }
  client::append_json_string(out += '{', name);
  out.append(":").append(result) += '}';
}

}  // namespace spate::handlers
