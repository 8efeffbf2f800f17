#include "codec/http_head.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "codec/http_syntax.h"
#include "tests/codec/http_ways.h"

namespace spate::codec {
namespace {

using test::parse_in_every_way;
using test::parse_whole;
using namespace std::string_literals;  // for literals with a NUL in them

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

struct Accepted {
  const char* name;
  std::string bytes;
  const char* outline;
  const char* clause;
};

const Accepted kAccepted[] = {
    {"minimal", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a]", "RFC 9112 §3"},
    {"query", "GET /a/b?c=d&e?f HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /a/b?c=d&e?f 1.1 path=/a/b query=c=d&e?f host=a keep_alive [Host=a]", "RFC 9112 §3.2.1"},
    {"empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /? 1.1 path=/ query= host=a keep_alive [Host=a]", "RFC 9112 §3.2.1"},
    {"path that looks like an authority", "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET //b/c 1.1 path=//b/c query= host=a keep_alive [Host=a]", "RFC 9112 §3.2.1"},
    {"one empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a]", "RFC 9112 §2.2"},
    {"any token is a method", "!#$%&'*+-.^_`|~aZ0 / HTTP/1.1\r\nHost: a\r\n\r\n",
     "!#$%&'*+-.^_`|~aZ0 / 1.1 path=/ query= host=a keep_alive [Host=a]", "RFC 9110 §9.1"},
    {"white space around a value", "GET / HTTP/1.1\r\nHost: \t a \t \r\nX:\tb c\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [X=b c]", "RFC 9112 §5.1"},
    {"no white space before a value", "GET / HTTP/1.1\r\nHost:a\r\nX:b\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [X=b]", "RFC 9112 §5.1"},
    {"empty values", "GET / HTTP/1.1\r\nHost:a\r\nX:\r\nY: \t\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [X=] [Y=]", "RFC 9110 §5.5"},
    {"obs-text in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xc3\xbc\xff\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [X=\x80\xc3\xbc\xff]", "RFC 9110 §5.5"},
    {"colon in a value", "GET / HTTP/1.1\r\nHost: a:80\r\nX::b:\r\n\r\n",
     "GET / 1.1 path=/ query= host=a:80 keep_alive [Host=a:80] [X=:b:]", "RFC 9112 §5"},
    {"browser's query characters", "GET /?a={b}|c^`\"<> HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /?a={b}|c^`\"<> 1.1 path=/ query=a={b}|c^`\"<> host=a keep_alive [Host=a]",
     "RFC 9112 §3.2"},
    // Target forms
    {"absolute-form", "GET http://b:81/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET http://b:81/c?d 1.1 path=/c query=d host=b:81 keep_alive [Host=a]", "RFC 9112 §3.2.2"},
    {"absolute-form without a path", "GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET HTTPS://b 1.1 path=/ query= host=b keep_alive [Host=a]", "RFC 9112 §3.2.2"},
    {"absolute-form, query only", "GET http://[::1]?d HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET http://[::1]?d 1.1 path=/ query=d host=[::1] keep_alive [Host=a]", "RFC 9112 §3.2.2"},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS * 1.1 path=* query= host=a keep_alive [Host=a]", "RFC 9112 §3.2.4"},
    {"authority-form", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
     "CONNECT b:443 1.1 path= query= host=b:443 keep_alive [Host=b:443]", "RFC 9112 §3.2.3"},
    {"authority-form, IPv6", "CONNECT [::1]:443 HTTP/1.1\r\nHost: b\r\n\r\n",
     "CONNECT [::1]:443 1.1 path= query= host=[::1]:443 keep_alive [Host=b]", "RFC 9112 §3.2.3"},
    // Host
    {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n",
     "GET / 1.0 path=/ query= host=", "RFC 9112 §3.2"},
    {"Host, IPv6 and port", "GET / HTTP/1.1\r\nHost: [2001:db8::1.2.3.4]:65535\r\n\r\n",
     "GET / 1.1 path=/ query= host=[2001:db8::1.2.3.4]:65535 keep_alive "
     "[Host=[2001:db8::1.2.3.4]:65535]",
     "RFC 3986 §3.2.2"},
    {"Host, empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
     "GET / 1.1 path=/ query= host=a: keep_alive [Host=a:]", "RFC 3986 §3.2.3"},
    {"Host, reg-name characters", "GET / HTTP/1.1\r\nhOsT: a%4f-._~!$&'()*+,;=\r\n\r\n",
     "GET / 1.1 path=/ query= host=a%4f-._~!$&'()*+,;= keep_alive [hOsT=a%4f-._~!$&'()*+,;=]",
     "RFC 3986 §3.2.2"},
    // Persistence
    {"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n",
     "GET / 1.1 path=/ query= host=a [Host=a] [Connection=foo, Close]", "RFC 9112 §9.3"},
    {"close in a second header",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nconnection: close\r\n\r\n",
     "GET / 1.1 path=/ query= host=a [Host=a] [Connection=keep-alive] [connection=close]",
     "RFC 9112 §9.3"},
    {"closed is not close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [Connection=closed]", "RFC 9112 §9.3"},
    {"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET / 1.0 path=/ query= host= keep_alive [Connection=Keep-Alive]", "RFC 9112 §9.3"},
    {"HTTP/1.0 keep-alive and close", "GET / HTTP/1.0\r\nConnection: keep-alive,close\r\n\r\n",
     "GET / 1.0 path=/ query= host= [Connection=keep-alive,close]", "RFC 9112 §9.3"},
    // Body
    {"Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 42\r\n\r\n",
     "POST / 1.1 path=/ query= host=a keep_alive length=42 [Host=a] [Content-Length=42]",
     "RFC 9112 §6.2"},
    {"Content-Length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "POST / 1.1 path=/ query= host=a keep_alive [Host=a] [Content-Length=0]", "RFC 9112 §6.2"},
    {"Content-Length, leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
     "POST / 1.1 path=/ query= host=a keep_alive length=7 [Host=a] [Content-Length=007]",
     "RFC 9110 §8.6"},
    {"Content-Length, 19 digits",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
     "POST / 1.1 path=/ query= host=a keep_alive length=9999999999999999999 [Host=a] "
     "[Content-Length=9999999999999999999]",
     "RFC 9110 §8.6"},
    {"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , Chunked ,\r\n\r\n",
     "POST / 1.1 path=/ query= host=a keep_alive chunked [Host=a] [Transfer-Encoding=, Chunked ,]",
     "RFC 9112 §6.1"},
    {"Expect with a body",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
     "POST / 1.1 path=/ query= host=a keep_alive expect_continue length=1 [Host=a] "
     "[Content-Length=1] [Expect=100-Continue]",
     "RFC 9110 §10.1.1"},
    {"Expect without a body", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [Expect=100-continue]",
     "RFC 9110 §10.1.1"},
    {"Expect on HTTP/1.0 is ignored",
     "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: anything\r\n\r\n",
     "POST / 1.0 path=/ query= host= length=1 [Content-Length=1] [Expect=anything]",
     "RFC 9110 §10.1.1"},
    // Upgrade
    {"upgrade in lists",
     "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\nConnection: x,Upgrade\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive upgrade_websocket connection_upgrade [Host=a] "
     "[Upgrade=h2c, WebSocket] [Connection=x,Upgrade]",
     "RFC 9110 §7.8"},
    {"another upgrade", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket2\r\n\r\n",
     "GET / 1.1 path=/ query= host=a keep_alive [Host=a] [Upgrade=websocket2]", "RFC 9110 §7.8"},
};

TEST(HttpHead, AcceptsWhatTheRfcAllows) {
  for (const Accepted& row : kAccepted) {
    SCOPED_TRACE(std::string(row.name) + ", " + row.clause);
    const auto alone = parse_in_every_way(row.bytes);
    EXPECT_EQ(alone.status, HttpParse::ok) << alone;
    EXPECT_EQ(alone.outline, row.outline);
    EXPECT_EQ(alone.consumed, row.bytes.size());
    // What follows, here a next request, is left alone.
    EXPECT_EQ(parse_in_every_way(row.bytes + "GET /next HTTP/1.1\r\n\n\n"), alone);
  }
}

struct Refused {
  const char* name;
  std::string bytes;
  HttpError error;
  const char* clause;
};

using enum HttpError;

const Refused kRefused[] = {
    // Not HTTP/1
    {"TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01"s, tls_on_plain_port, "RFC 8446 §5.1"},
    {"almost TLS", "\x16\x04", bad_method, "RFC 9112 §3.1"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http2_preface, "RFC 9113 §3.4"},
    {"HTTP/2 without the preface", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", unsupported_version,
     "RFC 9110 §15.6.6"},
    {"binary", "\x00\x01"s, bad_method, "RFC 9112 §3.1"},
    // Lines
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", bare_lf, "RFC 9112 §2.2"},
    {"bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", bare_lf, "RFC 9112 §2.2"},
    {"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", bare_lf, "RFC 9112 §2.2"},
    {"LF first", "\nGET / HTTP/1.1\r\n", bare_lf, "RFC 9112 §2.2"},
    {"CR first", "\rGET / HTTP/1.1\r\n", bare_cr, "RFC 9112 §2.2"},
    {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", bad_request_line,
     "RFC 9112 §2.2"},
    {"bare CR in the target", "GET /\ra HTTP/1.1\r\nHost: a\r\n\r\n", bare_cr, "RFC 9112 §2.2"},
    {"bare CR in a name", "GET / HTTP/1.1\r\nHo\rst: a\r\n\r\n", bare_cr, "RFC 9112 §2.2"},
    {"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", bare_cr, "RFC 9112 §2.2"},
    {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", bare_cr, "RFC 9112 §2.2"},
    {"CR CR LF after a header", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", bare_cr, "RFC 9112 §2.2"},
    // Request line
    {"method only", "GET\r\n\r\n", bad_request_line, "RFC 9112 §3"},
    {"no version", "GET /\r\n\r\n", bad_request_line, "RFC 9112 §3"},
    {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", bad_request_line, "RFC 9112 §3"},
    {"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", bad_request_line,
     "RFC 9112 §3"},
    {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", bad_version,
     "RFC 9112 §3"},
    {"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", bad_version, "RFC 9112 §3"},
    {"tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_method, "RFC 9112 §3"},
    {"space first", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method, "RFC 9112 §3"},
    {"bad byte in the method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method, "RFC 9110 §9.1"},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", bad_version, "RFC 9112 §3.2"},
    {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, bad_target, "RFC 9112 §3.2"},
    {"UTF-8 in the target", "GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n", bad_target,
     "RFC 9112 §3.2"},
    {"fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", bad_target, "RFC 9112 §3.2"},
    {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", bad_version, "RFC 9112 §2.3"},
    {"two-digit version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", bad_version, "RFC 9112 §2.3"},
    {"version without a minor", "GET / HTTP/1\r\nHost: a\r\n\r\n", bad_version, "RFC 9112 §2.3"},
    {"comma in the version", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", bad_version, "RFC 9112 §2.3"},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", unsupported_version, "RFC 9110 §15.6.6"},
    {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", unsupported_version, "RFC 9110 §15.6.6"},
    // Target forms
    {"asterisk-form with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", wrong_target_form,
     "RFC 9112 §3.2.4"},
    {"authority-form with GET", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", bad_target,
     "RFC 9112 §3.2.3"},
    {"relative path", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", bad_target, "RFC 9112 §3.2"},
    {"origin-form with CONNECT", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", wrong_target_form,
     "RFC 9112 §3.2.3"},
    {"CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", wrong_target_form,
     "RFC 9112 §3.2.3"},
    {"CONNECT, IPv6 without a port", "CONNECT [::1] HTTP/1.1\r\nHost: a\r\n\r\n", wrong_target_form,
     "RFC 9112 §3.2.3"},
    {"another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_target, "RFC 9112 §3.2.2"},
    {"absolute-form without a host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", bad_target,
     "RFC 9110 §4.2.1"},
    {"absolute-form, one slash", "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", bad_target,
     "RFC 9112 §3.2.2"},
    {"user information", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_target,
     "RFC 9110 §4.2.4"},
    {"absolute-form does not replace Host", "GET http://a/ HTTP/1.1\r\n\r\n", missing_host,
     "RFC 9112 §3.2"},
    // Header lines
    {"white space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     space_before_first_header, "RFC 9112 §2.2"},
    {"obs-fold", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", obs_fold, "RFC 9112 §5.2"},
    {"obs-fold with a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", obs_fold,
     "RFC 9112 §5.2"},
    {"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", space_before_colon,
     "RFC 9112 §5.1"},
    {"tabs before the colon", "GET / HTTP/1.1\r\nHost\t\t: a\r\n\r\n", space_before_colon,
     "RFC 9112 §5.1"},
    {"space in a name", "GET / HTTP/1.1\r\nHost a: b\r\n\r\n", bad_header_name, "RFC 9112 §5.1"},
    {"no name", "GET / HTTP/1.1\r\n: a\r\n\r\n", bad_header_name, "RFC 9110 §5.1"},
    {"no colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", missing_colon, "RFC 9112 §5"},
    {"bad byte in a name", "GET / HTTP/1.1\r\nHo@st: a\r\n\r\n", bad_header_name, "RFC 9110 §5.1"},
    {"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"s, bad_header_value,
     "RFC 9110 §5.5"},
    {"DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", bad_header_value,
     "RFC 9110 §5.5"},
    // Host
    {"no Host", "GET / HTTP/1.1\r\n\r\n", missing_host, "RFC 9112 §3.2"},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", repeated_host, "RFC 9112 §3.2"},
    {"two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", repeated_host,
     "RFC 9112 §3.2"},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", bad_host, "RFC 9112 §3.2"},
    {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", bad_host, "RFC 9112 §3.2"},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", bad_host, "RFC 9112 §3.2"},
    {"Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", bad_host,
     "RFC 9112 §3.2"},
    {"Host, port only", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", bad_host, "RFC 9112 §3.2"},
    {"Host, port too large", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", bad_host,
     "RFC 3986 §3.2.3"},
    {"Host, port no number", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", bad_host, "RFC 3986 §3.2.3"},
    {"Host, IPv6 without brackets", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", bad_host,
     "RFC 3986 §3.2.2"},
    {"Host, open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", bad_host, "RFC 3986 §3.2.2"},
    {"Host, empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", bad_host, "RFC 3986 §3.2.2"},
    {"Host, text behind brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", bad_host,
     "RFC 3986 §3.2.2"},
    {"Host, name in brackets", "GET / HTTP/1.1\r\nHost: [xyz]\r\n\r\n", bad_host,
     "RFC 3986 §3.2.2"},
    {"Host, broken escape", "GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", bad_host, "RFC 3986 §2.1"},
    {"Host, escape of no digits", "GET / HTTP/1.1\r\nHost: a%4g\r\n\r\n", bad_host,
     "RFC 3986 §2.1"},
    {"Host is checked behind an absolute-form too", "GET http://b/ HTTP/1.1\r\nHost: @\r\n\r\n",
     bad_host, "RFC 9112 §3.2"},
    // Framing
    {"Content-Length +5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"Content-Length -5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"Content-Length 0x5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"Content-Length 5 5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"Content-Length 5,5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5,5\r\n\r\n",
     bad_content_length, "RFC 9112 §6.3"},
    {"Content-Length 5.0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"empty Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"Content-Length overflows",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
     bad_content_length, "RFC 9110 §8.6"},
    {"Content-Length twice",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
     repeated_content_length, "RFC 9112 §6.3"},
    {"the same Content-Length twice",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
     repeated_content_length, "RFC 9112 §6.3"},
    {"length and coding",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     length_and_transfer_encoding, "RFC 9112 §6.1"},
    {"coding and length",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
     length_and_transfer_encoding, "RFC 9112 §6.1"},
    {"coding on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     transfer_encoding_on_http10, "RFC 9112 §6.1"},
    {"chunked not last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
     bad_transfer_encoding, "RFC 9112 §6.3"},
    {"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,chunked\r\n\r\n",
     bad_transfer_encoding, "RFC 9112 §7.1"},
    {"chunked in two headers",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "identity\r\n\r\n",
     bad_transfer_encoding, "RFC 9112 §6.3"},
    {"chunked with a parameter",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;a=b\r\n\r\n", bad_transfer_encoding,
     "RFC 9112 §7.1"},
    {"quoted chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
     bad_transfer_encoding, "RFC 9112 §7"},
    {"xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
     bad_transfer_encoding, "RFC 9112 §6.3"},
    {"empty coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
     bad_transfer_encoding, "RFC 9112 §6.1"},
    {"unknown coding before chunked",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
     unknown_transfer_coding, "RFC 9112 §6.1"},
    {"unknown coding in its own header",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip;q=1\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     unknown_transfer_coding, "RFC 9112 §6.1"},
    {"unknown expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n",
     unsupported_expectation, "RFC 9110 §10.1.1"},
};

TEST(HttpHead, RefusesWithTheErrorOfTheClause) {
  for (const Refused& row : kRefused) {
    SCOPED_TRACE(std::string(row.name) + ", " + row.clause);
    const auto outcome = parse_in_every_way(row.bytes);
    EXPECT_EQ(outcome.status, HttpParse::bad);
    EXPECT_EQ(outcome.error, row.error);
    EXPECT_EQ(parse_whole(row.bytes + "GET / HTTP/1.1\r\n\r\n"), outcome);
  }
}

TEST(HttpHead, UnfinishedHeadsNeedMore) {
  for (const char* bytes :
       {"", "\r", "\r\n", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r", "\x16"}) {
    SCOPED_TRACE(bytes);
    EXPECT_EQ(parse_in_every_way(bytes).status, HttpParse::need_more);
  }
}

// Exactly at each limit a head is accepted, one beyond it is refused, however it arrives.
TEST(HttpHeadLimits, HeadBytes) {
  const std::string frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
  for (const std::size_t limit : {64UL, 200UL}) {
    const HttpLimits limits{.max_head_bytes = limit};
    std::string fits = frame;
    fits.insert(frame.size() - 4, repeat("b", limit - frame.size()));
    EXPECT_EQ(parse_in_every_way(fits, limits).status, HttpParse::ok);
    std::string too_large = frame;
    too_large.insert(frame.size() - 4, repeat("b", limit + 1 - frame.size()));
    EXPECT_EQ(parse_in_every_way(too_large, limits).error, head_too_large);
  }
}

TEST(HttpHeadLimits, TheEmptyLineBeforeCounts) {
  const std::string head = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(parse_in_every_way(head, {.max_head_bytes = head.size()}).status, HttpParse::ok);
  EXPECT_EQ(parse_in_every_way(head, {.max_head_bytes = head.size() - 1}).error, head_too_large);
}

TEST(HttpHeadLimits, DefaultsInFull) {
  const auto head = [](std::size_t target, std::size_t value) {
    return "GET /" + repeat("t", target - 1) + " HTTP/1.1\r\nHost: a\r\nX: " + repeat("v", value) +
           "\r\n\r\n";
  };
  const std::size_t frame = head(1, 0).size() - 1;
  const std::size_t target = HttpLimits{}.max_target_bytes;
  const std::size_t room = HttpLimits{}.max_head_bytes - frame - target;
  EXPECT_EQ(parse_whole(head(target, room)).status, HttpParse::ok);
  EXPECT_EQ(parse_whole(head(target + 1, 0)).error, target_too_long);
  EXPECT_EQ(parse_whole(head(target, room + 1)).error, head_too_large);
}

TEST(HttpHeadLimits, Target) {
  const auto head = [](std::size_t bytes) {
    return "GET /" + repeat("t", bytes - 1) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  const HttpLimits limits{.max_head_bytes = 128, .max_target_bytes = 40};
  EXPECT_EQ(parse_in_every_way(head(40), limits).status, HttpParse::ok);
  EXPECT_EQ(parse_in_every_way(head(41), limits).error, target_too_long);
  // A request line that alone fills the head is too long a target, not too many headers.
  EXPECT_EQ(parse_in_every_way(head(128), limits).error, target_too_long);
  EXPECT_EQ(parse_in_every_way("\r\n" + head(128), limits).error, target_too_long);
}

TEST(HttpHeadLimits, Headers) {
  const auto head = [](std::size_t count) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + repeat("X: b\r\n", count - 1) + "\r\n";
  };
  EXPECT_EQ(parse_in_every_way(head(3), {.max_headers = 3}).status, HttpParse::ok);
  EXPECT_EQ(parse_in_every_way(head(4), {.max_headers = 3}).error, too_many_headers);
  EXPECT_EQ(parse_in_every_way(head(64)).status, HttpParse::ok);
  EXPECT_EQ(parse_in_every_way(head(65)).error, too_many_headers);
  // No limit can go beyond the array.
  EXPECT_EQ(parse_whole(head(65), {.max_headers = 1000}).error, too_many_headers);
}

// Each class of positions in a head, tried with all 256 bytes in place of the marker and judged by
// a function that says literally what the grammar allows there.
struct PositionClass {
  const char* name;
  const char* before;
  const char* after;
  std::function<HttpError(unsigned)> oracle;
};

bool is_tchar(unsigned c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != 0 && c < 128 && std::strchr("!#$%&'*+-.^_`|~", static_cast<int>(c)) != nullptr);
}
bool is_field_byte(unsigned c) {
  return c == '\t' || (c >= 32 && c != 127);
}
bool is_target_byte(unsigned c) {
  return c > 32 && c < 127 && c != '#';
}
bool is_reg_name_byte(unsigned c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != 0 && c < 128 && std::strchr("-._~!$&'()*+,;=", static_cast<int>(c)) != nullptr);
}

const PositionClass kPositions[] = {
    {"first of the method", "", "ET / HTTP/1.1\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return is_tchar(c) ? none : c == '\r' ? bare_cr : c == '\n' ? bare_lf : bad_method;
     }},
    {"inside the method", "G", "T / HTTP/1.1\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return is_tchar(c) ? none
              : c == '\r' ? bare_cr
              : c == '\n' ? bare_lf
              : c == ' '  ? bad_version  // the target is then "T"
                          : bad_method;
     }},
    {"behind the method", "GET", "/ HTTP/1.1\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return c == ' ' ? none : c == '\r' ? bare_cr : c == '\n' ? bare_lf : bad_method;
     }},
    {"first of the target", "GET ", " HTTP/1.1\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return c == '/'    ? none
              : c == '*'  ? wrong_target_form
              : c == '\r' ? bare_cr
              : c == '\n' ? bare_lf
              : c == ' '  ? bad_request_line
                          : bad_target;
     }},
    {"inside the target", "GET /a", "b HTTP/1.1\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return is_target_byte(c) ? none
              : c == '\r'       ? bare_cr
              : c == '\n'       ? bare_lf
              : c == ' '        ? bad_version
                                : bad_target;
     }},
    {"version's name", "GET / HTT", "/1.1\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return c == 'P' ? none : c == '\r' ? bare_cr : c == '\n' ? bare_lf : bad_version;
     }},
    {"minor version", "GET / HTTP/1.", "\r\nHost: a\r\n\r\n",
     [](unsigned c) {
       return c == '0' || c == '1'   ? none
              : c >= '2' && c <= '9' ? unsupported_version
              : c == '\r'            ? bare_cr
              : c == '\n'            ? bare_lf
                                     : bad_version;
     }},
    {"CR of the request line", "GET / HTTP/1.1", "\nHost: a\r\n\r\n",
     [](unsigned c) { return c == '\r' ? none : bare_lf; }},
    {"LF of the request line", "GET / HTTP/1.1\r", "Host: a\r\n\r\n",
     [](unsigned c) { return c == '\n' ? none : bare_cr; }},
    {"first of a name", "GET / HTTP/1.1\r\nHost: a\r\n", "N: v\r\n\r\n",
     [](unsigned c) {
       return is_tchar(c)             ? none
              : c == ' ' || c == '\t' ? obs_fold
              : c == '\r'             ? bare_cr
              : c == '\n'             ? bare_lf
                                      : bad_header_name;
     }},
    {"inside a name", "GET / HTTP/1.1\r\nHost: a\r\nN", "N: v\r\n\r\n",
     [](unsigned c) {
       return is_tchar(c) || c == ':' ? none  // ':' ends the name sooner
              : c == '\r'             ? bare_cr
              : c == '\n'             ? bare_lf
                                      : bad_header_name;
     }},
    {"behind a name", "GET / HTTP/1.1\r\nHost: a\r\nN", ": v\r\n\r\n",
     [](unsigned c) {
       return is_tchar(c) || c == ':' ? none
              : c == ' ' || c == '\t' ? space_before_colon
              : c == '\r'             ? bare_cr
              : c == '\n'             ? bare_lf
                                      : bad_header_name;
     }},
    {"colon", "GET / HTTP/1.1\r\nHost: a\r\nN", "v\r\n\r\n",
     [](unsigned c) {
       return c == ':'      ? none
              : is_tchar(c) ? missing_colon
              : c == '\r'   ? bare_cr
              : c == '\n'   ? bare_lf
                            : bad_header_name;
     }},
    {"first of a value", "GET / HTTP/1.1\r\nHost: a\r\nN:", "v\r\n\r\n",
     [](unsigned c) {
       return is_field_byte(c) ? none
              : c == '\r'      ? bare_cr
              : c == '\n'      ? bare_lf
                               : bad_header_value;
     }},
    {"inside a value", "GET / HTTP/1.1\r\nHost: a\r\nN: v", "v\r\n\r\n",
     [](unsigned c) {
       return is_field_byte(c) ? none
              : c == '\r'      ? bare_cr
              : c == '\n'      ? bare_lf
                               : bad_header_value;
     }},
    {"inside a long value", "GET / HTTP/1.1\r\nHost: a\r\nN: 0123456789abcdef01234567",
     "89abcdef0123456789abcdef\r\n\r\n",
     [](unsigned c) {
       return is_field_byte(c) ? none
              : c == '\r'      ? bare_cr
              : c == '\n'      ? bare_lf
                               : bad_header_value;
     }},
    {"CR of a header", "GET / HTTP/1.1\r\nHost: a", "\n\r\n",
     [](unsigned c) { return c == '\r' ? none : bare_lf; }},
    {"LF of a header", "GET / HTTP/1.1\r\nHost: a\r", "X: y\r\n\r\n",
     [](unsigned c) { return c == '\n' ? none : bare_cr; }},
    {"CR of the empty line", "GET / HTTP/1.1\r\nHost: a\r\n", "\n",
     [](unsigned c) { return c == '\r' ? none : bare_lf; }},
    {"inside Host", "GET / HTTP/1.1\r\nHost: a", "1\r\n\r\n",
     [](unsigned c) {
       return is_reg_name_byte(c) || c == ':' ? none  // a:1 has a port
              : c == '\r'                     ? bare_cr
              : c == '\n'                     ? bare_lf
              : is_field_byte(c)              ? bad_host
                                              : bad_header_value;
     }},
    {"inside Content-Length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1", "1\r\n\r\n",
     [](unsigned c) {
       return c >= '0' && c <= '9' ? none
              : c == '\r'          ? bare_cr
              : c == '\n'          ? bare_lf
              : is_field_byte(c)   ? bad_content_length
                                   : bad_header_value;
     }},
};

TEST(HttpHeadExhaustive, EveryByteAtEveryClassOfPositions) {
  for (const PositionClass& position : kPositions) {
    for (unsigned c = 0; c < 256; ++c) {
      SCOPED_TRACE(std::string(position.name) + ", byte " + std::to_string(c));
      const std::string bytes =
          std::string(position.before) + static_cast<char>(c) + position.after;
      const auto outcome = parse_in_every_way(bytes);
      EXPECT_EQ(outcome.error, position.oracle(c));
      EXPECT_NE(outcome.status, HttpParse::need_more);
    }
  }
}

// Values are scanned in blocks of 16 bytes: a bad byte is found wherever in a block it falls, and
// the tail behind the last block is scanned too.
TEST(HttpHeadExhaustive, ABadByteAtEveryOffsetOfValuesOfEveryLength) {
  for (std::size_t length = 1; length <= 67; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (const char c : {'\0', '\b', '\v', '\x1f', '\x7f', '\t', '\x80', '\xff', '~'}) {
        std::string value(length, 'v');
        value[at] = c;
        const auto outcome = parse_whole("GET / HTTP/1.1\r\nHost: a\r\nX: " + value + "\r\n\r\n");
        const bool good = is_field_byte(static_cast<unsigned char>(c));
        ASSERT_EQ(outcome.error, good ? none : bad_header_value)
            << "byte " << static_cast<int>(c) << " at " << at << " of " << length;
      }
    }
  }
}

TEST(HttpHead, FindIgnoresCaseAndWalksRepeatedHeaders) {
  HttpHead head;
  const auto result = parse_http_head(
      as_bytes("GET / HTTP/1.1\r\nHost: a\r\nCookie: 1\r\nX: y\r\ncOOKIE: 2\r\n\r\n"), {}, head);
  ASSERT_EQ(result.status, HttpParse::ok);
  const HttpHeader* first = head.find("cookie");
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->value, "1");
  const HttpHeader* second = head.find("cookie", first);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->value, "2");
  EXPECT_EQ(head.find("cookie", second), nullptr);
  EXPECT_EQ(head.find("cooki"), nullptr);
}

TEST(HttpHead, AHeadCanBeParsedIntoAgain) {
  HttpHead head;
  ASSERT_EQ(parse_http_head(as_bytes("POST http://b/p?q HTTP/1.1\r\nHost: a\r\nExpect: "
                                     "100-continue\r\nUpgrade: websocket\r\nConnection: "
                                     "upgrade\r\nContent-Length: 9\r\n\r\n"),
                            {}, head)
                .status,
            HttpParse::ok);
  ASSERT_EQ(parse_http_head(as_bytes("GET / HTTP/1.0\r\n\r\n"), {}, head).status, HttpParse::ok);
  EXPECT_EQ(test::outline(head), "GET / 1.0 path=/ query= host=");
  EXPECT_EQ(head.content_length, 0U);
}

// A refusal to HEAD has no body, so the method is asked for after an error: it must be this
// request's, not the last one's, whose bytes are gone.
TEST(HttpHead, ARefusedHeadHasItsOwnMethodOrNone) {
  HttpHead head;
  const auto method_after = [&head](std::string_view bytes) {
    const test::ExactBlock block(bytes);
    (void)parse_http_head(test::ExactBlock("HEAD / HTTP/1.0\r\n\r\n").bytes(), {}, head);
    (void)parse_http_head(block.bytes(), {}, head);
    return std::string(head.method);
  };
  EXPECT_EQ(method_after("PUT / HTTP/1.1\r\n\r\n"), "PUT");
  EXPECT_EQ(method_after("PUT /\x01 HTTP/1.1\r\n\r\n"), "PUT");
  EXPECT_EQ(method_after("PUT / HTTP/1.1\n"), "");
  EXPECT_EQ(method_after("\x01"), "");
  EXPECT_EQ(method_after("PUT / HTTP/1.1\r\n"), "");
  EXPECT_EQ(method_after(""), "");
}

// A 16 KiB head that drips in a byte at a time must not be searched from its start each time: the
// bytes looked at again are counted through `scanned`, which moves with the input.
TEST(HttpHead, ADripIsScannedOnce) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: " + repeat("v", 16000);
  HttpHead head;
  std::size_t scanned = 0;
  for (std::size_t length = 1; length <= bytes.size(); ++length) {
    const auto result =
        parse_http_head(as_bytes(std::string_view(bytes).substr(0, length)), {}, head, scanned);
    ASSERT_EQ(result.status, HttpParse::need_more);
    ASSERT_EQ(result.scanned, length);
    scanned = result.scanned;
  }
}

TEST(HttpErrors, EachHasAClauseAStatusAndARemedy) {
  for (const HttpErrorInfo& info : kHttpErrors) {
    if (info.error == none) continue;
    SCOPED_TRACE(info.name);
    EXPECT_TRUE(info.clause.starts_with("RFC "));
    EXPECT_GE(info.status, 400);
    EXPECT_TRUE(info.remedy.ends_with('.') || info.remedy.ends_with('?'));
  }
}

}  // namespace
}  // namespace spate::codec
