// A value, or why there is none. For start-up and configuration; hot paths return plain status
// structs.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "core/base.h"

namespace spate::core {

// What a function returns to say no: `return Failure{"no port; …"};`
template <typename E = std::string>
struct Failure {
  E error;
};
template <typename E>
Failure(E) -> Failure<E>;
Failure(const char*)->Failure<std::string>;

template <typename T, typename E = std::string>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  template <typename F>
  Result(Failure<F> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Asking for the side that is not there is a bug of ours.
  T& value() & {
    SPATE_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    SPATE_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    SPATE_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const E& error() const {
    SPATE_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, E> state_;
};

}  // namespace spate::core
