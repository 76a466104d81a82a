// What the kernels of every instruction set offer to ticks.cpp.
#pragma once
#include "ensue.h"

// The rows of a product as bytes (quantized_gemm.h): number k is scale * ((128 * high[k] + low[k]) - 16384).
struct Bytes {
    uint8_t *high, *low;
    float *scales;
    int64_t step;  // from row to row
};

// One thread's view of a network's rows.
struct Hand {
    const ensue_network *network;
    // At even ticks and at odd ones; then as in machine.h.
    float **places[2];
    int64_t *steps;
    bool *of_tile;
    float *bounce;
    // Of each product, its rows as bytes; shared by all threads.
    const Bytes *bytes;
};

struct TickKernels {
    // Before anybody runs a stage.
    void (*prepare)(const Hand &hand, const ensue_stage &stage, int odd, int rows);
    // A stage on the rows from `row` on, on one tile of units.
    void (*run_tile)(const Hand &hand, const ensue_stage &stage, int odd, int row, int rows, int tile);
    // A stage whose instructions need whole rows.
    void (*run_whole)(const Hand &hand, const ensue_stage &stage, int odd, int rows);
    int block_rows;
};

constexpr int MOST_BLOCK_ROWS = 6;
