#include "handlers/hub/bus_message.h"

namespace spate::handlers::hub {

// --- Writing.

BusWriter& BusWriter::texts(std::span<const std::string_view> texts) {
  number(static_cast<std::uint32_t>(texts.size()));
  for (const std::string_view each : texts) text(each);
  return *this;
}

BusWriter& BusWriter::position(const StreamPosition& position) {
  return number(position.offset).number(position.epoch.packed());
}

BusWriter& BusWriter::policy(const HistoryPolicy& policy) {
  return number(policy.size).number(policy.ttl_ms).number(policy.meta_ttl_ms);
}

BusWriter& BusWriter::info(const ClientInfo& info) {
  return text(info.user).text(info.client).text(info.conn_info).text(info.chan_info);
}

BusWriter& BusWriter::publication(const Publication& publication) {
  text(publication.data).number(publication.offset);
  number(static_cast<std::uint8_t>(publication.info.has_value()));
  if (publication.info) info(*publication.info);
  number(static_cast<std::uint32_t>(publication.tags.size()));
  for (const Tag& tag : publication.tags) text(tag.key).text(tag.value);
  return *this;
}

void write_publish(BusWriter& writer, const PublishRequest& request) {
  writer.text(request.channel)
      .publication(request.publication)
      .policy(request.history)
      .text(request.idempotency_key)
      .number(request.version)
      .text(request.version_epoch)
      .texts(request.exclude_users)
      .texts(request.exclude_clients);
}

void write_history(BusWriter& writer, const HistoryRequest& request) {
  writer.text(request.channel)
      .policy(request.history)
      .number(request.limit)
      .number(static_cast<std::uint8_t>(request.since.has_value()))
      .position(request.since.value_or(StreamPosition{}))
      .number(static_cast<std::uint8_t>(request.reverse));
}

// --- Reading.

std::string_view BusParser::text() {
  const auto bytes = number<std::uint32_t>();
  if (bytes > rest_.size()) {
    fail();
    return {};
  }
  const std::string_view text = as_text(rest_.first(bytes));
  rest_ = rest_.subspan(bytes);
  return text;
}

void BusParser::texts(std::vector<std::string_view>& out) {
  out.clear();
  for (auto left = number<std::uint32_t>(); left > 0 && ok_; --left) out.push_back(text());
}

StreamPosition BusParser::position() {
  StreamPosition position;
  position.offset = number<std::uint64_t>();
  position.epoch = Epoch::of_packed(number<std::uint64_t>());
  return position;
}

HistoryPolicy BusParser::policy() {
  HistoryPolicy policy;
  policy.size = number<std::uint32_t>();
  policy.ttl_ms = number<std::int64_t>();
  policy.meta_ttl_ms = number<std::int64_t>();
  return policy;
}

ClientInfo BusParser::info() {
  ClientInfo info;
  info.user = text();
  info.client = text();
  info.conn_info = text();
  info.chan_info = text();
  return info;
}

Publication BusParser::publication(std::vector<Tag>& tags) {
  Publication publication;
  publication.data = text();
  publication.offset = number<std::uint64_t>();
  if (number<std::uint8_t>() != 0) publication.info = info();
  tags.clear();
  for (auto left = number<std::uint32_t>(); left > 0 && ok_; --left) {
    Tag& tag = tags.emplace_back();
    tag.key = text();
    tag.value = text();
  }
  publication.tags = tags;
  return publication;
}

PublishRequest parse_publish(BusParser& parser, BusLists& lists) {
  PublishRequest request;
  request.channel = parser.text();
  request.publication = parser.publication(lists.tags);
  request.history = parser.policy();
  request.idempotency_key = parser.text();
  request.version = parser.number<std::uint64_t>();
  request.version_epoch = parser.text();
  parser.texts(lists.exclude_users);
  parser.texts(lists.exclude_clients);
  request.exclude_users = lists.exclude_users;
  request.exclude_clients = lists.exclude_clients;
  return request;
}

HistoryRequest parse_history(BusParser& parser) {
  HistoryRequest request;
  request.channel = parser.text();
  request.history = parser.policy();
  request.limit = parser.number<std::int64_t>();
  const bool since = parser.number<std::uint8_t>() != 0;
  const StreamPosition position = parser.position();
  if (since) request.since = position;
  request.reverse = parser.number<std::uint8_t>() != 0;
  return request;
}

}  // namespace spate::handlers::hub
