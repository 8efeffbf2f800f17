#include "tools/spate-bench/preset.h"

namespace spate::bench {

namespace {

FrameTemplate frame(const char* text) {
  std::string wrong;
  return *FrameTemplate::parse(text, wrong);
}

// The Centrifuge client protocol in JSON. Ids are above 0, and no two of a connection the same:
// connect has 1, what else it asks for a number with a 1 in front of it.
void speak_centrifuge(Options& options) {
  options.opcode = Opcode::text;
  const FrameTemplate connect = frame(R"({"id":1,"connect":{}})");
  if (options.publisher_frames.empty()) options.publisher_frames = {connect};
  if (options.subscribe_frames.empty()) {
    options.subscribe_frames = {
        connect, frame(R"({"id":1{{channel}},"subscribe":{"channel":"bench:{{channel}}"}})")};
    if (options.ready_when.empty()) options.ready_when = R"("subscribe":{)";
  }
  if (options.publish_frame.empty())
    options.publish_frame = frame(
        R"({"id":1{{number}},"publish":{"channel":"bench:{{channel}}","data":"{{payload}}"}})");
  if (options.app_ping.empty()) options.app_ping = options.app_pong = "{}";
  if (options.offset_mark.empty()) options.offset_mark = R"("offset":)";
}

}  // namespace

void speak(Options& options) {
  if (options.protocol == Speaks::centrifuge) speak_centrifuge(options);
  if (options.publish_frame.empty()) options.publish_frame = frame("{{payload}}");
}

}  // namespace spate::bench
