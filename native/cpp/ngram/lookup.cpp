// Questions to a packed table, many at once: each step of the search runs over a block of questions, and asks for the
// memory of the next step of all of them, so that their misses of the cache pass together.
#include "ensue.h"

#include <string.h>

#include <algorithm>

namespace {

constexpr int MOST_ORDER = 32, BLOCK = 256;
// Blocks of contexts share the place where their n-grams begin.
constexpr int CONTEXTS = 32;

struct Range {
    int64_t begin, end;
};

float value(const void *values, const float *book, int64_t node) {
    return book ? book[((const uint8_t *)values)[node]] : ((const float *)values)[node];
}
void ask_for(const void *values, const float *book, int64_t node) {
    __builtin_prefetch(book ? (const void *)((const uint8_t *)values + node) : (const float *)values + node);
}
float probability_of(const ensue_ngram_rung &rung, int64_t node) {
    return value(rung.probability, rung.probabilities, node);
}
float backoff_of(const ensue_ngram_rung &rung, int64_t node) { return value(rung.backoff, rung.backoffs, node); }

int64_t begin_of(const ensue_ngram_rung &rung, int64_t context) {
    int64_t block = context / CONTEXTS;
    const uint8_t *steps = rung.step + block * CONTEXTS;
    if (!steps[0]) return std::min<int64_t>(rung.base[block] + (int64_t)steps[context % CONTEXTS], rung.nodes);
    uint32_t number;
    memcpy(&number, steps + 1, sizeof number);
    if (number >= rung.far_blocks) return rung.nodes;
    return std::min<int64_t>(rung.far[(int64_t)number * CONTEXTS + context % CONTEXTS], rung.nodes);
}

Range range_of(const ensue_ngram_rung &rung, int64_t context) {
    int64_t begin = begin_of(rung, context), next = context + 1;
    int64_t end = next % CONTEXTS ? begin_of(rung, next) : std::min<int64_t>(rung.base[next / CONTEXTS], rung.nodes);
    return {begin, std::max(begin, end)};
}

template <int BYTES>
uint32_t symbol_at(const uint8_t *symbols, int64_t node) {
    uint32_t symbol = 0;
    memcpy(&symbol, symbols + node * BYTES, BYTES);
    return symbol;
}

// The place of a symbol among the ascending ones of a range; -1 if it is not there.
template <int BYTES>
int64_t find(const uint8_t *symbols, Range range, uint32_t symbol) {
    int64_t begin = range.begin, count = range.end - range.begin;
    if (!count) return -1;
    while (count > 1) {
        int64_t half = count / 2;
        begin += symbol_at<BYTES>(symbols, begin + half) <= symbol ? half : 0;
        count -= half;
    }
    return symbol_at<BYTES>(symbols, begin) == symbol ? begin : -1;
}

// Find the n-grams that symbols make of contexts, at most BLOCK of them; -1 for those that are not there.
template <int BYTES>
void find_all(const ensue_ngram_rung &rung, const int64_t *contexts, const int64_t *symbols, int count,
              int64_t *places) {
    Range ranges[BLOCK];
    for (int i = 0; i < count; i++)
        if (contexts[i] >= 0) {
            __builtin_prefetch(rung.base + contexts[i] / CONTEXTS);
            __builtin_prefetch(rung.step + contexts[i]);
        }
    for (int i = 0; i < count; i++) {
        ranges[i] = contexts[i] >= 0 && contexts[i] < rung.contexts ? range_of(rung, contexts[i]) : Range{0, 0};
        int64_t middle = ranges[i].begin + (ranges[i].end - ranges[i].begin) / 2;
        __builtin_prefetch(rung.symbol + middle * BYTES);
    }
    for (int i = 0; i < count; i++) {
        places[i] = symbols[i] < 0 ? -1 : find<BYTES>(rung.symbol, ranges[i], (uint32_t)symbols[i]);
    }
}

void follow(const ensue_ngram_rung &rung, const int64_t *contexts, const int64_t *symbols, int count, int64_t *places) {
    switch (rung.symbol_bytes) {
        case 1: return find_all<1>(rung, contexts, symbols, count, places);
        case 2: return find_all<2>(rung, contexts, symbols, count, places);
        case 3: return find_all<3>(rung, contexts, symbols, count, places);
        default: return find_all<4>(rung, contexts, symbols, count, places);
    }
}

// The same for the longest lengths, of contexts[n - 1][i] and wholes[n - 1][i] with n < order.
void weigh(const ensue_ngram_table &table, const int64_t *const *contexts, const int64_t *const *wholes,
           const int64_t *symbols, int count, double *probability) {
    for (int i = 0; i < count; i++) {
        int n = table.order;
        for (; n > 1 && wholes[n - 2][i] < 0; n--)
            if (contexts[n - 2][i] >= 0)
                ask_for(table.rungs[n - 2].backoff, table.rungs[n - 2].backoffs, contexts[n - 2][i]);
        const ensue_ngram_rung &rung = table.rungs[n - 1];
        if (n > 1) ask_for(rung.probability, rung.probabilities, wholes[n - 2][i]);
    }
    for (int i = 0; i < count; i++) {
        bool known = symbols[i] >= 0 && symbols[i] < table.rungs[0].nodes;
        int n = table.order;
        while (n > 1 && wholes[n - 2][i] < 0) n--;
        double result = n > 1 ? probability_of(table.rungs[n - 1], wholes[n - 2][i])
                              : known ? probability_of(table.rungs[0], symbols[i]) : 0.0;
        for (; n < table.order; n++)
            if (contexts[n - 1][i] >= 0) result *= backoff_of(table.rungs[n - 1], contexts[n - 1][i]);
        probability[i] = result;
    }
}

// The nodes that end at each symbol of a block of one row, one row of numbers for each length, after those of the
// symbol before the block, which stand in front.
struct Nodes {
    int64_t of[MOST_ORDER][BLOCK + 1];

    void begin_row(int longest) {
        for (int n = 0; n < longest; n++) of[n][0] = -1;
    }
    void carry(int longest, int count) {
        for (int n = 0; n < longest; n++) of[n][0] = of[n][count];
    }
    void read(const ensue_ngram_table &table, const int64_t *symbols, int count, int longest) {
        for (int i = 0; i < count; i++) {
            bool known = symbols[i] >= 0 && symbols[i] < table.rungs[0].nodes;
            of[0][i + 1] = known ? symbols[i] : -1;
        }
        for (int n = 1; n < longest; n++) follow(table.rungs[n], of[n - 1], symbols, count, of[n] + 1);
    }
};

template <typename Visit>
void each_block(const ensue_ngram_table &table, const int64_t *text, int64_t rows, int64_t width, int longest,
                Visit visit) {
    Nodes nodes;
    for (int64_t row = 0; row < rows; row++) {
        nodes.begin_row(longest);
        for (int64_t begin = 0; begin < width; begin += BLOCK) {
            int count = (int)std::min<int64_t>(BLOCK, width - begin);
            nodes.read(table, text + row * width + begin, count, longest);
            visit(nodes, row, begin, count);
            nodes.carry(longest, count);
        }
    }
}

}  // namespace

void ensue_ngram_places(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                        int64_t longest, int64_t *const *places) {
    each_block(*table, text, rows, width, (int)longest, [&](const Nodes &nodes, int64_t row, int64_t begin, int count) {
        for (int n = 2; n <= longest; n++)
            std::copy(nodes.of[n - 1] + 1, nodes.of[n - 1] + 1 + count, places[n - 2] + row * width + begin);
    });
}

void ensue_ngram_score(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                       int64_t first, double *probability) {
    const int64_t *contexts[MOST_ORDER], *wholes[MOST_ORDER];
    each_block(*table, text, rows, width, table->order, [&](const Nodes &nodes, int64_t row, int64_t begin, int count) {
        int skipped = (int)std::max<int64_t>(0, first - begin);
        if (skipped >= count) return;
        for (int n = 1; n < table->order; n++) {
            contexts[n - 1] = nodes.of[n - 1] + skipped;
            wholes[n - 1] = nodes.of[n] + 1 + skipped;
        }
        weigh(*table, contexts, wholes, text + row * width + begin + skipped, count - skipped,
              probability + row * (width - first) + begin + skipped - first);
    });
}

void ensue_ngram_ask(const ensue_ngram_table *table, const int64_t *const *contexts, const int64_t *symbols,
                     int64_t count, double *probability) {
    int64_t found[MOST_ORDER][BLOCK];
    const int64_t *here[MOST_ORDER], *wholes[MOST_ORDER];
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        int some = (int)std::min<int64_t>(BLOCK, count - begin);
        for (int n = 1; n < table->order; n++) {
            here[n - 1] = contexts[n - 1] + begin;
            wholes[n - 1] = found[n];
            follow(table->rungs[n], here[n - 1], symbols + begin, some, found[n]);
        }
        weigh(*table, here, wholes, symbols + begin, some, probability + begin);
    }
}

void ensue_ngram_distributions(const ensue_ngram_table *table, const int64_t *const *contexts, int64_t rows,
                               double *probabilities) {
    const ensue_ngram_rung *rungs = table->rungs;
    for (int64_t row = 0; row < rows; row++) {
        double *result = probabilities + row * table->size;
        for (int32_t symbol = 0; symbol < table->size; symbol++) result[symbol] = probability_of(rungs[0], symbol);
        for (int n = 1; n < table->order; n++) {
            int64_t context = contexts[n - 1][row];
            if (context < 0 || context >= rungs[n].contexts) continue;
            double weight = backoff_of(rungs[n - 1], context);
            for (int32_t symbol = 0; symbol < table->size; symbol++) result[symbol] *= weight;
            Range range = range_of(rungs[n], context);
            for (int64_t node = range.begin; node < range.end; node++) {
                uint32_t symbol = 0;
                memcpy(&symbol, rungs[n].symbol + node * rungs[n].symbol_bytes, rungs[n].symbol_bytes);
                if (symbol < (uint32_t)table->size) result[symbol] = probability_of(rungs[n], node);
            }
        }
    }
}
