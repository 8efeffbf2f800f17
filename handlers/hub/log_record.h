// What a LogBroker's records look like inside.
//
//   publication   stream · [key] · data · [info] · tags · [exclude_users · exclude_clients]
//   state         stream · used                      a stream of which no publication says it all
//   result        key · time · position              what a request with an idempotency key came to
//   user          since · name                       who is online; until the last word of that
//
//   stream        fixed part · [version] · channel
//
// A publication may be marked, once it has left the history: it may still tell of its stream, or of
// nothing but its key. A user's record is marked when others have been told.
//
// Host byte order: no record outlives the machine's boot. Encoding makes exactly the bytes that
// *_bytes() tells; decoding gives views into the record and never reads outside of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base.h"
#include "core/record_log.h"
#include "handlers/hub/broker.h"

namespace spate::handlers::hub {

enum class RecordKind : core::RecordLog::Kind { publication = 1, state, result, user };
enum class RecordMark : core::RecordLog::Mark { none = 0, not_kept, only_key, told };
constexpr core::RecordLog::Kind raw(RecordKind kind) {
  return static_cast<core::RecordLog::Kind>(kind);
}
constexpr core::RecordLog::Mark raw(RecordMark mark) {
  return static_cast<core::RecordLog::Mark>(mark);
}

// A stream as of one record. Where several records tell of one incarnation, the greatest of each
// number holds; version and policy are those of the greatest offset.
struct StreamRecord {
  std::string_view channel;
  std::uint64_t born = 0;  // the log's head when this incarnation began: the later one holds
  Epoch epoch;
  std::uint64_t offset = 0;       // of this publication, or the top
  std::uint64_t kept_from = 1;    // the oldest offset that is kept; above the top: none
  std::int64_t published_ms = 0;  // monotonic, of the last publication
  std::int64_t ttl_ms = 0;
  std::int64_t meta_ttl_ms = 0;
  std::uint64_t version = 0;  // the last that was given
  std::uint64_t version_epoch_hash = 0;

  StreamPosition position() const { return {offset, epoch}; }
};

using KeyHash = core::Hash128;

struct ResultRecord {
  KeyHash key{};
  std::int64_t time_ms = 0;  // monotonic
  StreamPosition position;
};

// A publication record, without what stands in lists.
struct PublicationRecord {
  StreamRecord stream;
  std::optional<KeyHash> key;
};

struct UserRecord {
  std::string_view name;
  std::int64_t since_ms = 0;  // wall time
};

// What a record says of its stream and its key, or of a user: all that an index needs.
struct DecodedRecord {
  RecordKind kind = RecordKind::result;
  RecordMark mark = RecordMark::none;
  StreamRecord stream;  // of a publication or a state
  std::int64_t used_ms = 0;
  std::optional<ResultRecord> result;  // of a result, or of a publication with a key
  UserRecord user;

  bool of_stream() const {
    return (kind == RecordKind::publication && mark != RecordMark::only_key) ||
           kind == RecordKind::state;
  }
  bool of_history() const { return kind == RecordKind::publication && mark == RecordMark::none; }
};

// What is known of a stream's record before the stream is: the channel and the policy's times.
StreamRecord blank_record(std::string_view channel, const HistoryPolicy& policy);
// What a version takes, which a record may turn out to have.
inline constexpr std::size_t kVersionBytes = 16;

KeyHash key_of(const core::HashKey& salt, std::string_view channel, std::string_view key);

std::size_t publication_bytes(const PublicationRecord& record, const PublishRequest& request);
void encode_publication(std::byte* to, const PublicationRecord& record,
                        const PublishRequest& request);
std::size_t state_bytes(const StreamRecord& record);
void encode_state(std::byte* to, const StreamRecord& record, std::int64_t used_ms);
std::size_t result_bytes();
void encode_result(std::byte* to, const ResultRecord& record);
std::size_t user_bytes(std::string_view name);
void encode_user(std::byte* to, const UserRecord& record);

// Nothing: the record is damaged.
std::optional<DecodedRecord> decode(const core::RecordLog::Record& record);
// The channel of a publication or state; empty in a damaged one.
std::string_view channel_of(const core::RecordLog::Record& record);

// Publications out of their records, with the lists that they point into. Cleared, it keeps its
// memory for the next time.
class PublicationReader {
 public:
  // False: the record is damaged.
  bool add(const core::RecordLog::Record& record);
  // All that were added, in that order; as long as nothing more is, and the records live.
  std::span<const KeptPublication> finish();
  void clear();

 private:
  struct Lists {
    std::size_t tags;
    std::size_t users;
    std::size_t clients;
  };
  std::vector<KeptPublication> publications_;
  std::vector<Lists> lists_;  // how many of each publication's
  std::vector<Tag> tags_;
  std::vector<std::string_view> excluded_;  // each publication's users, then its clients
};

}  // namespace spate::handlers::hub
