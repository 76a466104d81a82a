// Most questions are about pairs of symbols, and frequent symbols have thousands of pairs. So the range of ids is cut
// into half as many equal parts as a symbol has pairs, and of each part is kept where its pairs begin.
#pragma once
#include "ngram/records.h"

namespace packed {

// So many pairs a part, if they lay evenly.
constexpr uint32_t PAIRS = 2;

struct Index {
    const uint32_t *slots, *places;
    uint32_t scale;

    explicit Index(const ensue_ngram_table &table)
        : slots(table.slots), places(table.places), scale((uint32_t)(NONE / table.rungs[0].nodes)) {}

    // The place of the part in which a symbol after a first one is.
    uint32_t slot_of(uint32_t first, uint32_t symbol) const {
        uint32_t begin = slots[first];
        return begin + part_of(symbol, slots[first + 1] - begin - 1);
    }
    uint32_t part_of(uint32_t symbol, uint32_t parts) const {
        return (uint32_t)((uint64_t)(symbol * scale) * parts >> 32);
    }
    Range pairs_of(uint32_t slot) const { return {places[slot], places[slot + 1] - places[slot]}; }
};

}  // namespace packed
