// Reading the n-grams of every length off the sorted positions of a text, by comparing neighbours.
#include "ensue.h"

#include <algorithm>

namespace {

// How many lengths are numbered in one pass: what is kept for a position then fills a quarter of a cache line.
constexpr int LENGTHS = 4;
// How far ahead of their use the random places of a pass are asked for.
constexpr int64_t AHEAD = 16;

struct Sorted {
    const uint32_t *at;
    const uint8_t *shared, *reach;
    int64_t length;
};

// Symbols, contexts and counts of all lengths; the places of n-grams are counted on along the sorted positions.
void read(const int32_t *text, int32_t order, const Sorted &sorted, ensue_ngram_level *levels) {
    int64_t places[256];
    std::fill(places, places + order, -1);
    for (int n = 2; n <= order; n++) levels[n - 1].started = levels[n - 1].nodes;
    for (int64_t i = 0; i < sorted.length; i++) {
        if (i + AHEAD < sorted.length) __builtin_prefetch(text + sorted.at[i + AHEAD]);
        const int32_t *here = text + sorted.at[i];
        places[0] = here[0];
        for (int n = std::max<int>(2, sorted.shared[i] + 1); n <= sorted.reach[i]; n++) {
            ensue_ngram_level &level = levels[n - 1];
            int64_t place = ++places[n - 1];
            level.symbol[place] = here[n - 1];
            level.context[place] = (int32_t)places[n - 2];
            level.count[place] = 0;
            if (place < level.started && places[n - 2] >= levels[n - 2].started) level.started = place;
        }
        for (int n = 2; n <= sorted.reach[i]; n++) levels[n - 1].count[places[n - 1]]++;
    }
}

// Give what each n-gram of length first + 1 to last + 1 has for its last symbols: an n-gram of length first to last.
void find_suffixes(const int32_t *text, int first, int last, const Sorted &sorted, int32_t *numbers,
                   ensue_ngram_level *levels) {
    int64_t places[256];
    std::fill(places, places + last + 1, -1);
    const uint32_t *at = sorted.at;
    for (int64_t i = 0; i < sorted.length; i++) {
        if (i + AHEAD < sorted.length) __builtin_prefetch(numbers + (int64_t)at[i + AHEAD] * LENGTHS, 1);
        places[0] = text[at[i]];
        int to = std::min<int>(last, sorted.reach[i]);
        for (int n = std::max<int>(2, sorted.shared[i] + 1); n <= to; n++) places[n - 1]++;
        for (int n = first; n <= to; n++) numbers[(int64_t)at[i] * LENGTHS + n - first] = (int32_t)places[n - 1];
    }
    std::fill(places, places + last + 1, -1);
    for (int64_t i = 0; i < sorted.length; i++) {
        if (i + AHEAD < sorted.length) __builtin_prefetch(numbers + ((int64_t)at[i + AHEAD] + 1) * LENGTHS);
        int to = std::min<int>(last + 1, sorted.reach[i]);
        for (int n = std::max<int>(first + 1, sorted.shared[i] + 1); n <= to; n++)
            levels[n - 1].suffix[++places[n - 1]] = numbers[((int64_t)at[i] + 1) * LENGTHS + n - 1 - first];
    }
}

// How many distinct symbols stand before an n-gram: as often as it is a suffix. What begins a record has its count.
void count_left(ensue_ngram_level &level, const ensue_ngram_level &above) {
    std::fill(level.left, level.left + level.started, 0);
    for (int64_t i = 0; i < above.nodes; i++) {
        if (i + AHEAD < above.nodes) __builtin_prefetch(level.left + above.suffix[i + AHEAD], 1);
        level.left[above.suffix[i]]++;
    }
    std::copy(level.count + level.started, level.count + level.nodes, level.left + level.started);
}

}  // namespace

void ensue_ngram_levels(const int32_t *text, int64_t length, int32_t order, const uint32_t *at,
                        const uint8_t *shared, const uint8_t *reach, ensue_ngram_level *levels, void *scratch) {
    Sorted sorted{at, shared, reach, length};
    read(text, order, sorted, levels);
    for (int first = 1; first < order; first += LENGTHS)
        find_suffixes(text, first, std::min(order - 1, first + LENGTHS - 1), sorted, (int32_t *)scratch, levels);
    for (int n = 1; n < order; n++) count_left(levels[n - 1], levels[n]);
}
