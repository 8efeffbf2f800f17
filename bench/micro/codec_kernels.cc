// The byte kernels of codec/, each at several sizes, with memcpy and OpenSSL beside them, and the
// budgets as medians of ratios (`budget/…`).
//
//   unmask/<kernel>/<bytes>         in place, as a large echo is answered
//   unmask_moved/<kernel>/<bytes>   four bytes further down, as a small echo is answered
//   unmask_pipelined/<kernel>/20    32 frames of 20 bytes in one buffer, each moved down to where
//   its
//                                   reply goes; time and bytes are a message's
//   utf8/<kernel>/<text>/<bytes>
//   sha1/<kernel>/<bytes>, accept_key, memcpy/<bytes>
#include <benchmark/benchmark.h>
#include <openssl/sha.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/micro/allocations.h"
#include "codec/accept_key.h"
#include "codec/mask.h"
#include "codec/sha1.h"
#include "codec/utf8.h"

namespace spate::codec {
namespace {

constexpr std::uint32_t kKey = 0x3d21fa37;
constexpr std::size_t kLarge = 65536;
constexpr std::size_t kSizes[] = {20, 64, 125, 1024, 16384, kLarge};

// Page-aligned, as the rings are.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes)
      : block_(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes / 4096 + 1) * 4096))) {
    std::fill_n(block_.get(), bytes, std::byte{'x'});
  }
  std::byte* data() { return block_.get(); }

 private:
  struct Free {
    void operator()(std::byte* block) const { std::free(block); }
  };
  std::unique_ptr<std::byte[], Free> block_;
};

std::string text_of(std::string_view pattern, std::size_t bytes) {
  std::string text;
  while (text.size() + pattern.size() <= bytes) text += pattern;
  text.resize(bytes, '.');
  return text;
}

constexpr std::string_view kAscii = "The quick brown fox jumps over the lazy dog. ";
// Characters of one, two, three and four bytes.
constexpr std::string_view kMixed =
    "plain words, d\xc3\xa9j\xc3\xa0 vu, \xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5, "
    "\xe2\x82\xac 20, \xe6\xbc\xa2\xe5\xad\x97, \xf0\x9f\x98\x80\xf0\x9f\x8e\x89 ";
constexpr std::string_view kHan = "\xe6\xbc\xa2\xe5\xad\x97\xe3\x81\x8b\xe3\x81\xaa";

// Times `operation`, which handles `bytes` bytes, and counts what it allocates.
template <typename Operation>
void run(benchmark::State& state, std::size_t bytes, Operation operation) {
  bench::report_allocations(state, operation);
  for (auto _ : state) {
    operation();
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void run_memcpy(benchmark::State& state, std::size_t bytes) {
  Buffer from(bytes), to(bytes);
  run(state, bytes, [&] { std::memcpy(to.data(), from.data(), bytes); });
}

// The payload lies where it does in a ring: behind a masked frame's header.
std::size_t masked_head_bytes(std::size_t payload_bytes) {
  return payload_bytes < 126 ? 6 : payload_bytes < 65536 ? 8 : 14;
}

void run_unmask(benchmark::State& state, UnmaskFunction function, std::size_t bytes,
                std::size_t gap) {
  const std::size_t head = masked_head_bytes(bytes);
  Buffer buffer(head + bytes);
  std::byte* src = buffer.data() + head;
  run(state, bytes, [&] { benchmark::DoNotOptimize(function(src - gap, src, bytes, kKey)); });
}

// What a reader does between two messages is here too, because it is what suffers when a store was
// wider than its payload: the next header and key are read right behind the bytes just written.
class Pipeline {
 public:
  static constexpr std::size_t kMessages = 32, kHead = 6, kPayload = 20;

  explicit Pipeline(std::size_t reply_head_bytes) : reply_head_bytes_(reply_head_bytes) {
    for (std::size_t i = 0; i < kMessages; ++i) {
      std::byte* frame = pristine_.data() + i * (kHead + kPayload);
      frame[0] = std::byte{0x82};
      frame[1] = std::byte{0x80 | kPayload};
      store(frame + 2, kKey);
    }
  }

  // One message; after the last of a buffer the frames arrive again.
  template <typename Unmask>
  void next(Unmask function) {
    if (left_ == 0) {
      std::memcpy(buffer_.data(), pristine_.data(), kMessages * (kHead + kPayload));
      from_ = to_ = buffer_.data();
      left_ = kMessages;
    }
    const auto length = std::to_integer<std::size_t>(from_[1]) & 0x7f;
    const auto key = load<std::uint32_t>(from_ + 2);
    to_[0] = from_[0];
    to_[1] = static_cast<std::byte>(length);
    benchmark::DoNotOptimize(function(to_ + reply_head_bytes_, from_ + kHead, length, key));
    from_ += kHead + length;
    to_ += reply_head_bytes_ + length;
    --left_;
  }

 private:
  std::size_t reply_head_bytes_;
  Buffer pristine_{4096};
  Buffer buffer_{4096};
  std::byte* from_ = nullptr;
  std::byte* to_ = nullptr;
  std::size_t left_ = 0;
};

template <typename Unmask>
void run_pipeline(benchmark::State& state, Unmask function, std::size_t reply_head_bytes) {
  Pipeline pipeline(reply_head_bytes);
  run(state, Pipeline::kPayload, [&] { pipeline.next(function); });
}

void run_utf8(benchmark::State& state, const Utf8Kernel& kernel, std::string_view pattern,
              std::size_t bytes) {
  const std::string text = text_of(pattern, bytes);
  run(state, bytes, [&] {
    Utf8State utf8;
    const bool valid = utf8_validate(kernel, utf8, as_bytes(text)) && utf8_complete(utf8);
    if (!valid) state.SkipWithError("the text is valid");
  });
}

template <typename Hash>
void run_hash(benchmark::State& state, std::size_t bytes, Hash hash) {
  const std::string text = text_of(kAscii, bytes);
  run(state, bytes, [&] {
    auto digest = hash(text);
    benchmark::DoNotOptimize(digest);
  });
}

// SHA1() goes through OpenSSL's provider look-up each time; the functions below it are several
// times faster on short input, and the fair opponent.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
Sha1Digest openssl_sha1(std::string_view text) {
  SHA_CTX context;
  Sha1Digest digest;
  SHA1_Init(&context);
  SHA1_Update(&context, text.data(), text.size());
  SHA1_Final(reinterpret_cast<unsigned char*>(digest.data()), &context);
  return digest;
}
#pragma GCC diagnostic pop

Sha1Digest openssl_one_shot(std::string_view text) {
  Sha1Digest digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

// The median over many rounds of (time of baseline) / (time of candidate), the two interleaved ABBA
// so that what slows the machine down slows both.
template <typename Baseline, typename Candidate>
void run_budget(benchmark::State& state, double budget, Baseline baseline, Candidate candidate) {
  constexpr int kRounds = 201, kCalls = 16;
  using Clock = std::chrono::steady_clock;
  const auto time_of = [](auto& call) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < kCalls; ++i) call();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  std::vector<double> ratios;
  for (auto _ : state) {
    ratios.clear();
    for (int round = 0; round < kRounds; ++round) {
      double base = time_of(baseline);
      const double ours = time_of(candidate) + time_of(candidate);
      base += time_of(baseline);
      ratios.push_back(base / ours);
    }
  }
  std::nth_element(ratios.begin(), ratios.begin() + kRounds / 2, ratios.end());
  state.counters["ratio"] = ratios[kRounds / 2];
  state.counters["budget"] = budget;
}

template <typename Run>
void add(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run);
}

void add_mask() {
  std::vector<MaskKernel> kernels(mask_kernels().begin(), mask_kernels().end());
  kernels.push_back({"best", unmask});
  for (const MaskKernel& kernel : kernels) {
    const std::string name = kernel.name;
    const UnmaskFunction function = kernel.unmask;
    for (const std::size_t bytes : kSizes) {
      add("unmask/" + name + "/" + std::to_string(bytes),
          [=](benchmark::State& state) { run_unmask(state, function, bytes, 0); });
      add("unmask_moved/" + name + "/" + std::to_string(bytes),
          [=](benchmark::State& state) { run_unmask(state, function, bytes, 4); });
    }
    add("unmask_pipelined/" + name + "/20",
        [=](benchmark::State& state) { run_pipeline(state, function, Pipeline::kHead); });
    add("unmask_replies/" + name + "/20",
        [=](benchmark::State& state) { run_pipeline(state, function, 2); });
  }
  // As the server calls it: short payloads inline.
  const auto inlined = [](std::byte* dst, const std::byte* src, std::size_t bytes,
                          std::uint32_t key) { return unmask(dst, src, bytes, key); };
  add("unmask_pipelined/inline/20",
      [=](benchmark::State& state) { run_pipeline(state, inlined, Pipeline::kHead); });
  add("unmask_replies/inline/20",
      [=](benchmark::State& state) { run_pipeline(state, inlined, 2); });
  for (const std::size_t bytes : kSizes) {
    add("memcpy/" + std::to_string(bytes),
        [=](benchmark::State& state) { run_memcpy(state, bytes); });
  }
}

void add_utf8() {
  const std::pair<const char*, std::string_view> texts[] = {
      {"ascii", kAscii}, {"mixed", kMixed}, {"han", kHan}};
  for (const Utf8Kernel& kernel : utf8_kernels()) {
    for (const auto& [text, pattern] : texts) {
      for (const std::size_t bytes : kSizes) {
        add(std::string("utf8/") + kernel.name + "/" + text + "/" + std::to_string(bytes),
            [=, pattern = pattern](benchmark::State& state) {
              run_utf8(state, kernel, pattern, bytes);
            });
      }
    }
  }
}

void add_sha1() {
  for (const std::size_t bytes : {std::size_t{60}, std::size_t{1024}, kLarge}) {
    const std::string size = std::to_string(bytes);
    for (const Sha1Kernel& kernel : sha1_kernels()) {
      add(std::string("sha1/") + kernel.name + "/" + size, [=](benchmark::State& state) {
        run_hash(state, bytes, [&](std::string_view text) { return sha1(kernel, as_bytes(text)); });
      });
    }
    add("sha1/openssl/" + size,
        [=](benchmark::State& state) { run_hash(state, bytes, openssl_sha1); });
    add("sha1/openssl_one_shot/" + size,
        [=](benchmark::State& state) { run_hash(state, bytes, openssl_one_shot); });
  }
  add("accept_key", [](benchmark::State& state) {
    run_hash(state, kWebSocketKeyBytes, [](std::string_view key) { return accept_key(key); });
  });
}

void add_budgets() {
  static Buffer from(kLarge), to(masked_head_bytes(kLarge) + kLarge);
  const auto copy = [] {
    std::memcpy(to.data(), from.data(), kLarge);
    benchmark::ClobberMemory();
  };
  add("budget/unmask/65536", [=](benchmark::State& state) {
    run_budget(state, 0.8, copy, [] {
      std::byte* payload = to.data() + masked_head_bytes(kLarge);
      benchmark::DoNotOptimize(unmask(payload, payload, kLarge, kKey));
      benchmark::ClobberMemory();
    });
  });
  const std::tuple<const char*, std::string_view, double> texts[] = {{"ascii", kAscii, 0.6},
                                                                     {"mixed", kMixed, 0.2}};
  for (const auto& [name, pattern, budget] : texts) {
    add(std::string("budget/utf8/") + name + "/65536",
        [=, text = text_of(pattern, kLarge), budget = budget](benchmark::State& state) {
          run_budget(state, budget, copy, [&] {
            Utf8State utf8;
            benchmark::DoNotOptimize(utf8_validate(utf8, as_bytes(text)));
          });
        });
  }
  add("budget/accept_key", [](benchmark::State& state) {
    static const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
    static const std::string text = text_of(kAscii, 60);
    run_budget(
        state, 1 / 1.1, [] { benchmark::DoNotOptimize(openssl_sha1(text)); },
        [] { benchmark::DoNotOptimize(accept_key(key)); });
  });
}

const bool kAdded = [] {
  add_mask();
  add_utf8();
  add_sha1();
  add_budgets();
  return true;
}();

}  // namespace
}  // namespace spate::codec
