#include "handlers/http/http_protocol.h"

#include <array>
#include <deque>
#include <utility>

#include "codec/http_response.h"
#include "codec/http_syntax.h"
#include "core/log.h"
#include "core/sys.h"

namespace spate::handlers {

using core::Connection;
using core::Kept;
using core::Tick;

namespace {

bool lists(std::string_view list, std::string_view element) {
  while (!list.empty())
    if (codec::next_list_element(list) == element) return true;
  return false;
}

}  // namespace

struct HttpProtocol::Owed {
  struct Entry {
    HttpReply reply;
    Form form;
  };
  ~Owed() {
    for (const Entry& entry : entries)
      if (entry.reply.later != nullptr) entry.reply.later->when_given(nullptr);
  }

  std::deque<Entry> entries;
  bool paused = false;
  bool over = false;  // nothing more is answered behind these
};

HttpProtocol::HttpProtocol(core::ConnectionTable& table, const Routes& routes,
                           const HttpOptions& options)
    : table_(table),
      routes_(routes),
      options_(options),
      allowed_origins_(options_.allowed_origins.begin(), options_.allowed_origins.end()),
      subprotocols_(options_.subprotocols.begin(), options_.subprotocols.end()),
      metrics_(options.metrics) {}

void HttpProtocol::on_open(Connection& connection) {
  // A peer that pipelines requests and reads no replies is not read either.
  connection.rests_on_backlog = true;
  expect_request(connection);
}

Kept HttpProtocol::on_bytes(Connection& connection, const core::ReceiveWindow& window) {
  auto& half = *std::launder(reinterpret_cast<HalfRequest*>(window.state));
  Bytes rest = window.bytes;
  if (owes(connection) && connection.data<Data>().owed->over) return {};
  while (!rest.empty()) {
    if (half.head_bytes == 0) {
      const Progress head = take_head(connection, rest, half);
      if (head == Progress::over) return {};
      if (head == Progress::need_more)
        return {.bytes = rest, .wanted_bytes = rest.size(), .state = true};
      if (connection.protocol != this) {
        rest = rest.subspan(half.head_bytes);
        std::memset(window.state, 0, core::kProtocolStateBytes);
        if (rest.empty() || connection.stage != core::Stage::open) return {};
        return connection.protocol->on_bytes(connection,
                                             {rest, rest.size(), window.floor, window.state});
      }
    }
    Bytes request = rest;
    const Progress body = take_body(connection, request, half);
    if (body == Progress::over) return {};
    if (body == Progress::need_more)
      return {.bytes = request, .wanted_bytes = 2 * request.size(), .state = true};
    rest = rest.subspan(static_cast<std::size_t>(request.data() + request.size() - rest.data()));
    respond(connection, as_text(request).substr(half.head_bytes, half.body.content_bytes()));
    half = {};
    if (connection.stage != core::Stage::open) return {};
    if (owes(connection)) {
      const Owed& owed = *connection.data<Data>().owed;
      if (owed.over) return {};
      if (owed.paused) return {.bytes = rest, .wanted_bytes = rest.size(), .state = true};
    }
    if (table_.unsent_bytes(connection) > kMaxUnsentBytes && !table_.flush_now(connection))
      return {.bytes = rest, .wanted_bytes = rest.size(), .state = true};
  }
  return {};
}

// The head at the front of `unread`. Whole: it is in head_, and its endpoint takes it; or the
// connection was upgraded.
HttpProtocol::Progress HttpProtocol::take_head(Connection& connection, Bytes unread,
                                               HalfRequest& half) {
  const codec::HttpHeadResult result =
      codec::parse_http_head(unread, options_.limits, head_, half.scanned);
  if (result.status == codec::HttpParse::need_more) {
    half.scanned = result.scanned;
    connection.data<Data>().in_head = true;
    return Progress::need_more;
  }
  if (result.status == codec::HttpParse::bad) {
    head_.header_count = 0;
    refuse(connection, refusal_of(result.error));
    return Progress::over;
  }
  half.head_bytes = static_cast<std::uint32_t>(result.consumed);
  const Route* const route = routes_.find(head_.path);
  if (route != nullptr && route->session != nullptr &&
      (head_.upgrade_websocket || route->http == nullptr)) {
    if (owes(connection)) {
      refuse(connection, refusal_by_endpoint(400, "Upgrade when all requests are answered."));
      return Progress::over;
    }
    return upgrade(connection, *route) != nullptr ? Progress::whole : Progress::over;
  }
  return admit_request(connection, route, half) ? Progress::whole : Progress::over;
}

// Everything that can be said before the body comes.
bool HttpProtocol::admit_request(Connection& connection, const Route* route, HalfRequest& half) {
  // OPTIONS * asks about the server as a whole (RFC 9110 §9.3.7).
  const bool whole_server = head_.path == "*";
  if (route == nullptr && !whole_server) {
    refuse(connection, kNotFound);
    return false;
  }
  std::string_view methods = "GET, HEAD";
  std::uint64_t max_body = 0;
  if (!whole_server && !route->guard->run([&] {
        methods = route->http->methods();
        max_body = route->http->max_body_bytes();
      })) {
    refuse(connection, kEndpointFailed);
    return false;
  }
  if (!whole_server && !lists(methods, head_.method)) {
    refuse(connection, kMethodNotAllowed, methods);
    return false;
  }
  const codec::HttpError error = half.body.start(head_, {.max_body_bytes = max_body});
  if (error != codec::HttpError::none) {
    refuse(connection, refusal_of(error));
    return false;
  }
  Data& data = connection.data<Data>();
  data.in_head = false;
  data.in_body = true;
  data.began = table_.now();
  table_.arm(connection, data.began + options_.handshake_timeout);
  if (head_.expect_continue && head_.body != codec::HttpBodyFraming::none)
    table_.write(connection, as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
  return true;
}

// Decodes what has come of the body down to the end of what was decoded before. `request` becomes
// head and body, and, when whole, ends where the next request begins.
HttpProtocol::Progress HttpProtocol::take_body(Connection& connection, Bytes& request,
                                               HalfRequest& half) {
  const std::size_t kept = half.head_bytes + half.body.content_bytes();
  std::byte* to = request.data() + kept;
  Bytes unread = request.subspan(kept);
  for (;;) {
    const codec::HttpBodyResult result = half.body.next(unread);
    if (result.status == codec::HttpBodyStatus::data) {
      std::memmove(to, result.data.data(), result.data.size());
      to += result.data.size();
    }
    unread = unread.subspan(result.consumed);
    switch (result.status) {
      case codec::HttpBodyStatus::data:
        break;
      case codec::HttpBodyStatus::need_more:
        request = {request.data(), to};
        return Progress::need_more;
      case codec::HttpBodyStatus::done:
        read_head_again(request.first(half.head_bytes));
        request = {request.data(), unread.data()};
        return Progress::whole;
      case codec::HttpBodyStatus::bad:
        read_head_again(request.first(half.head_bytes));
        refuse(connection, refusal_of(result.error));
        return Progress::over;
    }
  }
}

// It may have been read in an earlier window, which its views died with; since then head_ has also
// held the heads of others.
void HttpProtocol::read_head_again(Bytes head) {
  const codec::HttpHeadResult again = codec::parse_http_head(head, options_.limits, head_);
  SPATE_CHECK(again.status == codec::HttpParse::ok);
}

// Checks the handshake and everything that may refuse it, in the order of what a client can mend
// first.
Session* HttpProtocol::upgrade(Connection& connection, const Route& route) {
  codec::Handshake handshake;
  codec::HandshakeError error = codec::check_handshake(head_, handshake);
  if (error == codec::HandshakeError::none)
    error = codec::check_origin(head_, handshake, allowed_origins_);
  if (error != codec::HandshakeError::none) {
    refuse(connection, refusal_of(error));
    return nullptr;
  }
  Admission admission;
  const UpgradeRequest request{head_, handshake, peer_of_request(connection)};
  if (!route.guard->run([&] { admission = route.websocket->admit(request); })) {
    refuse(connection, kEndpointFailed);
    return nullptr;
  }
  if (!admission.accepted()) {
    refuse(connection, refusal_by_endpoint(admission.status, admission.remedy));
    return nullptr;
  }
  const std::string_view subprotocol =
      !admission.subprotocol.empty() ? admission.subprotocol
                                     : codec::select_subprotocol(handshake.offers, subprotocols_);
  std::optional<codec::DeflateAgreement> deflate;
  if (route.deflated != nullptr) deflate = route.deflated->negotiate(handshake.extensions);
  std::array<std::byte,
             codec::kHandshakeResponseBytes + 256 + codec::DeflateAgreement::kMaxTextBytes>
      response;
  const std::size_t bytes = codec::write_handshake_response(
      response, handshake, subprotocol, deflate ? deflate->text() : std::string_view());
  SPATE_CHECK(bytes > 0);
  table_.write(connection, {response.data(), bytes});
  count_answer(101);
  if (core::log::enabled(core::log::Level::debug))
    core::log::debug("{peer} upgraded at {path}",
                     {{"peer", peer_of_request(connection)().text()}, {"path", head_.path}});
  if (deflate)
    route.deflated->adopt(connection, deflate->terms());
  else
    route.session->adopt(connection);
  return route.session.get();
}

void HttpProtocol::respond(Connection& connection, std::string_view body) {
  HttpReply reply{.status = 204};
  if (const Route* const route = head_.path != "*" ? routes_.find(head_.path) : nullptr) {
    const HttpRequest request{head_, body, peer_of_request(connection)};
    if (!route->guard->run([&] { reply = route->http->on_request(request); }))
      return refuse(connection, kEndpointFailed);
  }
  if (reply.later != nullptr && reply.later->given())
    reply = HttpReply(std::move(reply.later->reply()));
  const Form form{head_.method == "HEAD", head_.method == "OPTIONS", head_.keep_alive};
  if (reply.later != nullptr || owes(connection)) return owe(connection, std::move(reply), form);
  write_reply(connection, reply, form);
}

void HttpProtocol::write_reply(Connection& connection, const HttpReply& reply, const Form& form) {
  const bool has_content = reply.status != 204;
  reply_.resize(512 + reply.content_type.size() + reply.body.size());
  const Bytes room{reinterpret_cast<std::byte*>(reply_.data()), reply_.size()};
  codec::HttpResponseWriter response(room, reply.status);
  if (has_content)
    response.header("Content-Type", reply.content_type).content_length(reply.body.size());
  if (form.options) response.header("Allow", "GET, HEAD");
  response.date(date()).connection(form.keep_alive);
  if (has_content && !form.head_only) response.body(reply.body);
  const std::size_t bytes = response.finish();
  SPATE_CHECK(bytes > 0);
  count_answer(reply.status);
  table_.write(connection, room.first(bytes));
  if (!form.keep_alive) return table_.finish(connection);
  expect_request(connection);
}

// --- Answers that come later.

bool HttpProtocol::owes(Connection& connection) const {
  return connection.protocol == this && connection.data<Data>().owed != nullptr;
}

void HttpProtocol::owe(Connection& connection, HttpReply reply, const Form& form) {
  Data& data = connection.data<Data>();
  if (data.owed == nullptr) data.owed = new Owed;
  Owed& owed = *data.owed;
  if (reply.later != nullptr)
    reply.later->when_given(
        [this, &connection] { table_.with(connection, [&] { pay(connection); }); });
  owed.entries.push_back({std::move(reply), form});
  owed.over = !form.keep_alive;
  data.in_body = false;
  table_.disarm(connection);
  if (owed.entries.size() < kMaxOwed || owed.paused) return;
  owed.paused = true;
  table_.pause_reading(connection);
}

// What has come, as far as it is in order and the peer takes it.
void HttpProtocol::pay(Connection& connection) {
  while (connection.stage == core::Stage::open && owes(connection)) {
    if (table_.unsent_bytes(connection) > kMaxUnsentBytes && !table_.flush_now(connection)) break;
    Owed& owed = *connection.data<Data>().owed;
    Owed::Entry& next = owed.entries.front();
    if (next.reply.later != nullptr && !next.reply.later->given()) break;
    const HttpReply reply =
        next.reply.later != nullptr ? std::move(next.reply.later->reply()) : std::move(next.reply);
    const Form form = next.form;
    owed.entries.pop_front();
    const bool resumes = owed.paused && owed.entries.size() < kMaxOwed / 2;
    const bool over = owed.over;
    if (resumes) owed.paused = false;
    if (owed.entries.empty()) {
      delete &owed;
      connection.data<Data>().owed = nullptr;
    }
    write_reply(connection, reply,
                {form.head_only, form.options, form.keep_alive && !(over && !owes(connection))});
    if (connection.stage != core::Stage::open) return;
    if (owes(connection)) table_.disarm(connection);
    if (!resumes) continue;
    table_.resume_reading(connection);
    table_.replay(connection);
  }
}

void HttpProtocol::refuse(Connection& connection, const Refusal& refusal, std::string_view allow) {
  const auto [reason, status, remedy] = refusal;
  metrics_->refusals[reason].add();
  if (!owes(connection)) count_answer(status);
  core::log::limited(
      core::log::Level::info, remedy, "refused a request of {peer} with {status}: {remedy}",
      {{"peer", peer_of_request(connection)().text()}, {"status", status}, {"remedy", remedy}});
  std::array<std::byte, codec::kRefusalBytes + 512> response;
  const std::size_t bytes = codec::write_refusal(response, {.status = status,
                                                            .remedy = remedy,
                                                            .head_only = head_.method == "HEAD",
                                                            .allow = allow.empty() ? "GET" : allow,
                                                            .date = date()});
  SPATE_CHECK(bytes > 0);
  if (owes(connection)) {
    // In its turn, and then no more.
    const Form form{head_.method == "HEAD", false, false};
    return owe(connection, {.status = status, .body = std::string(remedy) + "\n"}, form);
  }
  table_.write(connection, {response.data(), bytes});
  table_.finish(connection);
}

void HttpProtocol::count_answer(int status) {
  SPATE_CHECK(status >= 100 && status <= 599);
  metrics_->requests[static_cast<std::size_t>(status / 100 - 1)].add();
}

// Of a request that did not come whole: what head_ holds is another's, or has died.
void HttpProtocol::forget_head() {
  head_.method = {};
  head_.header_count = 0;
}

void HttpProtocol::expect_request(Connection& connection) {
  Data& data = connection.data<Data>();
  data.began = table_.now();
  data.in_head = data.in_body = false;
  table_.arm(connection, deadline(connection));
}

Tick HttpProtocol::deadline(const Connection& connection) const {
  const Data& data = connection.data<Data>();
  Tick deadline = data.began + options_.handshake_timeout;
  if (data.in_body && connection.hold != nullptr) {
    const auto& half =
        *std::launder(reinterpret_cast<const HalfRequest*>(connection.hold->state.data()));
    deadline += core::ticks_of_ms(half.body.content_bytes() / kMinBodyRate * 1000);
  }
  return deadline;
}

// Made once a second (RFC 9110 §6.6.1).
std::string_view HttpProtocol::date() {
  if (date_.empty() || table_.now() - date_tick_ >= core::ticks_of_ms(1000)) {
    const auto text = codec::http_date(core::sys::wall_seconds());
    date_.assign(text.data(), text.size());
    date_tick_ = table_.now();
  }
  return date_;
}

// What is owed is still answered.
void HttpProtocol::on_end(Connection& connection) {
  if (!owes(connection)) return table_.finish(connection);
  connection.data<Data>().owed->over = true;
}

void HttpProtocol::on_keep_refused(Connection& connection) {
  forget_head();
  refuse(connection, kShortOfMemory);
}

void HttpProtocol::on_overflow(Connection& connection) {
  table_.abort(connection);
}

// Replies, and requests, that were held back while others waited.
void HttpProtocol::on_drained(Connection& connection) {
  if (!owes(connection)) expect_request(connection);
  table_.with(connection, [&] { pay(connection); });
  table_.replay(connection);
}

Tick HttpProtocol::on_timer(Connection& connection, Tick now) {
  if (connection.backlog != nullptr) return core::kNoDeadline;  // it is not read meanwhile
  if (owes(connection) && !connection.data<Data>().in_head) return core::kNoDeadline;
  const Tick due = deadline(connection);
  if (static_cast<std::int32_t>(now - due) < 0) return due;
  const Data& data = connection.data<Data>();
  metrics_->timeouts.add();
  forget_head();
  if (data.in_head || data.in_body)
    refuse(connection, kRequestTimeout);
  else
    table_.finish(connection);  // nothing was asked
  return core::kNoDeadline;
}

void HttpProtocol::on_leave(Connection& connection) {
  if (!owes(connection)) return table_.finish(connection);
  connection.data<Data>().owed->over = true;
}

void HttpProtocol::on_close(Connection& connection, core::CloseCause) {
  delete std::exchange(connection.data<Data>().owed, nullptr);
}

void RefusalProtocol::on_open(Connection& connection) {
  std::array<std::byte, codec::kRefusalBytes> response;
  const std::size_t bytes = codec::write_refusal(
      response, {.status = 503, .remedy = "The server is full: try again later."});
  table_.write(connection, {response.data(), bytes});
  table_.finish(connection);
}

}  // namespace spate::handlers
