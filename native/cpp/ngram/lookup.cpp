// Questions to a packed table, many at once.
#include "ensue.h"
#include "ngram/search.h"
#include "threads.h"

namespace {

using namespace packed;

constexpr int MOST_ORDER = 32;

bool is_known(const ensue_ngram_table &table, int64_t symbol) { return (uint64_t)symbol < (uint64_t)table.rungs[0].nodes; }

double alone(const ensue_ngram_table &table, int64_t symbol) {
    return is_known(table, symbol) ? probability_of(table.rungs[0], (uint32_t)symbol) : 0.0;
}

// P of the longer n-gram where it is there, else what was found so far times the weight of the context.
void weigh(const ensue_ngram_rung &below, const ensue_ngram_rung &rung, const Asked *asked, int count,
           const Found *found, int found_count, double *result) {
    for (int i = 0; i < count; i++) result[asked[i].which] *= backoff_of(below, asked[i].context);
    for (int i = 0; i < found_count; i++) result[found[i].which] = probability_of(rung, found[i].node);
}

// Reads one row in blocks: the n-grams that end at one symbol are the contexts of the next.
struct Reader {
    const ensue_ngram_table &table;
    uint32_t before[MOST_ORDER];
    Asked asked[BLOCK + 1];
    Found found[BLOCK + 1];

    explicit Reader(const ensue_ngram_table &table) : table(table) { std::fill(before, before + MOST_ORDER, NONE); }

    // Read `count` symbols, and show what is asked and what is found of each length n = 2 to `longest`.
    template <typename Visit>
    void read(const int64_t *symbols, int count, int longest, Visit visit) {
        int asked_count = ask_first(symbols, count);
        for (int n = 2; n <= longest; n++) {
            int found_count = find(table, n, asked, asked_count, found);
            visit(n, asked_count, found_count);
            if (n < longest) asked_count = ask_next(n, symbols, count, found_count);
        }
    }

    int ask_first(const int64_t *symbols, int count) {
        int asked_count = 0;
        for (int i = 0; i < count; i++) {
            asked[asked_count] = {before[0], (uint32_t)symbols[i], i};
            asked_count += before[0] != NONE && symbols[i] >= 0;
            before[0] = is_known(table, symbols[i]) ? (uint32_t)symbols[i] : NONE;
        }
        return asked_count;
    }

    int ask_next(int n, const int64_t *symbols, int count, int found_count) {
        const ensue_ngram_rung &rung = table.rungs[n - 1];
        asked[0] = {before[n - 1], (uint32_t)symbols[0], 0};
        int asked_count = before[n - 1] != NONE && symbols[0] >= 0;
        before[n - 1] = NONE;
        for (int i = 0; i < found_count; i++) {
            uint32_t node = found[i].node;
            int next = found[i].which + 1;
            bool last = next == count;
            __builtin_prefetch(rung.base + node / CONTEXTS);
            before[n - 1] = last ? node : before[n - 1];
            asked[asked_count] = {node, (uint32_t)symbols[last ? 0 : next], next};
            asked_count += !last;
        }
        return asked_count;
    }
};

// The probabilities of one row from `begin` to `end`. What stands more than order - 1 symbols before is of no account.
void score(const ensue_ngram_table &table, const int64_t *row, int64_t begin, int64_t end, double *probability) {
    Reader reader(table);
    double result[BLOCK];
    for (int64_t at = std::max<int64_t>(0, begin - (table.order - 1)); at < end; at += BLOCK) {
        int count = (int)std::min<int64_t>(BLOCK, end - at), skipped = (int)std::max<int64_t>(0, begin - at);
        for (int i = 0; i < count; i++) result[i] = alone(table, row[at + i]);
        reader.read(row + at, count, table.order, [&](int n, int asked_count, int found_count) {
            weigh(table.rungs[n - 2], table.rungs[n - 1], reader.asked, asked_count, reader.found, found_count, result);
        });
        if (skipped < count) std::copy(result + skipped, result + count, probability + at + skipped - begin);
    }
}

}  // namespace

void ensue_ngram_places(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                        int64_t longest, int64_t *const *places) {
    for (int n = 2; n <= longest; n++) std::fill(places[n - 2], places[n - 2] + rows * width, -1);
    for (int64_t row = 0; row < rows; row++) {
        Reader reader(*table);
        for (int64_t at = 0; at < width; at += BLOCK) {
            int64_t begin = row * width + at;
            int count = (int)std::min<int64_t>(BLOCK, width - at);
            reader.read(text + begin, count, (int)longest, [&](int n, int, int found_count) {
                for (int i = 0; i < found_count; i++)
                    places[n - 2][begin + reader.found[i].which] = reader.found[i].node;
            });
        }
    }
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
    Asked asked[BLOCK + 1];
    Found found[BLOCK + 1];
    for (int64_t i = 0; i < count; i++) probability[i] = alone(*table, symbols[i]);
    for (int n = 2; n <= table->order; n++) {
        const ensue_ngram_rung &below = table->rungs[n - 2], &rung = table->rungs[n - 1];
        for (int64_t begin = 0; begin < count; begin += BLOCK) {
            int some = (int)std::min<int64_t>(BLOCK, count - begin), asked_count = 0;
            for (int i = 0; i < some; i++) {
                int64_t context = contexts[n - 2][begin + i], symbol = symbols[begin + i];
                asked[asked_count] = {(uint32_t)context, (uint32_t)symbol, i};
                asked_count += (uint64_t)context < (uint64_t)below.nodes && symbol >= 0;
            }
            int found_count = find(*table, n, asked, asked_count, found);
            weigh(below, rung, asked, asked_count, found, found_count, probability + begin);
        }
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
            double weight = backoff_of(rungs[n - 1], (uint32_t)context);
            for (int32_t symbol = 0; symbol < table->size; symbol++) result[symbol] *= weight;
            Range range = range_of(rungs[n - 1], (uint32_t)context, (uint32_t)std::min<int64_t>(rungs[n].nodes, NONE));
            for (uint32_t node = range.begin; node < range.begin + range.count; node++) {
                uint32_t symbol = symbol_of(rungs[n], node);
                if (symbol < (uint32_t)table->size) result[symbol] = probability_of(rungs[n], node);
            }
        }
    }
}
