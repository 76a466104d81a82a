// Programs over all ticks: products are packed once, then every thread runs its own rows from the first tick to the
// last without waiting for another.
#include "recurrence.h"

#include "packing.h"
#include "arena.h"
#include "threads.h"

#define ENSUE_KERNELS "recurrence_kernels.h"
#include "instruction_sets.h"

static void play(const ensue_tape *tape) {
    const RecurrenceKernels &kernels = *ENSUE_CHOSEN(KERNELS);
    Room room;
    int64_t *firsts = room.take<int64_t>(tape->ticks + 1), rows = tape->ticks ? tape->rows[0] : 0;
    firsts[0] = 0;
    for (int tick = 0; tick < tape->ticks; tick++) firsts[tick + 1] = firsts[tick] + tape->rows[tick];
    Packed *packed = room.take<Packed>(tape->product_count);
    for (int i = 0; i < tape->product_count; i++) {
        const ensue_product &product = tape->products[i];
        int panels = tiles_of(product.units) * product.gates;
        packed[i] = {&product, room.take<float>((int64_t)panels * product.inner * TILE), panels};
    }
    int threads = (int)(rows < tape->threads ? rows : tape->threads);
    in_parallel(threads, [&](int thread) {
        for (int i = 0; i < tape->product_count; i++)
            for (int panel = thread; panel < packed[i].panel_count; panel += threads) kernels.pack(packed[i], panel);
    });
    in_parallel(threads, [&](int thread) { kernels.play(*tape, packed, firsts, thread, threads); });
}

int32_t ensue_apply(int32_t operation, float *out, const float *a, const float *b, const float *c, int64_t count) {
    if (operation < 0 || operation >= TILE_OPERATION_COUNT || count % TILE) return 0;
    const RecurrenceKernels &kernels = *ENSUE_CHOSEN(KERNELS);
    for (int64_t i = 0; i < count; i += TILE)
        kernels.apply(operation, out + i, a + i, b ? b + i : nullptr, c ? c + i : nullptr);
    return 1;
}

int32_t ensue_play(const ensue_tape *tape) {
    try {
        play(tape);
        return 1;
    } catch (const std::bad_alloc &) {
        return 0;
    }
}
