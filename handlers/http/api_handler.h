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

// {"NAME":result} or {"error":…}: one of several answers in a body.
std::string named_answer(std::string_view name, const client::Error& error,
                         std::string_view result);

}  // namespace spate::handlers
