#include "codec/http_response.h"

#include <charconv>
#include <chrono>

#include "codec/http_syntax.h"

namespace spate::codec {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};

constexpr auto kReasons = std::to_array<Reason>({
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
});

struct Decimal {
  std::array<char, 20> digits;
  std::size_t count;

  explicit Decimal(std::uint64_t value) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    count = static_cast<std::size_t>(end - digits.data());
  }
  std::string_view text() const { return {digits.data(), count}; }
};

}  // namespace

std::string_view reason_phrase(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.phrase;
  }
  return "Unknown";
}

HttpResponseWriter::HttpResponseWriter(Bytes out, int status) : out_(out) {
  SPATE_CHECK(status >= 100 && status <= 999);
  append("HTTP/1.1 ");
  append(Decimal(static_cast<std::uint64_t>(status)).text());
  append(" ");
  append(reason_phrase(status));
  append("\r\n");
}

void HttpResponseWriter::append(std::string_view text) {
  if (failed_ || text.size() > out_.size() - used_) {
    failed_ = true;
    return;
  }
  if (!text.empty()) std::memcpy(out_.data() + used_, text.data(), text.size());
  used_ += text.size();
}

HttpResponseWriter& HttpResponseWriter::header(std::string_view name, std::string_view value) {
  SPATE_CHECK(!head_ended_);
  // A value may come from a peer (a redirect's path, a subprotocol): CR or LF would split the
  // response.
  if (!is_token(name) || !all_http_chars(value, kValueChar)) failed_ = true;
  append(name);
  append(": ");
  append(value);
  append("\r\n");
  return *this;
}

HttpResponseWriter& HttpResponseWriter::header(std::string_view name, std::uint64_t value) {
  return header(name, Decimal(value).text());
}

HttpResponseWriter& HttpResponseWriter::body(std::string_view content) {
  if (!head_ended_) append("\r\n");
  head_ended_ = true;
  append(content);
  return *this;
}

std::size_t HttpResponseWriter::finish() {
  if (!head_ended_) body({});
  return failed_ ? 0 : used_;
}

std::array<char, 29> http_date(std::int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_seconds time{seconds{unix_seconds}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

  std::array<char, 29> text{'?', '?', '?', ',', ' ', '0', '0', ' ', '?', '?',
                            '?', ' ', '0', '0', '0', '0', ' ', '0', '0', ':',
                            '0', '0', ':', '0', '0', ' ', 'G', 'M', 'T'};
  const auto put_name = [&text](std::size_t at, std::string_view names, std::size_t index) {
    for (std::size_t i = 0; i < 3; ++i) text[at + i] = names[index * 3 + i];
  };
  const auto put_number = [&text](std::size_t last, std::int64_t value, std::size_t digits) {
    for (std::size_t i = 0; i < digits; ++i, value /= 10) {
      text[last - i] = static_cast<char>('0' + value % 10);
    }
  };
  put_name(0, kDays, weekday{day}.c_encoding());
  put_number(6, unsigned{date.day()}, 2);
  put_name(8, kMonths, unsigned{date.month()} - 1);
  put_number(15, int{date.year()}, 4);
  put_number(18, clock.hours().count(), 2);
  put_number(21, clock.minutes().count(), 2);
  put_number(24, clock.seconds().count(), 2);
  return text;
}

std::size_t write_refusal(Bytes out, const HttpRefusal& refusal) {
  HttpResponseWriter response(out, refusal.status);
  if (refusal.status == 426) {
    response.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13");
  }
  if (refusal.status == 405) response.header("Allow", refusal.allow);
  if (!refusal.date.empty()) response.date(refusal.date);
  response.header("Content-Type", "text/plain; charset=utf-8");
  response.content_length(refusal.remedy.size() + 1);
  response.connection(false);
  if (!refusal.head_only) response.body(refusal.remedy).body("\n");
  return response.finish();
}

}  // namespace spate::codec
