// For objects that are found by a text of their own and that there are very many of: the text lies
// behind the object, in the same allocation.
//
//      | text_bytes | members of Object … | the text's bytes |
//
// struct User : TextBehind<User> { … };   User* user = User::make("anna");   delete user;
//
// A std::string would cost 32 bytes, and another allocation for more than 15.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>

#include "core/base.h"

namespace spate::core {

template <typename Object>
class TextBehind {
 public:
  // The text is below 4 GiB.
  static Object* make(std::string_view text) {
    SPATE_CHECK(text.size() <= std::numeric_limits<std::uint32_t>::max());
    void* const place = ::operator new(sizeof(Object) + text.size());
    auto* const object = new (place) Object();
    object->text_bytes_ = static_cast<std::uint32_t>(text.size());
    if (!text.empty())
      std::memcpy(static_cast<char*>(place) + sizeof(Object), text.data(), text.size());
    return object;
  }
  // What was allocated is more than the object's size tells.
  void operator delete(void* place) { ::operator delete(place); }
  TextBehind(const TextBehind&) = delete;
  TextBehind& operator=(const TextBehind&) = delete;

  // Lives as long as the object.
  std::string_view text() const {
    return {reinterpret_cast<const char*>(static_cast<const Object*>(this)) + sizeof(Object),
            text_bytes_};
  }

 private:
  friend Object;
  TextBehind() = default;

  std::uint32_t text_bytes_ = 0;
};

}  // namespace spate::core
