// A DeflatedSession over a MemoryLoop, and a client that compresses and inflates.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "handlers/deflated_session.h"
#include "tests/handlers/session_fixture.h"

namespace spate::test {

inline std::string json(std::size_t bytes, unsigned seed = 1) {
  std::string out;
  for (unsigned i = seed; out.size() < bytes; i = i * 7 + 3)
    out += "{\"id\":" + std::to_string(i % 1000) + ",\"name\":\"user\"},";
  out.resize(bytes);
  return out;
}

inline std::string noise(std::size_t bytes) {
  std::string out(bytes, '\0');
  std::uint32_t state = 99;
  for (char& c : out) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

// A frame that came compressed says so; its payload is inflated.
struct Received {
  codec::Opcode opcode;
  std::string payload;
  bool compressed;

  bool operator==(const Received&) const = default;
};
inline void PrintTo(const Received& frame, std::ostream* out) {
  *out << static_cast<int>(frame.opcode) << (frame.compressed ? "z:" : ":")
       << frame.payload.substr(0, 40) << "(" << frame.payload.size() << ")";
}
inline Received compressed(std::string payload, codec::Opcode opcode = codec::Opcode::text) {
  return {opcode, std::move(payload), true};
}
inline Received plain(std::string payload, codec::Opcode opcode = codec::Opcode::text) {
  return {opcode, std::move(payload), false};
}

// A client's two contexts, which it keeps or not.
class Peer {
 public:
  explicit Peer(bool keeps = false, int window_bits = 15) : keeps_(keeps) {
    EXPECT_TRUE(deflater_.open(memory_, window_bits, 6));
    EXPECT_TRUE(inflater_.open(memory_, window_bits));
  }

  std::string deflate(const std::string& message) {
    if (!keeps_) deflater_.forget();
    std::string out(message.size() * 2 + 64, '\0');
    out.resize(deflater_.compress(as_bytes(message),
                                  {reinterpret_cast<std::byte*>(out.data()), out.size()}));
    return out;
  }
  std::string frame(const std::string& message, codec::Opcode opcode = codec::Opcode::text) {
    return Frames().raw(0xC0u | static_cast<unsigned>(opcode), deflate(message));
  }

  std::vector<Received> read(std::string wire) {
    std::vector<bool> rsv1;
    for (std::size_t at = 0; at + 1 < wire.size();) {
      rsv1.push_back((wire[at] & 0x40) != 0);
      wire[at] = static_cast<char>(wire[at] & ~0x40);
      std::size_t bytes = static_cast<unsigned char>(wire[at + 1]), header = 2;
      if (bytes >= 126) {
        const std::size_t extended = bytes == 126 ? 2 : 8;
        bytes = 0;
        for (std::size_t i = 0; i < extended; ++i)
          bytes = bytes << 8 | static_cast<unsigned char>(wire[at + 2 + i]);
        header += extended;
      }
      at += header + bytes;
    }
    std::vector<Received> received;
    for (const Frame& frame : frames_of(wire)) {
      const bool is_compressed = rsv1[received.size()];
      received.push_back(
          {frame.opcode, is_compressed ? inflate(frame.payload) : frame.payload, is_compressed});
    }
    return received;
  }

 private:
  std::string inflate(const std::string& payload) {
    if (!keeps_) inflater_.forget();
    std::string out(1 << 20, '\0');
    inflater_.start(as_bytes(payload), out.size());
    const auto [status, bytes] =
        inflater_.next({reinterpret_cast<std::byte*>(out.data()), out.size()});
    EXPECT_EQ(status, codec::InflateStatus::done);
    out.resize(bytes);
    return out;
  }

  const bool keeps_;
  codec::ZlibMemory memory_;
  codec::Deflater deflater_;
  codec::Inflater inflater_;
};

class DeflatedFixture : public SessionFixture {
 protected:
  Wire& connect(const codec::DeflateTerms& wanted = {}) {
    if (!loop) {
      table_options.read_ring_bytes = 64 * 1024;
      options.max_message_bytes = session_options.rules.max_message_bytes;
      deflation.emplace(options);
      session_options.deflation = &*deflation;
      loop.emplace(table_options);
      session = std::make_unique<handlers::DeflatedSession>(loop->table, handler, session_options);
    }
    terms = wanted;
    opener.session = &deflated();
    opener.terms = &terms;
    return loop->connect(opener);
  }
  handlers::DeflatedSession& deflated() {
    return static_cast<handlers::DeflatedSession&>(*session);
  }
  const handlers::DeflateMetrics& counted() { return deflation->metrics(); }

  // What the opening handshake does.
  struct Opener final : core::Protocol {
    handlers::DeflatedSession* session = nullptr;
    const codec::DeflateTerms* terms = nullptr;
    void on_open(core::Connection& connection) override { session->adopt(connection, *terms); }
    core::Kept on_bytes(core::Connection&, const core::ReceiveWindow&) override { return {}; }
    void on_end(core::Connection&) override {}
    void on_keep_refused(core::Connection&) override {}
    void on_overflow(core::Connection&) override {}
    void on_drained(core::Connection&) override {}
    core::Tick on_timer(core::Connection&, core::Tick) override { return core::kNoDeadline; }
    void on_leave(core::Connection&) override {}
    void on_close(core::Connection&, core::CloseCause) override {}
  };

  ~DeflatedFixture() override {
    loop.reset();
    if (!deflation) return;
    EXPECT_EQ(counted().connections, 0u);
    EXPECT_EQ(counted().memory[1], 0u) << "a context outlived its connection";
  }

  handlers::DeflateOptions options{.min_bytes = 32};
  codec::DeflateTerms terms;
  Opener opener;
  std::optional<handlers::Deflation> deflation;
};

}  // namespace spate::test
