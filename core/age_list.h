// Objects in the order of their age: an intrusive list whose members `older` and `newer` are the
// object's own. Adding, removing and finding the oldest are O(1). Owns nothing. One thread.
#pragma once

#include "core/base.h"

namespace spate::core {

template <typename T>
class AgeList {
 public:
  T* oldest() const { return oldest_; }
  bool empty() const { return oldest_ == nullptr; }

  // In no list yet.
  void push_newest(T& object) {
    object.older = newest_;
    object.newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = &object;
    newest_ = &object;
  }
  // In this list.
  void remove(T& object) {
    (object.older != nullptr ? object.older->newer : oldest_) = object.newer;
    (object.newer != nullptr ? object.newer->older : newest_) = object.older;
    object.older = object.newer = nullptr;
  }

 private:
  T* oldest_ = nullptr;
  T* newest_ = nullptr;
};

}  // namespace spate::core
