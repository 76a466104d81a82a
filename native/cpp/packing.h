// How the weights of a product lie in memory, and in which form: fp32, bf16 or int8.
//
// As in product.h: tile by tile, gate by gate, a panel of 64 units. Narrower weights stand in words of 32 bits, 64 of
// them side by side: two inputs a word in bf16, four in int8. A panel of int8 begins with the scale of each unit, and
// the sum of its weights.
#pragma once
#include "ensue.h"
#include "operations.h"

constexpr int64_t WORDS = 4 * TILE;

inline int inputs_a_word(int format) { return format == ENSUE_INT8 ? 4 : format == ENSUE_BF16 ? 2 : 1; }

inline int64_t panel_bytes(int format, int inner) {
    int each = inputs_a_word(format);
    return (inner + each - 1) / each * WORDS + (format == ENSUE_INT8 ? 2 * WORDS : 0);
}

inline int tiles_of(int units) { return (units + TILE - 1) / TILE; }
