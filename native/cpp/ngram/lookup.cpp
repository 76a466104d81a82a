// Questions to a packed table, many at once: each step of the search runs over a block of questions, and asks for the
// memory of the next step of all of them, so that their misses of the cache pass together.
#include "ensue.h"
#include "threads.h"

#include <string.h>

#include <algorithm>

namespace {

constexpr int MOST_ORDER = 32, BLOCK = 256;
// Blocks of contexts share the place where their n-grams begin.
constexpr int CONTEXTS = 32;
constexpr uint32_t FAR = 1u << 31;
// Contexts with few n-grams, which most have, are searched in as many halvings as these; among more, every eighth
// symbol is looked at first, and searches run side by side in small groups.
constexpr int FEW = 8, HALVINGS = 3, GROUP = 8;

const uint8_t *gram(const ensue_ngram_rung &rung, int64_t node) { return rung.grams + node * rung.bytes; }

float value(const uint8_t *at, const float *book) {
    if (book) return book[*at];
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}
float probability_of(const ensue_ngram_rung &rung, int64_t node) {
    return value(gram(rung, node) + rung.symbol_bytes + (rung.base ? 1 : 0), rung.probabilities);
}
float backoff_of(const ensue_ngram_rung &rung, int64_t node) {
    return value(gram(rung, node) + rung.symbol_bytes + 1 + (rung.probabilities ? 1 : 4), rung.backoffs);
}

struct Range {
    int64_t begin, end;
};

// Where the n-grams of a context begin among the `above` of the next length.
int64_t begin_of(const ensue_ngram_rung &rung, int64_t context, int64_t above) {
    if (context >= rung.nodes) return above;
    uint32_t base = rung.base[context / CONTEXTS];
    int64_t begin = above;
    if (base < FAR)
        begin = (int64_t)base + gram(rung, context)[rung.symbol_bytes];
    else if ((base & ~FAR) < rung.far_blocks)
        begin = rung.far[(int64_t)(base & ~FAR) * CONTEXTS + context % CONTEXTS];
    return std::min(begin, above);
}

Range range_of(const ensue_ngram_rung &rung, int64_t context, int64_t above) {
    int64_t begin = begin_of(rung, context, above), end = begin_of(rung, context + 1, above);
    return {begin, std::max(begin, end)};
}

// As many bytes as a symbol has, so that the compiler knows them.
template <int BYTES>
uint32_t symbol_at(const uint8_t *from) {
    uint32_t symbol = 0;
    memcpy(&symbol, from, BYTES);
    return symbol;
}

struct Search {
    int64_t begin, count;
    uint32_t symbol;
    int which;
};

// Keep the half in which a symbol is, if it is anywhere. No branch: nobody could predict it.
template <int BYTES>
inline void halve(const uint8_t *from, int64_t step, Search &search) {
    int64_t half = search.count >> 1;
    search.begin += half & -(int64_t)(symbol_at<BYTES>(from + (search.begin + half) * step) <= search.symbol);
    search.count -= half;
}

template <int BYTES>
void search_few(const ensue_ngram_rung &rung, const Search *searches, int count, int64_t *places) {
    for (int i = 0; i < count; i++) {
        Search search = searches[i];
        for (int halving = 0; halving < HALVINGS; halving++) halve<BYTES>(rung.grams, rung.bytes, search);
        const uint8_t *found = gram(rung, search.begin);
        // Where the n-grams that continue it end, the record after it says, which may lie in the next line.
        __builtin_prefetch(found + rung.bytes + BYTES);
        bool there = symbol_at<BYTES>(found) == search.symbol;
        places[search.which] = there ? search.begin : -1;
    }
}

// Leave a stretch of at most FEW n-grams to each search.
template <int BYTES>
void narrow(const ensue_ngram_rung &rung, Search *searches, int count) {
    for (int first = 0; first < count; first += GROUP) {
        int last = std::min(count, first + GROUP);
        Search group[GROUP];
        int64_t most = 1;
        for (int i = first; i < last; i++) {
            int64_t begin = searches[i].begin / FEW, end = (searches[i].begin + searches[i].count - 1) / FEW + 1;
            group[i - first] = {begin, end - begin, searches[i].symbol, 0};
            most = std::max(most, end - begin);
        }
        for (; most > 1; most -= most / 2)
            for (int i = 0; i < last - first; i++) halve<BYTES>(rung.sparse, BYTES, group[i]);
        for (int i = first; i < last; i++) {
            int64_t end = searches[i].begin + searches[i].count, found = group[i - first].begin * FEW;
            searches[i].begin = std::max(searches[i].begin, found);
            searches[i].count = std::min(end, found + FEW) - searches[i].begin;
            __builtin_prefetch(gram(rung, searches[i].begin));
            __builtin_prefetch(gram(rung, searches[i].begin + searches[i].count));
        }
    }
}

// Find the n-grams that symbols make of contexts, at most BLOCK of them; -1 for those that are not there. What is not
// to be searched is left out of the lists without a branch, which would be mispredicted half of the time.
template <int BYTES>
void find_all(const ensue_ngram_rung &below, const ensue_ngram_rung &rung, const int64_t *contexts,
              const int64_t *symbols, int count, int64_t *places) {
    int asked[BLOCK + 1], known = 0, few = 0, many = 0;
    Search small[BLOCK + 1], large[BLOCK + 1];
    for (int i = 0; i < count; i++) {
        bool there = (uint64_t)contexts[i] < (uint64_t)below.nodes && symbols[i] >= 0;
        asked[known] = i;
        known += there;
        int64_t context = there ? contexts[i] : 0;
        __builtin_prefetch(below.base + context / CONTEXTS);
        places[i] = -1;
    }
    for (int j = 0; j < known; j++) {
        int i = asked[j];
        Range range = range_of(below, contexts[i], rung.nodes);
        int64_t nodes = range.end - range.begin;
        __builtin_prefetch(gram(rung, range.begin));
        __builtin_prefetch(gram(rung, range.begin + std::min<int64_t>(nodes, FEW)) - 1);
        // Written twice from registers: a copy would wait for what was just stored.
        small[few].begin = large[many].begin = range.begin;
        small[few].count = large[many].count = nodes;
        small[few].symbol = large[many].symbol = (uint32_t)symbols[i];
        small[few].which = large[many].which = i;
        few += nodes > 0 && nodes <= FEW;
        many += nodes > FEW;
    }
    narrow<BYTES>(rung, large, many);
    search_few<BYTES>(rung, small, few, places);
    search_few<BYTES>(rung, large, many, places);
}

// Of contexts of length n - 1, the nodes of length n.
void follow(const ensue_ngram_table &table, int n, const int64_t *contexts, const int64_t *symbols, int count,
            int64_t *places) {
    const ensue_ngram_rung &below = table.rungs[n - 2], &rung = table.rungs[n - 1];
    switch (rung.symbol_bytes) {
        case 1: return find_all<1>(below, rung, contexts, symbols, count, places);
        case 2: return find_all<2>(below, rung, contexts, symbols, count, places);
        case 3: return find_all<3>(below, rung, contexts, symbols, count, places);
        default: return find_all<4>(below, rung, contexts, symbols, count, places);
    }
}

// P of the longest n-gram there, times the weights of the longer contexts, of contexts[n - 1] and wholes[n - 1].
void weigh(const ensue_ngram_table &table, const int64_t *const *contexts, const int64_t *const *wholes,
           const int64_t *symbols, int count, double *probability) {
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
        for (int n = 1; n < longest; n++) follow(table, n + 1, of[n - 1], symbols, count, of[n] + 1);
    }
};

// Read one row from `begin` to `end` in blocks, and show the nodes of each.
template <typename Visit>
void each_block(const ensue_ngram_table &table, const int64_t *row, int64_t begin, int64_t end, int longest,
                Visit visit) {
    Nodes nodes;
    nodes.begin_row(longest);
    for (int64_t at = begin; at < end; at += BLOCK) {
        int count = (int)std::min<int64_t>(BLOCK, end - at);
        nodes.read(table, row + at, count, longest);
        visit(nodes, at, count);
        nodes.carry(longest, count);
    }
}

// The probabilities of one row from `begin` to `end`. What stands more than order - 1 symbols before is of no account.
void score(const ensue_ngram_table &table, const int64_t *row, int64_t begin, int64_t end, double *probability) {
    const int64_t *contexts[MOST_ORDER], *wholes[MOST_ORDER];
    int64_t from = std::max<int64_t>(0, begin - (table.order - 1));
    each_block(table, row, from, end, table.order, [&](const Nodes &nodes, int64_t at, int count) {
        int skipped = (int)std::max<int64_t>(0, begin - at);
        if (skipped >= count) return;
        for (int n = 1; n < table.order; n++) {
            contexts[n - 1] = nodes.of[n - 1] + skipped;
            wholes[n - 1] = nodes.of[n] + 1 + skipped;
        }
        weigh(table, contexts, wholes, row + at + skipped, count - skipped, probability + at + skipped - begin);
    });
}

}  // namespace

void ensue_ngram_places(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                        int64_t longest, int64_t *const *places) {
    for (int64_t row = 0; row < rows; row++)
        each_block(*table, text + row * width, 0, width, (int)longest, [&](const Nodes &nodes, int64_t at, int count) {
            for (int n = 2; n <= longest; n++)
                std::copy(nodes.of[n - 1] + 1, nodes.of[n - 1] + 1 + count, places[n - 2] + row * width + at);
        });
}

void ensue_ngram_score(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                       int64_t first, double *probability, int64_t threads) {
    const int64_t STRETCH = 8192, asked = width - first, stretches = (asked + STRETCH - 1) / STRETCH;
    const int64_t pieces = rows * std::max<int64_t>(0, stretches), sharing = std::min(threads, pieces);
    in_parallel((int)sharing, [&](int thread) {
        for (int64_t piece = thread; piece < pieces; piece += sharing) {
            int64_t row = piece / stretches, begin = first + piece % stretches * STRETCH;
            score(*table, text + row * width, begin, std::min(width, begin + STRETCH),
                  probability + row * asked + begin - first);
        }
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
            follow(*table, n + 1, here[n - 1], symbols + begin, some, found[n]);
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
            if (context < 0 || context >= rungs[n - 1].nodes) continue;
            double weight = backoff_of(rungs[n - 1], context);
            for (int32_t symbol = 0; symbol < table->size; symbol++) result[symbol] *= weight;
            Range range = range_of(rungs[n - 1], context, rungs[n].nodes);
            for (int64_t node = range.begin; node < range.end; node++) {
                uint32_t symbol = 0;
                memcpy(&symbol, gram(rungs[n], node), rungs[n].symbol_bytes);
                if (symbol < (uint32_t)table->size) result[symbol] = probability_of(rungs[n], node);
            }
        }
    }
}
