// All ticks of some rows. Included inside the namespace of an instruction set; no guard.

#include "vector.h"
#include "functions.h"
#include "tile.h"
#include "product.h"

static void pack(const Packed &packed, int number) {
    const ensue_product &of = *packed.product;
    int tile = number / of.gates, gate = number % of.gates;
    int count = of.units - tile * TILE < TILE ? of.units - tile * TILE : TILE;
    const float *from = of.matrix + ((int64_t)gate * of.units + tile * TILE) * of.row_step;
    float *panel = packed.panels + (int64_t)number * of.inner * TILE;
    for (int start = 0; start < of.inner; start += 16) {
        // Sixteen inputs at a time, since where a unit's weights lie side by side they share a cache line.
        int stop = start + 16 < of.inner ? start + 16 : of.inner;
        for (int unit = 0; unit < count; unit++)
            for (int k = start; k < stop; k++)
                panel[k * TILE + unit] = from[unit * of.row_step + k * of.column_step];
        for (int k = start; k < stop; k++)
            for (int unit = count; unit < TILE; unit++) panel[k * TILE + unit] = 0;
    }
}

// Layer normalisation over a whole row (Ba et al. 2016): out = (a - mean) / sqrt(variance + 1e-5).
static void normalise(float *out, const float *a, int units) {
    double sum = 0, squares = 0;
    for (int i = 0; i < units; i++) sum += a[i];
    double mean = sum / units;
    for (int i = 0; i < units; i++) squares += (a[i] - mean) * (a[i] - mean);
    float scale = (float)(1 / __builtin_sqrt(squares / units + 1e-5));
    for (int i = 0; i < units; i++) out[i] = (float)(a[i] - mean) * scale;
}

static void normalise_back(float *out, const float *adjoint, const float *value, const float *a, int units) {
    double sum = 0, squares = 0, adjoints = 0, products = 0;
    for (int i = 0; i < units; i++) sum += a[i], adjoints += adjoint[i], products += (double)adjoint[i] * value[i];
    double mean = sum / units;
    for (int i = 0; i < units; i++) squares += (a[i] - mean) * (a[i] - mean);
    float scale = (float)(1 / __builtin_sqrt(squares / units + 1e-5));
    float shared = (float)(adjoints / units), along = (float)(products / units);
    for (int i = 0; i < units; i++) out[i] = scale * (adjoint[i] - (shared + value[i] * along));
}

struct Player {
    const ensue_tape &tape;
    const Packed *packed;
    const int64_t *firsts;
    int first, step;
    // Where row `first` of each slot is at this tick, and how far it is to the next of our rows.
    float **places;
    int64_t *steps;
    float *registers, *bounce;

    void find_places(int tick) {
        for (int i = 0; i < tape.slot_count; i++) {
            const ensue_slot &slot = tape.slots[i];
            steps[i] = slot.step * step;
            switch (slot.motion) {
                case ENSUE_FIXED: places[i] = slot.base + first * slot.step; break;
                case ENSUE_MOVING: places[i] = slot.base + (firsts[tick] + first) * slot.step; break;
                case ENSUE_BEFORE:
                    places[i] = tick ? slot.base + (firsts[tick - 1] + first) * slot.step : slot.other + first * slot.step;
                    break;
                case ENSUE_TURNS: places[i] = (tick % 2 ? slot.other : slot.base) + first * slot.step; break;
                case ENSUE_REGISTER: places[i] = registers + slot.step * BLOCK_ROWS * TILE, steps[i] = TILE; break;
                case ENSUE_CONSTANT: places[i] = slot.base, steps[i] = 0; break;
            }
        }
    }

    bool of_tile(int slot) const { return tape.slots[slot].motion >= ENSUE_REGISTER; }

    // Where a block of rows of a slot begins, for a tile.
    float *at(int slot, int row, int unit) const {
        return of_tile(slot) ? places[slot] : places[slot] + row * steps[slot] + unit;
    }

    void run_instruction(const ensue_instruction &one, int row, int rows, int unit, int count) {
        const float *args[3] = {nullptr, nullptr, nullptr};
        int64_t arg_steps[3] = {0, 0, 0};
        for (int i = 0; i < 3 && one.args[i] >= 0; i++) {
            args[i] = at(one.args[i], row, unit), arg_steps[i] = steps[one.args[i]];
            if (count == TILE || of_tile(one.args[i])) continue;
            // The last tile is shorter: its neighbours in memory are not ours to read.
            float *copy = bounce + (i + 1) * BLOCK_ROWS * TILE;
            for (int r = 0; r < rows; r++) __builtin_memcpy(copy + r * TILE, args[i] + r * arg_steps[i], 4 * count);
            args[i] = copy, arg_steps[i] = TILE;
        }
        float *out = at(one.out, row, unit);
        bool direct = count == TILE || of_tile(one.out);
        Operands in{direct ? out : bounce, args[0], args[1], args[2], direct ? steps[one.out] : TILE,
                    arg_steps[0],          arg_steps[1], arg_steps[2]};
        TILE_OPERATIONS[one.operation](in, rows);
        for (int r = 0; !direct && r < rows; r++)
            __builtin_memcpy(out + r * steps[one.out], bounce + r * TILE, 4 * count);
    }

    void multiply(const ensue_segment &segment, int row, int rows, int unit, int count) {
        const Packed &matrix = packed[segment.product];
        const ensue_product &of = *matrix.product;
        const float *from = places[of.from] + row * steps[of.from];
        for (int gate = 0; gate < of.gates; gate++) {
            const float *panel = matrix.panels + (int64_t)(unit / TILE * of.gates + gate) * of.inner * TILE;
            float *out = at(of.out, row, gate * of.units + unit);
            const float *add = of.add < 0 ? nullptr : at(of.add, row, gate * of.units + unit);
            int64_t out_step = steps[of.out], add_step = of.add < 0 ? 0 : steps[of.add];
            if (count == TILE) {
                multiply_rows(rows, panel, of.inner, from, steps[of.from], out, out_step, add, add_step);
                continue;
            }
            float *copy = bounce + BLOCK_ROWS * TILE;
            for (int r = 0; add && r < rows; r++) __builtin_memcpy(copy + r * TILE, add + r * add_step, 4 * count);
            multiply_rows(rows, panel, of.inner, from, steps[of.from], bounce, TILE, add ? copy : nullptr, TILE);
            for (int r = 0; r < rows; r++) __builtin_memcpy(out + r * out_step, bounce + r * TILE, 4 * count);
        }
    }

    void run_whole_rows(const ensue_instruction &one, int rows, int units) {
        for (int row = 0; row < rows; row++) {
            const float *args[3] = {nullptr, nullptr, nullptr};
            for (int i = 0; i < 3 && one.args[i] >= 0; i++) args[i] = at(one.args[i], row, 0);
            if (one.operation == TILE_OPERATION_COUNT) normalise(at(one.out, row, 0), args[0], units);
            else normalise_back(at(one.out, row, 0), args[0], args[1], args[2], units);
        }
    }

    void run_segment(const ensue_segment &segment, int rows) {
        const ensue_instruction *instructions = tape.instructions;
        if (segment.first < segment.last && instructions[segment.first].operation >= TILE_OPERATION_COUNT) {
            for (int i = segment.first; i < segment.last; i++) run_whole_rows(instructions[i], rows, segment.units);
            return;
        }
        for (int unit = 0; unit < segment.units; unit += TILE) {
            int count = segment.units - unit < TILE ? segment.units - unit : TILE;
            for (int row = 0; row < rows; row += BLOCK_ROWS) {
                int block = rows - row < BLOCK_ROWS ? rows - row : BLOCK_ROWS;
                if (segment.product >= 0) multiply(segment, row, block, unit, count);
                for (int i = segment.first; i < segment.last; i++)
                    run_instruction(instructions[i], row, block, unit, count);
            }
        }
    }

    void enter(int already, int rows) {
        for (int i = 0; i < tape.entrance_count; i++) {
            const ensue_entrance &one = tape.entrances[i];
            for (int row = already; row < rows; row++) {
                float *to = places[one.adjoint] + row * steps[one.adjoint];
                if (one.given >= 0)
                    __builtin_memcpy(to, places[one.given] + row * steps[one.given], 4 * one.units);
                else
                    __builtin_memset(to, 0, 4 * one.units);
            }
        }
    }

    int rows_at(int tick) const {
        int64_t rows = tick < tape.ticks ? tape.rows[tick] : 0;
        return rows > first ? (int)((rows - first + step - 1) / step) : 0;
    }

    void run() {
        for (int count = 0; count < tape.ticks; count++) {
            int tick = tape.backward ? tape.ticks - 1 - count : count, rows = rows_at(tick);
            if (!rows) continue;
            find_places(tick);
            if (tape.backward) enter(rows_at(tick + 1), rows);
            for (int i = 0; i < tape.segment_count; i++) run_segment(tape.segments[i], rows);
        }
    }
};

static void play(const ensue_tape &tape, const Packed *packed, const int64_t *firsts, int first, int step) {
    Room room;
    Player player{tape, packed, firsts, first, step, room.take<float *>(tape.slot_count),
                  room.take<int64_t>(tape.slot_count), room.take<float>(tape.register_count * BLOCK_ROWS * TILE),
                  room.take<float>(4 * BLOCK_ROWS * TILE)};
    player.run();
}

static void apply(int operation, float *out, const float *a, const float *b, const float *c) {
    TILE_OPERATIONS[operation]({out, a, b, c, 0, 0, 0, 0}, 1);
}

static const RecurrenceKernels KERNELS = {pack, play, apply};
