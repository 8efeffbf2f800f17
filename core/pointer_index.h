// Finds objects by a hash that their owner keeps: an open-addressed table of (hash, pointer) with
// linear probing, a third to two thirds full, that owns nothing it points to.
//
//      | hash, object | hash, object | – | hash, object | – | …      a power of two of places
//
// Looked up by anything that the object can be compared with, so that a name that lies in a buffer
// needs no copy. 24 to 48 bytes an object; growing moves every entry once, without touching the
// objects. Removing shifts the entries behind it back: there are no tombstones. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base.h"

namespace spate::core {

template <typename T>
class PointerIndex {
 public:
  // Null when there is none for which `matches(const T&)` says yes.
  template <typename Matches>
  T* find(std::uint64_t hash, Matches&& matches) const {
    if (count_ == 0) return nullptr;
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Place& place = places_[at];
      if (place.object == nullptr) return nullptr;
      if (place.hash == hash && matches(*place.object)) return place.object;
    }
  }

  // What is looked up alike must not be there already.
  void insert(std::uint64_t hash, T* object) {
    if ((count_ + 1) * 3 > places_.size() * 2) resize(places_.empty() ? 4 : places_.size() * 2);
    put({hash, object});
    ++count_;
  }

  // It must be there.
  void erase(std::uint64_t hash, const T* object) {
    std::size_t hole = hash & mask();
    while (places_[hole].object != object) {
      SPATE_CHECK(places_[hole].object != nullptr);
      hole = (hole + 1) & mask();
    }
    // What follows moves into the hole unless that is in front of where it belongs.
    for (std::size_t at = (hole + 1) & mask(); places_[at].object != nullptr;
         at = (at + 1) & mask()) {
      const std::size_t home = places_[at].hash & mask();
      if (((at - home) & mask()) < ((at - hole) & mask())) continue;
      places_[hole] = places_[at];
      hole = at;
    }
    places_[hole] = {};
    --count_;
    if (places_.size() > 8 && count_ * 6 < places_.size()) resize(places_.size() / 2);
  }

  // Each object once, in no order. Nothing may be inserted or erased meanwhile.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Place& place : places_)
      if (place.object != nullptr) visit(*place.object);
  }

  std::size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::size_t bytes() const { return places_.capacity() * sizeof(Place); }

 private:
  struct Place {
    std::uint64_t hash = 0;
    T* object = nullptr;
  };

  std::size_t mask() const { return places_.size() - 1; }
  void put(Place entry) {
    std::size_t at = entry.hash & mask();
    while (places_[at].object != nullptr) at = (at + 1) & mask();
    places_[at] = entry;
  }
  void resize(std::size_t places) {
    std::vector<Place> old(places);
    old.swap(places_);
    for (const Place& entry : old)
      if (entry.object != nullptr) put(entry);
  }

  std::vector<Place> places_;
  std::size_t count_ = 0;
};

}  // namespace spate::core
