// Rows times weights of any form (packing.h). Included inside the namespace of an instruction set; no guard.

INLINE float largest_magnitude(const float *row, int count) {
    vec most{};
    int k = 0;
    for (; k + WIDTH <= count; k += WIDTH) most = larger(magnitude(load(row + k)), most);
    float largest = 0;
    for (int i = 0; i < WIDTH; i++) largest = most[i] > largest ? most[i] : largest;
    for (; k < count; k++) largest = __builtin_fabsf(row[k]) > largest ? __builtin_fabsf(row[k]) : largest;
    return largest;
}

// In the form of Bytes (ticks.h).
static void to_bytes(const float *row, int inner, uint8_t *high, uint8_t *low, float *scale) {
    float largest = largest_magnitude(row, inner);
    *scale = largest / 16383;
    float by = largest > 0 ? 16383 / largest : 0;
    for (int k = 0; k < inner; k++) {
        // Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the low bits.
        float turned = row[k] * by + 12582912.0f;
        int32_t bits;
        __builtin_memcpy(&bits, &turned, 4);
        int32_t number = bits - 0x4b400000 + 16384;
        high[k] = (uint8_t)(number >> 7);
        low[k] = (uint8_t)(number & 127);
    }
}

template <int ROWS, typename Weights>
INLINE void add_input(vec (&total)[ROWS][BLOCK_VECTORS], const float *rows, int64_t step, const Weights &weights) {
    for (int j = 0; j < BLOCK_VECTORS; j++) {
        vec weight = weights(j);
        for (int row = 0; row < ROWS; row++) total[row][j] += all(rows[row * step]) * weight;
    }
}

template <int ROWS>
INLINE void multiply_bf16(const ivec *words, int inner, const float *rows, int64_t step,
                          vec (&total)[ROWS][BLOCK_VECTORS]) {
    constexpr int NEXT = TILE / WIDTH;
    vec odd[ROWS][BLOCK_VECTORS] = {};
    for (int k = 0; k < inner; k += 2, words += NEXT) {
        add_input<ROWS>(total, rows + k, step, [&](int j) { return from_bits(words[j] << 16); });
        if (k + 1 < inner)
            add_input<ROWS>(ROWS == 1 ? odd : total, rows + k + 1, step,
                            [&](int j) { return from_bits(words[j] & (int32_t)0xffff0000); });
    }
    for (int row = 0; row < ROWS; row++)
        for (int j = 0; j < BLOCK_VECTORS; j++) total[row][j] += odd[row][j];
}

template <int ROWS>
INLINE void multiply_int8(const ivec *words, int inner, const float *rows, int64_t step,
                          vec (&total)[ROWS][BLOCK_VECTORS]) {
    constexpr int NEXT = TILE / WIDTH;
    for (int k = 0; k < inner; k++) {
        int up = 24 - k % 4 * 8;
        const ivec *four = words + k / 4 * NEXT;
        add_input<ROWS>(total, rows + k, step,
                        [&](int j) { return __builtin_convertvector((four[j] << up) >> 24, vec); });
    }
}

template <int ROWS>
static void multiply_narrow(int format, const char *panel, int inner, const float *rows, int64_t step, float *out,
                            int64_t out_step, const float *add, int64_t add_step) {
    for (int column = 0; column < TILE; column += BLOCK_VECTORS * WIDTH) {
        vec total[ROWS][BLOCK_VECTORS] = {};
        if (format == ENSUE_BF16) multiply_bf16<ROWS>((const ivec *)(panel + 4 * column), inner, rows, step, total);
        else multiply_int8<ROWS>((const ivec *)(panel + 2 * WORDS + 4 * column), inner, rows, step, total);
        for (int row = 0; row < ROWS; row++)
            for (int j = 0; j < BLOCK_VECTORS; j++) {
                int at = column + j * WIDTH;
                vec value = total[row][j];
                if (format == ENSUE_INT8) value = value * *(const vec *)(panel + 4 * at);
                store(out + row * out_step + at, add ? load(add + row * add_step + at) + value : value);
            }
    }
}

#if VECTOR_BYTES == 64
// Written out, for around the intrinsic GCC copies each sum from register to register, twice; and because a function of
// a further instruction set would not be one with those that it calls.
INLINE void add_products(__m512i &sum, int32_t four, __m512i weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(_mm512_set1_epi32(four)), "v"(weights));
}

// int8 by the machine's own products of bytes: the weights are multiplied as they are, once by the high and once by the
// low bytes of a row.
template <int ROWS>
static void multiply_bytes(const char *panel, int inner, const Bytes &rows, int row, float *out, int64_t out_step,
                           const float *add, int64_t add_step) {
    __m512i high[ROWS][4] = {}, low[ROWS][4] = {};
    const char *words = panel + 2 * WORDS;
    for (int k = 0; k < inner; k += 4, words += WORDS) {
        __m512i weights[4];
        #pragma GCC unroll 4
        for (int j = 0; j < 4; j++) weights[j] = _mm512_load_si512(words + 64 * j);
        #pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) {
            int32_t four_high, four_low;
            __builtin_memcpy(&four_high, rows.high + (row + r) * rows.step + k, 4);
            __builtin_memcpy(&four_low, rows.low + (row + r) * rows.step + k, 4);
            #pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                add_products(high[r][j], four_high, weights[j]);
                add_products(low[r][j], four_low, weights[j]);
            }
        }
    }
    #pragma GCC unroll 4
    for (int r = 0; r < ROWS; r++)
        #pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            int at = j * WIDTH;
            ivec sums = *(const ivec *)(panel + WORDS + 4 * at);
            vec tops = __builtin_convertvector((ivec)high[r][j] - 128 * sums, vec);
            vec value = tops * 128.0f + __builtin_convertvector((ivec)low[r][j], vec);
            value = value * (*(const vec *)(panel + 4 * at) * rows.scales[row + r]);
            store(out + r * out_step + at, add ? load(add + r * add_step + at) + value : value);
        }
}

static void multiply_by_bytes(const char *panel, int inner, const Bytes &bytes, int row, int rows, float *out,
                              int64_t out_step, const float *add, int64_t add_step) {
    // More rows at once would not leave enough registers.
    for (; rows >= 2; rows -= 2, row += 2, out += 2 * out_step, add = add ? add + 2 * add_step : add)
        multiply_bytes<2>(panel, inner, bytes, row, out, out_step, add, add_step);
    if (rows == 1) multiply_bytes<1>(panel, inner, bytes, row, out, out_step, add, add_step);
}
#else
static void multiply_by_bytes(const char *, int, const Bytes &, int, int, float *, int64_t, const float *, int64_t) {}
#endif

// One row of fp32 keeps eight sums, for each must wait for its last addition; and of a last tile that is short it reads
// only what there is.
template <int VECTORS>
static void multiply_one(const float *panel, int inner, const float *row, float *out, const float *add) {
    constexpr int CHAINS = 8 / VECTORS;
    vec total[CHAINS][VECTORS] = {};
    auto add_input = [&](int chain, int k) {
        #pragma GCC unroll 8
        for (int j = 0; j < VECTORS; j++)
            total[chain][j] += all(row[k]) * *(const vec *)(panel + k * TILE + j * WIDTH);
    };
    int k = 0;
    // Few enough turns for the processor to foresee the last one.
    #pragma GCC unroll 4
    for (; k + CHAINS <= inner; k += CHAINS) {
        #pragma GCC unroll 8
        for (int chain = 0; chain < CHAINS; chain++) add_input(chain, k + chain);
    }
    for (; k < inner; k++) add_input(0, k);
    #pragma GCC unroll 8
    for (int j = 0; j < VECTORS; j++) {
        #pragma GCC unroll 8
        for (int chain = 1; chain < CHAINS; chain++) total[0][j] += total[chain][j];
        store(out + j * WIDTH, add ? load(add + j * WIDTH) + total[0][j] : total[0][j]);
    }
}

static void multiply_units(int count, const float *panel, int inner, const float *row, float *out, const float *add) {
    for (int unit = 0; unit < count;) {
        int vectors = (count - unit + WIDTH - 1) / WIDTH;
        const float *from = add ? add + unit : nullptr;
        if (vectors >= 4) multiply_one<4>(panel + unit, inner, row, out + unit, from), unit += 4 * WIDTH;
        else if (vectors >= 2) multiply_one<2>(panel + unit, inner, row, out + unit, from), unit += 2 * WIDTH;
        else multiply_one<1>(panel + unit, inner, row, out + unit, from), unit += WIDTH;
    }
}
