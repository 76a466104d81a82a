// What the kernels of every instruction set offer to recurrence.cpp.
#pragma once
#include "ensue.h"

struct Packed {
    const ensue_product *product;
    float *panels;
    int panel_count;
};

struct RecurrenceKernels {
    // Write panel `number` (tile by tile, gate by gate) of a product.
    void (*pack)(const Packed &packed, int number);
    // Run all ticks for the rows first, first + step, ...
    void (*play)(const ensue_tape &tape, const Packed *packed, const int64_t *firsts, int first, int step);
    // Run one operation on one tile.
    void (*apply)(int operation, float *out, const float *a, const float *b, const float *c);
};
