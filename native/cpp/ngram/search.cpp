// Each step of the search runs over a block of questions, and asks for the memory of the next step of all of them, so
// that their misses of the cache pass together. No step branches on what it finds, which nobody could predict: what is
// of no account is written too, and overwritten by the next.
#include "ngram/search.h"

#include "ngram/index.h"

namespace {

using namespace packed;

// Searches that run side by side, so that the steps of one wait while those of the others run.
constexpr int GROUP = 4;

// Half of what is left to search, rounded up to a power of two; with one left, nothing.
inline uint32_t half_of(uint32_t count) {
    return count > 1 ? 0x80000000u >> __builtin_clz(count - 1) : 0;
}

// Step on if the symbol there is not above the one that is sought.
template <int BYTES, int STRIDE>
inline void step(const uint8_t *from, uint32_t &at, uint32_t by, uint32_t symbol) {
    uint32_t there = at + by;
    at = symbol_at<BYTES>(from + (int64_t)there * STRIDE) <= symbol ? there : at;
}

// The first step may leave as many as a power of two, so that all others are halves of it.
template <int BYTES, int STRIDE>
inline uint32_t first_step(const uint8_t *from, uint32_t &at, uint32_t count, uint32_t symbol) {
    uint32_t half = half_of(count);
    step<BYTES, STRIDE>(from, at, count > 1 ? count - half : 0, symbol);
    return half;
}

// Leave a stretch of at most SPARSE n-grams to the questions in a list, which has room for GROUP - 1 more.
template <int BYTES, int STRIDE>
void narrow(const ensue_ngram_rung &rung, const Asked *asked, Range *ranges, int *list, int count) {
    const uint8_t *sparse = rung.sparse;
    if (count) std::fill(list + count, list + count + GROUP - 1, list[count - 1]);
    for (int *group = list; group < list + count; group += GROUP) {
        uint32_t at[GROUP], half[GROUP], symbol[GROUP], most = 0;
        for (int i = 0; i < GROUP; i++) {
            Range range = ranges[group[i]];
            at[i] = range.begin / SPARSE, symbol[i] = asked[group[i]].symbol;
            uint32_t count = (range.begin + range.count - 1) / SPARSE + 1 - at[i];
            most |= half[i] = first_step<BYTES, BYTES>(sparse, at[i], count, symbol[i]);
        }
        while (most >>= 1)
            for (int i = 0; i < GROUP; i++) step<BYTES, BYTES>(sparse, at[i], half[i] >>= 1, symbol[i]);
        for (int i = 0; i < GROUP; i++) {
            Range &range = ranges[group[i]];
            uint32_t end = range.begin + range.count, stretch = at[i] * SPARSE;
            range.begin = std::max(range.begin, stretch);
            range.count = std::min(end, stretch + SPARSE) - range.begin;
            const uint8_t *first = rung.grams + (int64_t)range.begin * STRIDE;
            __builtin_prefetch(first);
            __builtin_prefetch(first + SPARSE * STRIDE - 1);
        }
    }
}

// Find the symbols of the questions in a list among at most MOST n-grams each.
template <int BYTES, int REST, int MOST>
Found *pick(const ensue_ngram_rung &rung, const Asked *asked, const Range *ranges, const int *list, int count,
            Found *found) {
    constexpr int STRIDE = BYTES + REST;
    for (int i = 0; i < count; i++) {
        uint32_t at = ranges[list[i]].begin, symbol = asked[list[i]].symbol;
        if (MOST > 1) {
            uint32_t half = first_step<BYTES, STRIDE>(rung.grams, at, ranges[list[i]].count, symbol);
            for (int by = MOST / 4; by; by /= 2) step<BYTES, STRIDE>(rung.grams, at, half >>= 1, symbol);
        }
        const uint8_t *gram = rung.grams + (int64_t)at * STRIDE;
        // Where the n-grams that continue it end, the record after it says, which may lie in the next line.
        if (REST != 4 && REST != 1) __builtin_prefetch(gram + STRIDE + BYTES);
        *found = {at, asked[list[i]].which};
        found += symbol_at<BYTES>(gram) == symbol;
    }
    return found;
}

// The stretches in which n-grams of length n are to be searched.
void ranges_of(const ensue_ngram_table &table, int n, const Asked *asked, int count, Range *ranges) {
    if (n == 2) {
        const Index index(table);
        for (int i = 0; i < count; i++) {
            ranges[i].begin = index.slot_of(asked[i].context, asked[i].symbol);
            __builtin_prefetch(index.places + ranges[i].begin);
        }
        for (int i = 0; i < count; i++) ranges[i] = index.pairs_of(ranges[i].begin);
    } else {
        const uint32_t above = (uint32_t)std::min<int64_t>(table.rungs[n - 1].nodes, NONE);
        for (int i = 0; i < count; i++) ranges[i] = range_of(table.rungs[n - 2], asked[i].context, above);
    }
}

template <int BYTES, int REST>
int find_all(const ensue_ngram_table &table, int n, const Asked *asked, int count, Found *found) {
    constexpr int STRIDE = BYTES + REST;
    const ensue_ngram_rung &rung = table.rungs[n - 1];
    Range ranges[BLOCK];
    int single[BLOCK + 1], few[BLOCK + 1], many[BLOCK + GROUP];
    int singles = 0, fews = 0, manys = 0;
    ranges_of(table, n, asked, count, ranges);
    for (int i = 0; i < count; i++) {
        Range range = ranges[i];
        bool large = range.count > SPARSE;
        const uint8_t *first = rung.grams + (int64_t)range.begin * STRIDE;
        const uint8_t *middle = rung.sparse + (int64_t)(range.begin + range.count / 2) / SPARSE * BYTES;
        __builtin_prefetch(large ? middle : first);
        __builtin_prefetch(large ? middle : first + range.count * STRIDE - 1);
        single[singles] = few[fews] = many[manys] = i;
        singles += range.count == 1;
        fews += range.count > 1 && !large;
        manys += large;
    }
    narrow<BYTES, STRIDE>(rung, asked, ranges, many, manys);
    Found *end = pick<BYTES, REST, 1>(rung, asked, ranges, single, singles, found);
    end = pick<BYTES, REST, SPARSE>(rung, asked, ranges, few, fews, end);
    return pick<BYTES, REST, SPARSE>(rung, asked, ranges, many, manys, end) - found;
}

// What a record has beside its symbol: a step and two values, or one value, of 4 bytes or of 1.
template <int BYTES>
int find_of(const ensue_ngram_table &table, int n, const Asked *asked, int count, Found *found) {
    switch (table.rungs[n - 1].bytes - BYTES) {
        case 9: return find_all<BYTES, 9>(table, n, asked, count, found);
        case 4: return find_all<BYTES, 4>(table, n, asked, count, found);
        case 3: return find_all<BYTES, 3>(table, n, asked, count, found);
        default: return find_all<BYTES, 1>(table, n, asked, count, found);
    }
}

}  // namespace

int packed::find(const ensue_ngram_table &table, int n, const Asked *asked, int count, Found *found) {
    switch (table.rungs[n - 1].symbol_bytes) {
        case 1: return find_of<1>(table, n, asked, count, found);
        case 2: return find_of<2>(table, n, asked, count, found);
        case 3: return find_of<3>(table, n, asked, count, found);
        default: return find_of<4>(table, n, asked, count, found);
    }
}
