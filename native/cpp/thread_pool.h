// Threads that share the tiles of one small piece of work after another, within microseconds.
//
// The caller takes tiles from one end, the others from the other end; each claim is one exchange of a word. Nobody is
// waited for who has not claimed: a helper that the machine does not run costs nothing, and one that it stops in the
// middle of a tile is done without for a while.
#pragma once
#include <sched.h>
#include <time.h>

#include <atomic>
#include <cstdint>

inline int64_t nanoseconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

class Crew {
  public:
    // Nobody helps before `alone_until`; `rest` is how long it was the last time. Both are kept up to date.
    Crew(int64_t &alone_until, int64_t &rest) : alone_until(alone_until), rest(rest) {}

    // The caller: do work(0) to work(tiles - 1), with whoever helps.
    template <typename Work>
    void share(int tiles, const Work &work) {
        if (tiles < 2 || alone()) {
            for (int tile = 0; tile < tiles; tile++) work(tile);
            return;
        }
        done.store(0, std::memory_order_relaxed);
        uint64_t now = ++round << 32 | (uint64_t)tiles << 16;
        word.store(now, std::memory_order_release);
        int mine = 0;
        while (first(now) < last(now))
            if (word.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) work(first(now)), mine++, now++;
        wait_for(tiles - mine);
    }

    // A helper: work(tile) on whatever there is, until the caller leaves.
    template <typename Work>
    void help(const Work &work) {
        for (int idle = 0; !over.load(std::memory_order_acquire);) {
            uint64_t now = word.load(std::memory_order_acquire);
            if (first(now) >= last(now)) {
                pause(idle++);
            } else if (word.compare_exchange_weak(now, now - (1 << 16), std::memory_order_acq_rel)) {
                work(last(now) - 1);
                done.fetch_add(1, std::memory_order_release);
                idle = 0;
            }
        }
    }

    void leave() { over.store(true, std::memory_order_release); }

    // A helper was late by so much: go on alone for a while, twice as long where that happens again soon.
    void note_delay(int64_t delay, int64_t now) {
        if (delay < LATE) return;
        bool again = now - alone_until < 4 * rest;
        rest = again && rest < LONGEST ? 2 * rest : again ? LONGEST : SHORTEST;
        alone_until = now + rest;
    }

  private:
    static constexpr int64_t LATE = 300000, SHORTEST = 4000000, LONGEST = 128000000;
    static constexpr int SPINS = 1000;

    static int first(uint64_t word) { return (int)(word & 0xffff); }
    static int last(uint64_t word) { return (int)(word >> 16 & 0xffff); }

    // Spinning would keep from its work whoever shares this core.
    static void pause(int idle) {
        if (idle >= SPINS) sched_yield();
#if defined(__x86_64__)
        else __builtin_ia32_pause();
#endif
    }

    bool alone() const { return alone_until && nanoseconds() < alone_until; }

    void wait_for(int others) {
        int idle = 0;
        int64_t since = 0;
        for (; done.load(std::memory_order_acquire) < others; pause(idle++))
            if (idle == SPINS) since = nanoseconds();
        if (!since) return;
        int64_t now = nanoseconds();
        note_delay(now - since, now);
    }

    int64_t &alone_until, &rest;
    uint64_t round = 0;
    alignas(64) std::atomic<uint64_t> word{0};
    alignas(64) std::atomic<int> done{0};
    alignas(64) std::atomic<bool> over{false};
};
