// Vectors of as many floats as a register holds. Included inside the namespace of an instruction set; no guard.
// The compiler's own vector types carry the arithmetic, so there is no code for any one machine here.

constexpr int WIDTH = VECTOR_BYTES / 4;
typedef float vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef float loose_vec __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(VECTOR_BYTES), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *from) { return *(const loose_vec *)from; }
INLINE void store(float *to, vec value) { *(loose_vec *)to = value; }
INLINE vec all(float value) { return value - vec{}; }
INLINE vec larger(vec a, vec b) { return a > b ? a : b; }
INLINE vec smaller(vec a, vec b) { return a < b ? a : b; }
INLINE ivec bits(vec value) { return (ivec)value; }
INLINE vec from_bits(ivec value) { return (vec)value; }
INLINE vec magnitude(vec value) { return from_bits(bits(value) & 0x7fffffff); }

INLINE float sum_of(vec value) {
    float total = 0;
    for (int i = 0; i < WIDTH; i++) total += value[i];
    return total;
}
