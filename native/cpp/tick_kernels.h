// A stage of one tick. Included inside the namespace of an instruction set; no guard.

#include "vector.h"
#include "functions.h"
#include "tile.h"
#include "product.h"
#include "quantized_gemm.h"
#include "machine.h"

static Machine machine_of(const Hand &hand, int odd) {
    return {hand.places[odd], hand.steps, hand.of_tile, hand.bounce};
}

static bool by_bytes(const ensue_weights &weights) {
    return VECTOR_BYTES == 64 && weights.format == ENSUE_INT8 && products_of_bytes();
}

static void prepare(const Hand &hand, const ensue_stage &stage, int odd, int rows) {
    Machine machine = machine_of(hand, odd);
    for (int i = stage.first_product; i < stage.last_product; i++) {
        const ensue_multiplication &product = hand.network->products[i];
        const ensue_weights &weights = hand.network->weights[product.weights];
        if (!by_bytes(weights)) continue;
        const Bytes &bytes = hand.bytes[i];
        for (int row = 0; row < rows; row++)
            to_bytes(machine.at(product.from, row, 0), weights.inner, bytes.high + row * bytes.step,
                     bytes.low + row * bytes.step, bytes.scales + row);
    }
}

static void multiply_words(int format, int count, const char *panel, int inner, const float *rows, int64_t step,
                           float *out, int64_t out_step, const float *add, int64_t add_step) {
    switch (count) {
        case 1: return multiply_narrow<1>(format, panel, inner, rows, step, out, out_step, add, add_step);
        case 2: return multiply_narrow<2>(format, panel, inner, rows, step, out, out_step, add, add_step);
        case 3: return multiply_narrow<3>(format, panel, inner, rows, step, out, out_step, add, add_step);
        case 4: return multiply_narrow<4>(format, panel, inner, rows, step, out, out_step, add, add_step);
        case 5: return multiply_narrow<5>(format, panel, inner, rows, step, out, out_step, add, add_step);
        case 6: return multiply_narrow<6>(format, panel, inner, rows, step, out, out_step, add, add_step);
    }
}

static void run_product(const Hand &hand, Machine &machine, int which, int row, int rows, int tile) {
    const ensue_multiplication &product = hand.network->products[which];
    const ensue_weights &weights = hand.network->weights[product.weights];
    int unit = tile * TILE, inner = weights.inner, count = weights.units - unit < TILE ? weights.units - unit : TILE;
    const float *from = machine.at(product.from, row, 0);
    int64_t step = machine.steps[product.from], out_step = machine.steps[product.out];
    int64_t add_step = product.add < 0 ? 0 : machine.steps[product.add];
    for (int gate = 0; gate < weights.gates; gate++) {
        int64_t number = tile * weights.gates + gate;
        const char *panel = (const char *)weights.panels + number * panel_bytes(weights.format, inner);
        float *out = machine.at(product.out, row, gate * weights.units + unit);
        const float *add = product.add < 0 ? nullptr : machine.at(product.add, row, gate * weights.units + unit);
        auto multiply = [&](float *o, int64_t o_step, const float *a, int64_t a_step) {
            if (by_bytes(weights))
                multiply_by_bytes(panel, inner, hand.bytes[which], row, rows, o, o_step, a, a_step);
            else if (weights.format != ENSUE_FP32)
                multiply_words(weights.format, rows, panel, inner, from, step, o, o_step, a, a_step);
            else if (rows == 1)
                multiply_units(count, (const float *)panel, inner, from, o, a);
            else
                multiply_rows(rows, (const float *)panel, inner, from, step, 1, o, o_step, a, a_step);
        };
        machine.whole_tiles(rows, count, out, out_step, add, add_step, multiply);
    }
}

static void run_tile(const Hand &hand, const ensue_stage &stage, int odd, int row, int rows, int tile) {
    Machine machine = machine_of(hand, odd);
    int unit = tile * TILE, count = stage.units - unit < TILE ? stage.units - unit : TILE;
    for (int last = row + rows; row < last; row += BLOCK_ROWS) {
        int block = last - row < BLOCK_ROWS ? last - row : BLOCK_ROWS;
        for (int i = stage.first_product; i < stage.last_product; i++) run_product(hand, machine, i, row, block, tile);
        for (int i = stage.first; i < stage.last; i++)
            machine.run_instruction(hand.network->instructions[i], row, block, unit, count);
    }
}

static void run_whole(const Hand &hand, const ensue_stage &stage, int odd, int rows) {
    Machine machine = machine_of(hand, odd);
    for (int i = stage.first; i < stage.last; i++)
        machine.run_whole_rows(hand.network->instructions[i], rows, stage.units);
}

static const TickKernels KERNELS = {prepare, run_tile, run_whole, BLOCK_ROWS};
