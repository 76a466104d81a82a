// Memory for the length of a scope, in whole cache lines.
#pragma once
#include <stdint.h>
#include <stdlib.h>

#include <new>
#include <vector>

#include "ensue.h"

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
        size_t line = bytes < 2 * HUGE ? 64 : HUGE;
        void *piece = nullptr;
        pieces.reserve(pieces.size() + 1);
        if (posix_memalign(&piece, line, bytes ? bytes : 64)) throw std::bad_alloc();
        if (line == HUGE) ensue_large_pages(piece, (int64_t)bytes);
        pieces.push_back(piece);
        return (T *)piece;
    }

  private:
    static constexpr size_t HUGE = 1 << 21;
    std::vector<void *> pieces;
};
