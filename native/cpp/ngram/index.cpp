#include "ngram/index.h"

#include "ensue.h"

void ensue_ngram_index(const ensue_ngram_table *table, uint32_t *slots, uint32_t *places) {
    using namespace packed;
    const ensue_ngram_rung &first = table->rungs[0], &pair = table->rungs[1];
    const Index index(*table);
    const uint32_t above = (uint32_t)std::min<int64_t>(pair.nodes, NONE);
    int64_t spare = pair.nodes / PAIRS, used = 0;
    for (uint32_t symbol = 0; symbol < first.nodes; symbol++) {
        Range range = range_of(first, symbol, above);
        // Ranges that overlap, in a file that was tampered with, may not ask for more than there is.
        uint32_t more = (uint32_t)std::min<int64_t>(range.count / PAIRS, spare), parts = more + 1, part = 0;
        slots[symbol] = (uint32_t)used;
        for (uint32_t node = range.begin; node < range.begin + range.count; node++) {
            uint32_t last = 0;
            memcpy(&last, gram(pair, node), pair.symbol_bytes);
            for (uint32_t its = index.part_of(last, parts); part <= its; part++) places[used + part] = node;
        }
        for (; part <= parts; part++) places[used + part] = range.begin + range.count;
        used += parts + 1;
        spare -= more;
    }
    slots[first.nodes] = (uint32_t)used;
}
