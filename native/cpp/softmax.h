// Probabilities of float64 from scores of float32. Included inside the namespace of an instruction set; no guard.

#include "vector.h"

constexpr int LANES = VECTOR_BYTES / 8;
typedef double wide __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef double loose_wide __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef int64_t wide_bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef float half_vec __attribute__((vector_size(VECTOR_BYTES / 2), aligned(4), may_alias));

// exp(x) for x <= 0, at most 1 unit in the last place from the true value (a test measures it); below -708, that of -708.
INLINE wide exp_of_negative(wide x) {
    x = x < -708.0 ? wide{} - 708.0 : x;
    // As in functions.h: x = n ln 2 + r, where n stands in the low bits of what 1.5 * 2^52 rounds.
    const wide shift = wide{} + 6755399441055744.0;
    wide turned = x * 1.4426950408889634 + shift;
    wide n = turned - shift;
    wide r = x - n * 6.93147180369123816490e-01;
    r = r - n * 1.90821492927058770002e-10;
    // The Taylor series, whose next term is below 5e-18.
    wide series = wide{} + 1 / 6227020800.0;
    for (double factorial = 479001600, next = 12; next >= 2; factorial /= next--) series = series * r + 1 / factorial;
    return (series * (r * r) + r + 1.0) * (wide)(((wide_bits)turned << 52) + (1023ll << 52));
}

// exp(x) in place, for x <= 0.
static void exponentials(double *x, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) *(loose_wide *)(x + i) = exp_of_negative(*(const loose_wide *)(x + i));
    for (; i < count; i++) x[i] = exp_of_negative(wide{} + x[i])[0];
}

INLINE float largest_of(const float *scores, int size) {
    vec most = all(-__builtin_inff());
    int id = 0;
    for (; id + WIDTH <= size; id += WIDTH) most = larger(load(scores + id), most);
    float largest = -__builtin_inff();
    for (int i = 0; i < WIDTH; i++) largest = most[i] > largest ? most[i] : largest;
    for (; id < size; id++) largest = scores[id] > largest ? scores[id] : largest;
    return largest;
}

static double softmax(const float *scores, int size, double *out) {
    double highest = largest_of(scores, size), total = 0;
    wide sums = {};
    int id = 0;
    for (; id + LANES <= size; id += LANES) {
        wide x = __builtin_convertvector(*(const half_vec *)(scores + id), wide) - highest;
        sums += *(loose_wide *)(out + id) = exp_of_negative(x);
    }
    for (; id < size; id++) total += out[id] = exp_of_negative(wide{} + (scores[id] - highest))[0];
    for (int lane = 0; lane < LANES; lane++) total += sums[lane];
    double share = 1 / total;
    for (id = 0; id < size; id++) {
        double probability = out[id] * share;
        // Rounded to single precision it would vanish.
        out[id] = probability <= 0x1p-150 ? 0 : probability;
    }
    return highest + __builtin_log(total);
}
