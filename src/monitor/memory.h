// Objects on the heap without operator new, which would link the C++ runtime and its exceptions.
#pragma once

#include <cstdlib>
#include <new>

namespace fermata::monitor {

// nullptr when there is no memory: an answer the caller turns into ENOMEM for its client.
template <class T>
T* make() {
  void* memory = std::malloc(sizeof(T));
  return memory == nullptr ? nullptr : ::new (memory) T{};
}

template <class T>
void destroy(T* object) {
  object->~T();
  std::free(object);
}

}  // namespace fermata::monitor
