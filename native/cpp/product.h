// Rows times a packed matrix. Included inside the namespace of an instruction set; no guard.
//
// A matrix of `gates` times `units` outputs is packed for `inner` inputs as panels of 64 units: tile by tile, gate by
// gate, input by input, 64 numbers side by side (zeros past the last unit), so that it is read once, straight on.

// As many rows at once as registers allow: every number of the matrix that is loaded is used that often.
constexpr int BLOCK_VECTORS = VECTOR_BYTES == 32 ? 2 : 4;
constexpr int BLOCK_ROWS = VECTOR_BYTES == 64 ? 6 : 4;

template <int ROWS>
INLINE void multiply_block(const float *panel, int inner, const float *rows, int64_t step, int64_t inner_step, float *out,
                           int64_t out_step, const float *add, int64_t add_step) {
    vec total[ROWS][BLOCK_VECTORS] = {};
    for (int k = 0; k < inner; k++) {
        vec weights[BLOCK_VECTORS];
        for (int j = 0; j < BLOCK_VECTORS; j++) weights[j] = *(const vec *)(panel + k * TILE + j * WIDTH);
        for (int row = 0; row < ROWS; row++) {
            vec value = all(rows[row * step + k * inner_step]);
            for (int j = 0; j < BLOCK_VECTORS; j++) total[row][j] += value * weights[j];
        }
    }
    for (int row = 0; row < ROWS; row++)
        for (int j = 0; j < BLOCK_VECTORS; j++)
            store(out + row * out_step + j * WIDTH,
                  add ? load(add + row * add_step + j * WIDTH) + total[row][j] : total[row][j]);
}

template <int ROWS>
static void multiply_tile(const float *panel, int inner, const float *rows, int64_t step, int64_t inner_step, float *out,
                          int64_t out_step, const float *add, int64_t add_step) {
    for (int column = 0; column < TILE; column += BLOCK_VECTORS * WIDTH)
        multiply_block<ROWS>(panel + column, inner, rows, step, inner_step, out + column, out_step,
                             add ? add + column : nullptr, add_step);
}

// out = add + rows * panel for at most BLOCK_ROWS rows and one panel of 64 outputs; input k of a row is at k * inner_step.
static void multiply_rows(int count, const float *panel, int inner, const float *rows, int64_t step, int64_t inner_step,
                          float *out, int64_t out_step, const float *add, int64_t add_step) {
    switch (count) {
        case 1: return multiply_tile<1>(panel, inner, rows, step, inner_step, out, out_step, add, add_step);
        case 2: return multiply_tile<2>(panel, inner, rows, step, inner_step, out, out_step, add, add_step);
        case 3: return multiply_tile<3>(panel, inner, rows, step, inner_step, out, out_step, add, add_step);
        case 4: return multiply_tile<4>(panel, inner, rows, step, inner_step, out, out_step, add, add_step);
        case 5: return multiply_tile<5>(panel, inner, rows, step, inner_step, out, out_step, add, add_step);
        case 6: return multiply_tile<6>(panel, inner, rows, step, inner_step, out, out_step, add, add_step);
    }
}
