// What rows of permessage-deflate are made of.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/deflate.h"
#include "tests/conformance/request.h"

namespace spate::tests {

inline const std::string kName = "permessage-deflate";
inline const std::string kShared =
    kName + "; server_no_context_takeover; client_no_context_takeover";

inline std::string compressed_frame(std::string payload, std::uint8_t opcode = kText,
                                    bool fin = true, std::size_t key = 3) {
  return build_frame({.fin = fin,
                      .rsv1 = true,
                      .opcode = opcode,
                      .payload = std::move(payload),
                      .masking_key = key_of(key)});
}

inline Message compressed(std::string payload, std::uint8_t opcode = kText) {
  return {opcode, std::move(payload), true};
}
inline Message plain(std::string payload, std::uint8_t opcode = kText) {
  return {opcode, std::move(payload), false};
}

// Text that compresses.
inline std::string words(std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; out.size() < bytes; ++i) out += "word " + std::to_string(i % 50) + ", ";
  out.resize(bytes);
  return out;
}

inline Handshake offering(const std::vector<std::string>& lines, std::string answer) {
  Request request;
  for (const std::string& line : lines) request = request.with("Sec-WebSocket-Extensions", line);
  return {.request = request.bytes(), .extensions = std::move(answer)};
}

inline Handshake shared() {
  return offering({kName}, kShared);
}

inline void add_deflate_row(Table& table, const std::string& name, const std::string& clause,
                            std::function<Case()> script) {
  table.add(
      "deflate/" + name, clause,
      [script] {
        Case out = script();
        out.handshake = shared();
        return out;
      },
      kDeflate);
}

}  // namespace spate::tests
