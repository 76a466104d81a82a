// Memory for the length of a scope, in whole cache lines.
#pragma once
#include <stdint.h>
#include <stdlib.h>

#include <new>
#include <vector>

class Room {
  public:
    Room() = default;
    Room(const Room &) = delete;
    Room &operator=(const Room &) = delete;
    ~Room() {
        for (void *piece : pieces) free(piece);
    }

    template <typename T>
    T *take(int64_t numbers) {
        size_t bytes = ((size_t)numbers * sizeof(T) + 63) / 64 * 64;
        void *piece = nullptr;
        pieces.reserve(pieces.size() + 1);
        if (posix_memalign(&piece, 64, bytes ? bytes : 64)) throw std::bad_alloc();
        pieces.push_back(piece);
        return (T *)piece;
    }

  private:
    std::vector<void *> pieces;
};
