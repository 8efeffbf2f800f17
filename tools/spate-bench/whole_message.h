// A message put together from what FrameReader reports of it, for whom the whole is needed. Only
// one that ends in a later read is copied; the connection keeps it till then.
#pragma once

#include <memory>
#include <string>

#include "core/base.h"

namespace spate::bench {

// Lives for one read.
class WholeMessage {
 public:
  explicit WholeMessage(std::unique_ptr<std::string>& partial) : partial_(partial) {}

  void begin() {
    whole_ = {};
    partial_.reset();
  }
  void add(ConstBytes bytes) {
    if (whole_.empty() && !partial_) {
      whole_ = bytes;
      return;
    }
    copy();
    partial_->append(as_text(bytes));
  }
  // Dies with the read, or when the next begins.
  [[nodiscard]] ConstBytes get() const { return partial_ ? as_bytes(*partial_) : whole_; }
  // The read is over.
  void keep() {
    if (!whole_.empty()) copy();
  }

 private:
  void copy() {
    if (!partial_) partial_ = std::make_unique<std::string>(as_text(whole_));
    whole_ = {};
  }

  std::unique_ptr<std::string>& partial_;
  ConstBytes whole_{};
};

}  // namespace spate::bench
