// Every error line, literally: the setting as its place spells it, the value, the place, the
// remedy.
#include "tests/handlers/settings_fixture.h"

namespace spate::handlers {
namespace {

class SettingsErrors : public SettingsFixture {};

struct FlagRow {
  std::vector<std::string> arguments;
  const char* line;
};

TEST_F(SettingsErrors, OfFlags) {
  const FlagRow rows[] = {
      {{"--max-message-bytes=12x"},
       "--max-message-bytes=12x (flag): not a size in bytes; write a number, with K, M or G if you "
       "like"},
      {{"--max-message-bytes", "0"},
       "--max-message-bytes=0 (flag): out of range; write a size from 1 to 1G"},
      {{"--max-message-bytes", "2G"},
       "--max-message-bytes=2G (flag): out of range; write a size from 1 to 1G"},
      {{"--max-memory", "99999999999999G"},
       "--max-memory=99999999999999G (flag): out of range; write a size from 0 to 1024G"},
      {{"--max-memory", "99999999999999999999999"},
       "--max-memory=99999999999999999999999 (flag): out of range; write a size from 0 to 1024G"},
      {{"--max-memory", "-1"},
       "--max-memory=-1 (flag): not a size in bytes; write a number, with K, M or G if you like"},
      {{"--max-memory", "K"},
       "--max-memory=K (flag): not a size in bytes; write a number, with K, M or G if you like"},
      {{"--workers", "1025"},
       "--workers=1025 (flag): out of range; write a whole number from 0 to 1024"},
      {{"--workers", "-1"},
       "--workers=-1 (flag): out of range; write a whole number from 0 to 1024"},
      {{"--workers="}, "--workers= (flag): not a whole number; write one from 0 to 1024"},
      {{"--workers", "1.5"}, "--workers=1.5 (flag): not a whole number; write one from 0 to 1024"},
      {{"--workers", "99999999999999999999"},
       "--workers=99999999999999999999 (flag): out of range; write a whole number from 0 to 1024"},
      {{"--workers"}, "--workers (flag): no value; write --workers=VALUE"},
      {{"--echo", "--workers", "2"}, "--echo (flag): no value; write --echo=VALUE"},
      {{"--check="}, "--check (flag): no value; write --check=VALUE"},
      {{"--check=maybe"}, "--check=maybe (flag): neither true nor false; write one of them"},
      {{"--wrokers=2"}, "--wrokers (flag): no such setting; did you mean --workers?"},
      {{"--max_message_bytes", "2"},
       "--max_message_bytes (flag): no such setting; did you mean --max-message-bytes?"},
      {{"--max-message"},
       "--max-message (flag): no such setting; did you mean --max-message-bytes?"},
      {{"-workers", "2"}, "-workers (flag): no such setting; did you mean --workers?"},
      {{"--zzzzzzzz=1"}, "--zzzzzzzz (flag): no such setting; --help lists them"},
      {{"-"}, "\"-\" (argument): not a flag; flags start with --"},
      {{"--workers=1", "2"}, "\"2\" (argument): not a flag; flags start with --"},
      {{"run\nit"}, "\"run\\nit\" (argument): not a flag; flags start with --"},
      {{"--log-level=loud"},
       "--log-level=loud (flag): no such choice; write one of debug, info, warn, error, off"},
      {{"--listen=localhost:80"},
       "--listen=localhost:80 (flag): not an IP address; names are not looked up, write one such "
       "as 127.0.0.1:8000"},
      {{"--listen=127.0.0.1:1,,127.0.0.1:2"},
       "--listen= (flag): an empty item; write a value, or leave the item out"},
      {{"--internal-listen=unix:x"},
       "--internal-listen=unix:x (flag): not the absolute path of a file; write one such as "
       "unix:/run/spate/spate.sock"},
      {{"--internal-listen=proxy:127.0.0.1:1"},
       "--internal-listen=proxy:127.0.0.1:1 (flag): the PROXY protocol is for the listeners of "
       "clients (--listen); write HOST:PORT"},
      {{"--listen=tls:proxy:127.0.0.1:1"},
       "--listen=tls:proxy:127.0.0.1:1 (flag): proxy: and tls: come once each and in this order; "
       "write proxy:tls:HOST:PORT"},
      {{"--trusted-proxies=10.0.0.1/8"},
       "--trusted-proxies=10.0.0.1/8 (flag): not an address, nor a network without bits behind its "
       "prefix; write 192.0.2.1, 10.0.0.0/8, 2001:db8::/32, or unix for the peers of Unix-domain "
       "listeners"},
      {{"--forwarded-header=via"},
       "--forwarded-header=via (flag): no such choice; write one of x-forwarded-for, forwarded, "
       "none"},
      {{"--unix-mode=8"},
       "--unix-mode=8 (flag): not a file's permissions; write them in octal, such as 0660"},
      {{"--unix-mode=1777"},
       "--unix-mode=1777 (flag): not a file's permissions; write them in octal, such as 0660"},
      {{"--echo=echo"}, "--echo=echo (flag): not a path; write one that starts with /"},
      {{"--echo=/e?x"}, "--echo=/e?x (flag): a path alone; leave out what follows the ?"},
      {{"--echo=/e x"},
       "--echo=/e x (flag): has a byte that no request path has; write it percent-encoded"},
      {{"--allowed-origins=example.com"},
       "--allowed-origins=example.com (flag): no origin; write SCHEME://HOST, such as "
       "https://*.example.com, or * for any"},
      {{"--allowed-origins=https://a/b"},
       "--allowed-origins=https://a/b (flag): an origin has no path; leave out what follows the "
       "host and port"},
      {{"--allowed-origins=https://"},
       "--allowed-origins=https:// (flag): no host; write SCHEME://HOST"},
      {{"--allowed-origins=https://gr\xC3\xBC.example"},
       "--allowed-origins=https://gr\xC3\xBC.example (flag): has a byte that no origin has; write "
       "the host in ASCII"},
      {{"--subprotocols=a b"},
       "--subprotocols=a b (flag): not a token; write letters, digits and !#$%&'*+-.^_`|~ only"},
      {{"--cpu-affinity=3-1"},
       "--cpu-affinity=3-1 (flag): not a CPU; write a number from 0 to 1023, or a range such as "
       "0-3"},
      {{"--cpu-affinity=1024"},
       "--cpu-affinity=1024 (flag): not a CPU; write a number from 0 to 1023, or a range such as "
       "0-3"},
      {{"--cpu-affinity=-1"},
       "--cpu-affinity=-1 (flag): not a CPU; write a number from 0 to 1023, or a range such as "
       "0-3"},
      {{"--config=/nonexistent"},
       "--config=/nonexistent (flag): cannot be read: No such file or directory"},
      {{"--config=/"}, "--config=/ (flag): cannot be read: Is a directory"},
      {{"--config=/dev/zero"},
       "--config=/dev/zero (flag): cannot be read: larger than 1048576 bytes"},
      {{"--echo=/\x1b[31m"},
       "--echo=/\\x1b[31m (flag): has a byte that no request path has; write it percent-encoded"},
      {{"--workers=" + std::string(100, '9')},
       "--workers=99999999999999999999999999999999999999999999999999999999999999999999999999999999…"
       " (flag): out of range; write a whole number from 0 to 1024"},
  };
  for (const FlagRow& row : rows) EXPECT_EQ(error(row.arguments), row.line);
}

struct Row {
  const char* text;
  const char* line;
};

TEST_F(SettingsErrors, OfTheEnvironment) {
  const Row rows[] = {
      {"SPATE_MAX_MESSAGE_BYTES=12x",
       "SPATE_MAX_MESSAGE_BYTES=12x (environment): not a size in bytes; write a number, with K, M "
       "or G if you like"},
      {"SPATE_WORKERS=",
       "SPATE_WORKERS= (environment): not a whole number; write one from 0 to 1024"},
      {"SPATE_LISTEN=127.0.0.1:1,here",
       "SPATE_LISTEN=here (environment): no port; write HOST:PORT, such as 127.0.0.1:8000"},
      {"SPATE_MAX_CONECTIONS=1",
       "SPATE_MAX_CONECTIONS (environment): no such setting; did you mean SPATE_MAX_CONNECTIONS?"},
      {"SPATE_TOKEN_SECRET=hidden",
       "SPATE_TOKEN_SECRET (environment): no such setting; --help lists them"},
      {"SPATE_PORT=8000", "SPATE_PORT (environment): no such setting; --help lists them"},
      {"SPATE_CHECK=1", "SPATE_CHECK (environment): cannot be set there; use the flag --check"},
      {"SPATE_=1", "SPATE_ (environment): no such setting; --help lists them"},
      {"SPATE_CONFIG=/nonexistent",
       "SPATE_CONFIG=/nonexistent (environment): cannot be read: No such file or directory"},
  };
  for (const Row& row : rows) EXPECT_EQ(variable_error(row.text), row.line);
}

TEST_F(SettingsErrors, OfTheFile) {
  const Row rows[] = {
      {"{\n  \"workers\": 2,\n  \"max-message-bytes\": \"12x\"\n}",
       "max-message-bytes=12x (FILE line 3): not a size in bytes; write a number, with K, M or G "
       "if you like"},
      {"{\"workers\":\n\n5000}",
       "workers=5000 (FILE line 3): out of range; write a whole number from 0 to 1024"},
      {R"({"workers": "2"})", "workers=2 (FILE line 1): a string; write a number"},
      {R"({"workers": true})", "workers=true (FILE line 1): true or false; write a number"},
      {R"({"workers": 2.0})",
       "workers=2.0 (FILE line 1): not a whole number; write one from 0 to 1024"},
      {R"({"workers": 1e1})",
       "workers=1e1 (FILE line 1): not a whole number; write one from 0 to 1024"},
      {R"({"workers": [1]})", "workers=[…] (FILE line 1): a list; write a number"},
      {R"({"workers": null})",
       "workers (FILE line 1): null is no value of a setting; leave the key out for the default"},
      {R"({"workers": {"n": 1}})", "workers={…} (FILE line 1): an object; write a number"},
      {"{\"workers\":\n{\"n\":\n[1, {}]}}", "workers={…} (FILE line 2): an object; write a number"},
      {R"({"wrokers": {"n": 1}})", "wrokers (FILE line 1): no such setting; did you mean workers?"},
      {R"({"listen": ["127.0.0.1:1", {}]})",
       "listen={…} (FILE line 1): an object; write a string, or a list of such"},
      {R"({"listen": [["127.0.0.1:1"]]})",
       "listen (FILE line 1): a list in a list is no value of a setting; write the items in one "
       "list"},
      {R"({"listen": [null]})",
       "listen (FILE line 1): null is no value of a setting; leave the key out for the default"},
      {R"({"listen": [8000]})",
       "listen=8000 (FILE line 1): a number; write a string, or a list of such"},
      {R"({"listen": ["a,b:1"]})",
       "listen=a,b:1 (FILE line 1): not an IP address; names are not looked up, write one such as "
       "127.0.0.1:8000"},
      {R"({"max-memory": true})",
       "max-memory=true (FILE line 1): true or false; write a number or a string"},
      {"{\"max_memory\": 1}",
       "max_memory (FILE line 1): no such setting; did you mean max-memory?"},
      {"{\"--max-memory\": 1}",
       "--max-memory (FILE line 1): no such setting; did you mean max-memory?"},
      {R"({"": 1})", " (FILE line 1): no such setting; --help lists them"},
      {R"({"config": "x"})", "config (FILE line 1): cannot be set there; use the flag --config"},
      {R"({"check": true})", "check (FILE line 1): cannot be set there; use the flag --check"},
      {"{\"workers\": 1,\n\"echo\": \"/\",\n\"workers\": 1}",
       "workers (FILE line 3): given twice, first in line 1; keep one"},
      {"{\"listen\": [],\n\"listen\": []}",
       "listen (FILE line 2): given twice, first in line 1; keep one"},
      {"", "FILE line 1: not a JSON object; write {\"name\": value, …}"},
      {"\n\n ", "FILE line 3: not a JSON object; write {\"name\": value, …}"},
      {"[]", "FILE line 1: not a JSON object; write {\"name\": value, …}"},
      {"\n7", "FILE line 2: not a JSON object; write {\"name\": value, …}"},
      {"null", "FILE line 1: not a JSON object; write {\"name\": value, …}"},
      {"workers = 4", "FILE line 1: not JSON: invalid value"},
      {"{\"workers\": 4\n\"echo\": \"/\"}",
       "FILE line 2: not JSON: missing a comma or '}' after an object member"},
      {"{\"workers\": 4,\n}", "FILE line 2: not JSON: missing a name for object member"},
      {"{\"workers\": 4", "FILE line 1: not JSON: missing a comma or '}' after an object member"},
      {"{workers: 4}", "FILE line 1: not JSON: missing a name for object member"},
      {"{\"workers\" 4}", "FILE line 1: not JSON: missing a colon after a name of object member"},
      {"{\"workers\": 04}", "FILE line 1: not JSON: missing a comma or '}' after an object member"},
      {"{\"listen\": [\"127.0.0.1:1\",]}", "FILE line 1: not JSON: invalid value"},
      {"{\"echo\": \"/\n\"}", "FILE line 1: not JSON: invalid escape character in string"},
      {"{\"echo\": \"/\xFF\"}", "FILE line 1: not JSON: invalid encoding in string"},
      {"{\"echo\": \"\\uD800\"}", "FILE line 1: not JSON: the surrogate pair in string is invalid"},
      {"{} {}", "FILE line 1: not JSON: the document root must not be followed by other values"},
      {"{} // no comments",
       "FILE line 1: not JSON: the document root must not be followed by other values"},
      {"{/* none */}", "FILE line 1: not JSON: missing a name for object member"},
  };
  for (const Row& row : rows) EXPECT_EQ(file_error(row.text), row.line) << row.text;
}

TEST_F(SettingsErrors, ANulByteEndsNoFileEarly) {
  EXPECT_EQ(file_error(std::string_view("{}\n\0{", 5)), "FILE line 2: not JSON: a NUL byte");
}

TEST_F(SettingsErrors, ByteOrderMarkIsPassedOver) {
  file("\xEF\xBB\xBF{\"workers\": 3}");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.workers, 3);
}

TEST_F(SettingsErrors, DeepNestingEndsAtTheSecondLevel) {
  const std::string deep = "{\"listen\": " + std::string(1'000'000, '[');
  EXPECT_EQ(file_error(deep),
            "listen (FILE line 1): a list in a list is no value of a setting; write the items in "
            "one list");
}

TEST_F(SettingsErrors, DeepNestingEndsInsideAnObjectToo) {
  EXPECT_EQ(file_error("{\"workers\": {\"a\": " + std::string(1'000'000, '[')),
            "workers (FILE line 1): nested deeper than 16 levels; take the inner ones out");
  EXPECT_EQ(file_error("{\"workers\": {\"a\":\n" + std::string(16, '[')),
            "workers (FILE line 2): nested deeper than 16 levels; take the inner ones out");
  EXPECT_EQ(
      file_error("{\"workers\": {\"a\":" + std::string(15, '[') + std::string(15, ']') + "}}"),
      "workers={…} (FILE line 1): an object; write a number");
}

TEST_F(SettingsErrors, AcrossSettings) {
  const FlagRow rows[] = {
      {{"--listen=,"}, "--listen= (flag): an empty item; write a value, or leave the item out"},
      {{"--listen="}, "--listen= (flag): no address; write at least one"},
      {{"--listen=127.0.0.1:9,127.0.0.1:9"},
       "--listen=127.0.0.1:9,127.0.0.1:9 (flag): 127.0.0.1:9 and 127.0.0.1:9 cannot both be "
       "bound; keep one, or change it"},
      {{"--listen=:9,[::1]:9"},
       "--listen=:9,[::1]:9 (flag): :9 and [::1]:9 cannot both be bound; keep one, or change it"},
      {{"--listen=:8001"},
       "--internal-listen=127.0.0.1:8001 (default): clashes with the public listener :8001; give "
       "it a place of its own"},
      {{"--listen=proxy::9"},
       "--listen=proxy::9 (flag): proxy::9 is for trusted proxies, and there are none; add their "
       "addresses with --trusted-proxies"},
      {{"--listen=proxy:unix:/x", "--trusted-proxies=::1"},
       "--listen=proxy:unix:/x (flag): proxy:unix:/x is for trusted proxies, and there are none; "
       "add --trusted-proxies unix"},
      {{"--listen=tls:unix:/x", "--internal-listen=unix:/x"},
       "--internal-listen=unix:/x (flag): clashes with the public listener tls:unix:/x; give it a "
       "place of its own"},
      {{"--max-message-bytes=2M"},
       "--outbox-bytes=1M (default): smaller than --max-message-bytes=2M (flag), so that no such "
       "message could be sent; raise it"},
      {{"--max-memory=512K", "--outbox-bytes=64K", "--max-message-bytes=1K"}, nullptr},
      {{"--max-memory=512K"},
       "--outbox-bytes=1M (default): larger than --max-memory=512K (flag) as a whole; lower it, or "
       "raise that"},
      {{"--ping-interval-ms=5000"},
       "--pong-timeout-ms=10000 (default): longer than --ping-interval-ms=5000 (flag); lower it, "
       "or raise that"},
      {{"--ping-interval-ms=0"}, nullptr},
      {{"--stall-ms=1999"},
       "--stall-ms=1999 (flag): an idle worker turns once a second; write 0 for never, or at "
       "least 2000"},
      {{"--stall-ms=0"}, nullptr},
      {{"--read-ring-bytes=100000"},
       "--read-ring-bytes=100000 (flag): not a power of two and a multiple of the page size "
       "(4096); write 128K"},
      {{"--read-ring-bytes=4096"}, nullptr},
  };
  for (const FlagRow& row : rows) {
    if (row.line != nullptr) {
      EXPECT_EQ(error(row.arguments), row.line);
    } else {
      EXPECT_TRUE(parse(row.arguments).run()) << row.arguments[0];
      reset();
    }
  }
}

}  // namespace
}  // namespace spate::handlers
