// Who is online, in the log: a record from the first connection to the word that the last has gone.
//
//   comes   record · told to others · marked as told
//   goes    marked as not told · told to others · record dies
//
// Killed in between, the next broker finds somebody whom others may or may not have heard of, and
// says it once more: a status may be told twice, and never not at all. Without room for the record
// it is told just the same, and then only this broker knows.
#include "handlers/hub/log_broker.h"

namespace spate::handlers::hub {

void LogBroker::on_user_status(std::string_view user, std::string_view client, bool online) {
  if (!online) {
    if (const core::LogPlace* const place = users_.place_of(user);
        place != nullptr && *place != core::kNoPlace)
      log_.shrink(*place, raw(RecordMark::none), user_bytes(user));
    sink_.on_user_status(user, client, false);
    core::LogPlace* const place = users_.place_of(user);
    if (place == nullptr || *place == core::kNoPlace) return;
    log_.kill(std::exchange(*place, core::kNoPlace));
    return;
  }
  const std::size_t bytes = user_bytes(user);
  if (core::LogPlace* const place = users_.place_of(user);
      *place == core::kNoPlace && find_room(bytes)) {
    encode_user(log_.stage(raw(RecordKind::user), bytes, place),
                {user, users_.status(user).since_ms});
    log_.commit();
  }
  sink_.on_user_status(user, client, true);
  // Whoever was told may have made others come or go.
  const core::LogPlace* const place = users_.place_of(user);
  if (place != nullptr && *place != core::kNoPlace)
    log_.shrink(*place, raw(RecordMark::told), bytes);
}

void LogBroker::copy_user_forward(const core::RecordLog::Record& record, std::string_view name) {
  core::LogPlace* const of_user = users_.place_of(name);
  SPATE_CHECK(of_user != nullptr && *of_user == record.place);
  std::byte* const to = log_.stage(record.kind, record.payload.size(), of_user);
  std::memcpy(to, record.payload.data(), record.payload.size());
  if (record.mark != 0) log_.shrink(*of_user, record.mark, record.payload.size());
}

}  // namespace spate::handlers::hub
