// Gradients by tiles of 64 columns. Included inside the namespace of an instruction set; no guard.

#include "vector.h"
#include "product.h"

// A tile of columns: the sums of its adjoints, and for each input the sums of their products with it.
struct Tile {
    const ensue_gradient &of;
    int column;
    float *sums, *totals;

    // Lay the adjoints of some steps side by side, as a product reads them; past the last column are zeros.
    void pack(int64_t first, int steps, float *panel) const {
        int count = of.columns - column < TILE ? of.columns - column : TILE;
        float here[TILE] = {};
        for (int step = 0; step < steps; step++) {
            const float *from = of.adjoints + (first + step) * of.adjoint_step + column;
            float *to = panel + step * TILE;
            if (count == TILE) __builtin_memcpy(to, from, 4 * TILE);
            else for (int i = 0; i < TILE; i++) to[i] = i < count ? from[i] : 0;
            for (int i = 0; i < TILE; i++) here[i] += to[i];
        }
        for (int i = 0; i < TILE; i++) sums[i] += here[i];
    }

    void add(int64_t first, int steps, const float *panel) const {
        const float *from = of.source + first * of.source_step;
        for (int input = 0; input < of.inputs; input += BLOCK_ROWS) {
            int rows = of.inputs - input < BLOCK_ROWS ? of.inputs - input : BLOCK_ROWS;
            float *out = totals + (int64_t)input * TILE;
            multiply_rows(rows, panel, steps, from + input, 1, of.source_step, out, TILE, out, TILE);
        }
    }

    void write() const {
        for (int i = 0; i < TILE && column + i < of.columns; i++) {
            float *gradient = of.gradient + (int64_t)(column + i) * of.inputs;
            for (int input = 0; input < of.inputs; input++) gradient[input] = totals[input * TILE + i];
            of.sums[column + i] = sums[i];
        }
    }
};

// The tiles first, first + step, ...: as many at once as `memory`, of `group` tiles beside the panel, has room for.
static void weigh(const ensue_gradient &of, int first, int step, int group, float *memory) {
    float *panel = memory, *rest = memory + STEPS_AT_ONCE * TILE;
    int64_t each = (int64_t)(of.inputs + 1) * TILE;
    for (int start = first * TILE; start < of.columns; start += group * step * TILE) {
        auto tile = [&](int number) {
            return Tile{of, start + number * step * TILE, rest + number * each, rest + number * each + TILE};
        };
        int count = 0;
        while (count < group && tile(count).column < of.columns) count++;
        __builtin_memset(rest, 0, 4 * each * count);
        for (int64_t at = 0; at < of.steps; at += STEPS_AT_ONCE) {
            int steps = of.steps - at < STEPS_AT_ONCE ? (int)(of.steps - at) : STEPS_AT_ONCE;
            for (int number = 0; number < count; number++) {
                tile(number).pack(at, steps, panel);
                tile(number).add(at, steps, panel);
            }
        }
        for (int number = 0; number < count; number++) tile(number).write();
    }
}
