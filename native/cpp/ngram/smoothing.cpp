// Kneser-Ney's estimates from the counts of one length. The sums run in the order of NumPy's, so that they are equal to
// the last bit to those of src/ensue/models/ngram/smoothing.py.
#include "ensue.h"

#include <algorithm>

void ensue_ngram_counts_of_counts(const int32_t *counts, int64_t nodes, int64_t *found) {
    std::fill(found, found + 6, 0);
    for (int64_t i = 0; i < nodes; i++) found[std::min(counts[i], 5)]++;
}

void ensue_ngram_smooth(const ensue_ngram_level *level, const int32_t *counts, int64_t contexts,
                        const double *discount, const double *below, double *probability, double *rest,
                        int32_t *children) {
    constexpr int64_t AHEAD = 24;
    int64_t node = 0;
    for (int64_t context = 0; context < contexts; context++) {
        int64_t first = node, total = 0;
        double kept_back = 0;
        for (; node < level->nodes && level->context[node] == context; node++) {
            total += counts[node];
            kept_back += discount[std::min(counts[node], 3)];
        }
        children[context] = (int32_t)(node - first);
        rest[context] = total ? kept_back / (double)total : 1.0;
        for (int64_t i = first; i < node; i++) {
            if (i + AHEAD < level->nodes) __builtin_prefetch(below + level->suffix[i + AHEAD]);
            double own = total ? (counts[i] - discount[std::min(counts[i], 3)]) / (double)total : 0.0;
            probability[i] = own + rest[context] * below[level->suffix[i]];
        }
    }
}
