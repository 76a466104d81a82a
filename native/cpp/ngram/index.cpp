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
        uint32_t more = (uint32_t)std::min<int64_t>(range.count / PAIRS, spare), parts = more + 1;
        uint32_t *begins = places + used;
        slots[symbol] = (uint32_t)used;
        std::fill(begins, begins + parts, NONE);
        begins[parts] = range.begin + range.count;
        // The last one written is the first of its part; a part without any begins where the next does.
        for (uint32_t node = begins[parts]; node-- > range.begin;)
            begins[index.part_of(symbol_of(pair, node), parts)] = node;
        for (uint32_t part = parts; part-- > 0;) begins[part] = std::min(begins[part], begins[part + 1]);
        used += parts + 1;
        spare -= more;
    }
    slots[first.nodes] = (uint32_t)used;
}
