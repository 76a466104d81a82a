// All ticks of some rows. Included inside the namespace of an instruction set; no guard.

#include "vector.h"
#include "functions.h"
#include "tile.h"
#include "product.h"
#include "machine.h"

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

struct Player : Machine {
    const ensue_tape &tape;
    const Packed *packed;
    const int64_t *firsts;
    int first, step;
    float *registers;

    void find_places(int tick) {
        for (int i = 0; i < tape.slot_count; i++) {
            const ensue_slot &slot = tape.slots[i];
            steps[i] = slot.step * step;
            of_tile[i] = slot.motion >= ENSUE_REGISTER;
            switch (slot.motion) {
                case ENSUE_FIXED: places[i] = slot.base + first * slot.step; break;
                case ENSUE_MOVING: places[i] = slot.base + (firsts[tick] + first) * slot.step; break;
                case ENSUE_BEFORE:
                    places[i] = tick ? slot.base + (firsts[tick - 1] + first) * slot.step
                                     : slot.other + first * slot.step;
                    break;
                case ENSUE_TURNS: places[i] = (tick % 2 ? slot.other : slot.base) + first * slot.step; break;
                case ENSUE_REGISTER: places[i] = registers + slot.step * BLOCK_ROWS * TILE, steps[i] = TILE; break;
                case ENSUE_CONSTANT: places[i] = slot.base, steps[i] = 0; break;
            }
        }
    }

    void multiply(const Packed &matrix, int row, int rows, int unit, int count) {
        const ensue_product &of = *matrix.product;
        const float *from = places[of.from] + row * steps[of.from];
        for (int gate = 0; gate < of.gates; gate++) {
            const float *panel = matrix.panels + (int64_t)(unit / TILE * of.gates + gate) * of.inner * TILE;
            float *out = at(of.out, row, gate * of.units + unit);
            const float *add = of.add < 0 ? nullptr : at(of.add, row, gate * of.units + unit);
            int64_t out_step = steps[of.out], add_step = of.add < 0 ? 0 : steps[of.add];
            auto multiply = [&](float *o, int64_t o_step, const float *a, int64_t a_step) {
                multiply_rows(rows, panel, of.inner, from, steps[of.from], 1, o, o_step, a, a_step);
            };
            whole_tiles(rows, count, out, out_step, add, add_step, multiply);
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
                for (int i = segment.first_product; i < segment.last_product; i++)
                    multiply(packed[i], row, block, unit, count);
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
    Machine machine{room.take<float *>(tape.slot_count), room.take<int64_t>(tape.slot_count),
                    room.take<bool>(tape.slot_count), room.take<float>(BOUNCE_TILES * BLOCK_ROWS * TILE)};
    float *registers = room.take<float>(tape.register_count * BLOCK_ROWS * TILE);
    Player player{machine, tape, packed, firsts, first, step, registers};
    player.run();
}

static void apply(int operation, float *out, const float *a, const float *b, const float *c) {
    TILE_OPERATIONS[operation]({out, a, b, c, 0, 0, 0, 0}, 1);
}

static const RecurrenceKernels KERNELS = {pack, play, apply};
