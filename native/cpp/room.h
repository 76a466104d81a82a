// Memory for the length of a scope, in whole cache lines.
#pragma once
#include <stdint.h>
#include <stdlib.h>

#include <new>

class Room {
  public:
    Room() = default;
    Room(const Room &) = delete;
    Room &operator=(const Room &) = delete;
    ~Room() {
        for (int i = 0; i < count; i++) free(pieces[i]);
    }

    template <typename T>
    T *take(int64_t numbers) {
        size_t bytes = ((size_t)numbers * sizeof(T) + 63) / 64 * 64;
        void *piece = nullptr;
        if (count == MOST || posix_memalign(&piece, 64, bytes ? bytes : 64)) throw std::bad_alloc();
        pieces[count++] = piece;
        return (T *)piece;
    }

  private:
    static constexpr int MOST = 64;
    void *pieces[MOST];
    int count = 0;
};
