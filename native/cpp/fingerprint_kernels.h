// Numbers of 32 bits side by side, mixed into the lanes of a fingerprint. Included inside the namespace of an instruction
// set; no guard.

typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t loose_words __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));

constexpr int LANES = 8;

// As long as a fingerprint's lanes, so that all have enough time between two words.
constexpr int64_t STEP = LANES * VECTOR_BYTES;

static void read_step(words (&lanes)[LANES], const char *from) {
    for (int lane = 0; lane < LANES; lane++) {
        // One to one in either, so that no single change goes unseen; turned, so that the highest bits, the signs of
        // floats, reach the others.
        words both = lanes[lane] ^ *(const loose_words *)(from + lane * VECTOR_BYTES);
        lanes[lane] = (both << 15 | both >> 17) * 0x9E3779B1u;
    }
}

static uint64_t fingerprint(const char *from, int64_t bytes) {
    words lanes[LANES] = {};
    char last[STEP] = {};
    int64_t at = 0;
    for (; bytes - at >= STEP; at += STEP) read_step(lanes, from + at);
    if (bytes > at) __builtin_memcpy(last, from + at, bytes - at);
    read_step(lanes, last);
    uint64_t whole = bytes;
    for (const words &lane : lanes)
        for (int i = 0; i < VECTOR_BYTES / 4; i++) {
            uint64_t both = whole ^ lane[i];
            whole = (both << 29 | both >> 35) * 0x9E3779B97F4A7C15ull;
        }
    return whole;
}
