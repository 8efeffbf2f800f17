#include "codec/http_response.h"

#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <string>

#include "codec/http_error.h"
#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using namespace std::string_literals;

using Build = std::function<std::size_t(Bytes)>;

std::string built(const Build& build, std::size_t room) {
  const test::GuardPages pages(room);
  const Bytes out = pages.at_end(room);
  const std::size_t bytes = build(out);
  return std::string(as_text(out.first(bytes)));
}

// Also in exactly the room it needs, and refused in every smaller one, against a PROT_NONE page.
std::string built_in_any_room(const Build& build) {
  std::string text = built(build, 4096);
  for (std::size_t room = 0; room < text.size(); ++room) {
    EXPECT_EQ(built(build, room), "") << "in " << room << " bytes";
  }
  EXPECT_EQ(built(build, text.size()), text);
  return text;
}

TEST(HttpResponse, HeadAndBody) {
  const auto build = [](Bytes out) {
    HttpResponseWriter response(out, 200);
    response.header("Content-Type", "text/plain").content_length(5).connection(true);
    response.date("Sun, 06 Nov 1994 08:49:37 GMT").header("X-Empty", "").body("hel").body("lo");
    return response.finish();
  };
  EXPECT_EQ(built_in_any_room(build),
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 5\r\n"
            "Connection: keep-alive\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "X-Empty: \r\n"
            "\r\n"
            "hello");
}

TEST(HttpResponse, HeadAlone) {
  const auto build = [](Bytes out) { return HttpResponseWriter(out, 100).finish(); };
  EXPECT_EQ(built_in_any_room(build), "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(HttpResponse, LargestNumber) {
  const auto build = [](Bytes out) {
    return HttpResponseWriter(out, 200).content_length(UINT64_MAX).finish();
  };
  EXPECT_EQ(built_in_any_room(build),
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n");
}

// Whatever a peer could put into a value, it cannot end the line.
TEST(HttpResponse, NoByteCanSplitTheHead) {
  for (unsigned c = 0; c < 256; ++c) {
    const std::string value = "a"s + static_cast<char>(c) + "b";
    const std::string text = built(
        [&](Bytes out) { return HttpResponseWriter(out, 302).header("Location", value).finish(); },
        256);
    const bool is_control = (c < 32 && c != '\t') || c == 127;
    EXPECT_EQ(text.empty(), is_control) << c;
    const bool is_name =
        built([&](Bytes out) { return HttpResponseWriter(out, 302).header(value, "v").finish(); },
              256) != "";
    const bool is_tchar = std::isalnum(static_cast<int>(c)) != 0 ||
                          "!#$%&'*+-.^_`|~"s.find(static_cast<char>(c)) != std::string::npos;
    EXPECT_EQ(is_name, c < 128 && is_tchar) << c;
  }
}

TEST(HttpResponse, AFailureStays) {
  std::array<std::byte, 64> out;
  HttpResponseWriter response(out, 200);
  response.header("X", "a\nb").header("Y", "c");
  EXPECT_EQ(response.finish(), 0U);
}

TEST(HttpResponse, ReasonPhrases) {
  EXPECT_EQ(reason_phrase(426), "Upgrade Required");
  EXPECT_EQ(reason_phrase(599), "Unknown");
  for (const HttpErrorInfo& info : kHttpErrors) EXPECT_NE(reason_phrase(info.status), "Unknown");
}

TEST(HttpResponseDeathTest, AStatusOfTwoDigitsIsABug) {
  std::array<std::byte, 64> out;
  EXPECT_DEATH(HttpResponseWriter(out, 99), "check failed");
}

TEST(HttpDate, AgreesWithTheCLibrary) {
  // Ends of days, months, years and centuries; leap days; then steps that share no factor with a
  // day.
  std::vector<std::int64_t> times = {
      0,           59,          86'399,      86'400,        784'111'777,   951'782'399,
      951'782'400, 951'868'799, 951'868'800, 4'107'542'399, 4'107'542'400, 253'402'300'799};
  for (std::int64_t time = 0; time < 8'000'000'000; time += 7'654'321) times.push_back(time);
  for (const std::int64_t time : times) {
    const std::time_t c_time = time;
    std::tm parts{};
    char expected[64];
    ASSERT_NE(gmtime_r(&c_time, &parts), nullptr);
    std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    const auto date = http_date(time);
    ASSERT_EQ(std::string(date.begin(), date.end()), expected);
  }
}

TEST(HttpRefusal, SaysWhyAndCloses) {
  const auto build = [](Bytes out) {
    return write_refusal(out, {.status = 400, .remedy = describe(HttpError::bare_lf).remedy});
  };
  EXPECT_EQ(built_in_any_room(build),
            "HTTP/1.1 400 Bad Request\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 49\r\n"
            "Connection: close\r\n"
            "\r\n"
            "A line ended with LF alone: end lines with CRLF.\n");
}

TEST(HttpRefusal, ToHeadHasNoBody) {
  const std::string text = built(
      [](Bytes out) {
        return write_refusal(out, {.status = 404, .remedy = "No such page.", .head_only = true});
      },
      kRefusalBytes);
  EXPECT_TRUE(text.ends_with("Content-Length: 14\r\nConnection: close\r\n\r\n")) << text;
}

TEST(HttpRefusal, SaysWhatItsStatusMustSay) {
  const auto text_of = [](const HttpRefusal& refusal) {
    return built([&](Bytes out) { return write_refusal(out, refusal); }, kRefusalBytes);
  };
  const std::string upgrade = text_of({.status = 426, .remedy = "x"});
  EXPECT_NE(upgrade.find("\r\nSec-WebSocket-Version: 13\r\n"), std::string::npos);
  EXPECT_NE(upgrade.find("\r\nUpgrade: websocket\r\n"), std::string::npos);
  const std::string method = text_of({.status = 405, .remedy = "x", .allow = "GET, HEAD"});
  EXPECT_NE(method.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
  const std::string dated = text_of({.status = 400, .remedy = "x", .date = "then"});
  EXPECT_NE(dated.find("\r\nDate: then\r\n"), std::string::npos);
  EXPECT_EQ(text_of({.status = 400, .remedy = "x"}).find("Date"), std::string::npos);
}

TEST(HttpRefusal, EveryRemedyFits) {
  for (const HttpErrorInfo& info : kHttpErrors) {
    const HttpRefusal refusal{
        .status = info.status, .remedy = info.remedy, .date = "Sun, 06 Nov 1994 08:49:37 GMT"};
    std::array<std::byte, kRefusalBytes> out;
    EXPECT_GT(write_refusal(out, refusal), 0U) << info.name;
  }
}

}  // namespace
}  // namespace spate::codec
