// Gradients of matrices: every thread has tiles of 64 columns of its own, and goes over all steps for some of them.
#include "ensue.h"
#include "operations.h"
#include "arena.h"
#include "threads.h"

// Steps whose adjoints stay in the first cache while all inputs go by, and numbers that stay in the second.
constexpr int STEPS_AT_ONCE = 128, SECOND_CACHE = 1 << 16;

#define ENSUE_KERNELS "gradient_kernels.h"
#include "instruction_sets.h"

static void weigh(const ensue_gradient &of, int threads) {
    const auto work = ENSUE_CHOSEN(weigh);
    int tiles = (of.columns + TILE - 1) / TILE, group = SECOND_CACHE / ((of.inputs + 1) * TILE);
    threads = tiles < threads ? tiles : threads;
    group = group < 1 ? 1 : group < tiles ? group : tiles;
    Room room;
    int64_t each = (int64_t)TILE * (STEPS_AT_ONCE + group * (of.inputs + 1));
    float *memory = room.take<float>(each * threads);
    in_parallel(threads, [&](int thread) { work(of, thread, threads, group, memory + thread * each); });
}

int32_t ensue_weigh(const ensue_gradient *of, int32_t threads) {
    try {
        weigh(*of, threads);
        return 1;
    } catch (const std::bad_alloc &) {
        return 0;
    }
}
