// The packed n-grams of one length (ensue_ngram_rung): where the parts of a record lie, and where continuations begin.
#pragma once
#include <string.h>

#include <algorithm>

#include "ensue.h"

namespace packed {

// Blocks of contexts share the place where their n-grams begin.
constexpr uint32_t CONTEXTS = 32;
constexpr uint32_t FAR = 1u << 31;
// One symbol in so many stands apart too.
constexpr uint32_t SPARSE = 8;
// No n-gram has this place.
constexpr uint32_t NONE = ~0u;

inline const uint8_t *gram(const ensue_ngram_rung &rung, uint32_t node) {
    return rung.grams + (int64_t)node * rung.bytes;
}

inline float value(const uint8_t *at, const float *book) {
    if (book) return book[*at];
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}
inline float probability_of(const ensue_ngram_rung &rung, uint32_t node) {
    return value(gram(rung, node) + rung.symbol_bytes + (rung.base ? 1 : 0), rung.probabilities);
}
inline float backoff_of(const ensue_ngram_rung &rung, uint32_t node) {
    return value(gram(rung, node) + rung.symbol_bytes + 1 + (rung.probabilities ? 1 : 4), rung.backoffs);
}

// As many bytes as a symbol has, so that the compiler knows them.
template <int BYTES>
inline uint32_t symbol_at(const uint8_t *from) {
    uint32_t symbol = 0;
    memcpy(&symbol, from, BYTES);
    return symbol;
}

inline uint32_t symbol_of(const ensue_ngram_rung &rung, uint32_t node) {
    uint32_t symbol = 0;
    for (int i = 0; i < rung.symbol_bytes; i++) symbol |= (uint32_t)gram(rung, node)[i] << 8 * i;
    return symbol;
}

struct Range {
    uint32_t begin, count;
};

// Where the n-grams of a context begin among the `above` of the next length.
inline uint32_t begin_of(const ensue_ngram_rung &rung, uint32_t context, uint32_t above) {
    if (context >= rung.nodes) return above;
    uint32_t base = rung.base[context / CONTEXTS];
    if (base < FAR) return base + gram(rung, context)[rung.symbol_bytes];
    if ((base & ~FAR) >= rung.far_blocks) return above;
    return rung.far[(int64_t)(base & ~FAR) * CONTEXTS + context % CONTEXTS];
}

// The n-grams of a context. The next context, with which they end, is mostly of the same block: one look serves both.
inline Range range_of(const ensue_ngram_rung &rung, uint32_t context, uint32_t above) {
    uint32_t base = rung.base[context / CONTEXTS], within = context % CONTEXTS, begin, end;
    bool together = within != CONTEXTS - 1 && context + 1 < rung.nodes;
    if (together && base < FAR) {
        const uint8_t *step = gram(rung, context) + rung.symbol_bytes;
        begin = base + step[0];
        end = base + step[rung.bytes];
    } else if (together && (base & ~FAR) < rung.far_blocks) {
        const uint32_t *far = rung.far + (int64_t)(base & ~FAR) * CONTEXTS + within;
        begin = far[0];
        end = far[1];
    } else {
        begin = begin_of(rung, context, above);
        end = begin_of(rung, context + 1, above);
    }
    end = std::min(end, above);
    begin = std::min(begin, end);
    return {begin, end - begin};
}

}  // namespace packed
