#include "tools/spate-cli/api.h"

#include <curl/curl.h>

#include <memory>

#include "core/printable.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"

namespace spate::cli {
namespace {

using handlers::client::for_each_member;
using handlers::client::JsonKind;
using handlers::client::JsonValue;

constexpr long kConnectTimeoutMs = 5'000;
constexpr long kTimeoutMs = 30'000;
constexpr std::size_t kMaxAnswerBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxShownBytes = 200;

std::size_t take_answer(char* bytes, std::size_t size, std::size_t count, void* context) {
  auto& answer = *static_cast<std::string*>(context);
  if (answer.size() + size * count > kMaxAnswerBytes) return 0;
  answer.append(bytes, size * count);
  return size * count;
}

// "107: bad request", of {"code": 107, "message": "bad request"}.
std::string error_of(std::string_view json) {
  std::string code;
  std::string message;
  for_each_member(json, [&](const JsonValue& value) {
    if (value.key == "code") code = value.text;
    if (value.key == "message") message = core::printable(value.string, kMaxShownBytes);
    return true;
  });
  return "the server says " + code + ": " + message;
}

// What is under "result".
core::Result<std::string> result_of(std::string_view answer) {
  std::string result;
  std::string error;
  const bool whole = for_each_member(answer, [&](const JsonValue& value) {
    if (value.key == "result") handlers::client::append_one_line(result, value.text);
    if (value.key == "error" && value.kind == JsonKind::object) error = error_of(value.text);
    return true;
  });
  if (!error.empty()) return core::Failure{error};
  if (!whole || result.empty())
    return core::Failure{"the answer is none of a Spate server: " +
                         core::printable(answer, kMaxShownBytes)};
  return result;
}

std::string refusal_of(long status, std::string_view answer) {
  switch (status) {
    case 401:
      return "the server refuses the API key (401); give --api-key or set SPATE_API_KEY";
    case 404:
      return "no API at this address (404); give --api the server's internal listener";
    default:
      return "the server answers with status " + std::to_string(status) + ": " +
             core::printable(answer, kMaxShownBytes);
  }
}

}  // namespace

core::Result<std::string> call_api(const ApiOptions& api, std::string_view method,
                                   const std::string& body) {
  if (!api.url.starts_with("http://") && !api.url.starts_with("https://"))
    return core::Failure{"--api=" + api.url + ": no address of the API; write http://HOST:PORT"};
  // A line break would end the header and begin another.
  if (api.key.find_first_of("\r\n") != std::string::npos)
    return core::Failure{"--api-key: a line break in it; remove it"};
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  if (!api.key.empty()) headers = curl_slist_append(headers, ("X-API-Key: " + api.key).c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owned(headers,
                                                                          curl_slist_free_all);
  std::string base = api.url;
  while (base.ends_with('/')) base.pop_back();
  const std::string url = base + "/api/" + std::string(method);
  std::string answer;
  char why[CURL_ERROR_SIZE] = "";
  CURL* const handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  // The key is for the server that was named, not for a proxy that the environment names.
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_answer);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, why);
  const CURLcode outcome = curl_easy_perform(handle);
  if (outcome != CURLE_OK)
    return core::Failure{url + ": " + (why[0] != '\0' ? why : curl_easy_strerror(outcome)) +
                         "; is the server running there? --api says where"};
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return core::Failure{url + ": " + refusal_of(status, answer)};
  return result_of(answer);
}

}  // namespace spate::cli
