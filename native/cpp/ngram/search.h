// Finding the n-grams that symbols make of contexts, many at once.
#pragma once
#include "ngram/records.h"

namespace packed {

// So many questions are asked together.
constexpr int BLOCK = 256;

// Of the context of the question `which`, a node of rungs[n - 2], does `symbol` make a node of rungs[n - 1]?
struct Asked {
    uint32_t context, symbol;
    int which;
};

struct Found {
    uint32_t node;
    int which;
};

// Give the number of those that are there, in any order; of at most BLOCK.
int find(const ensue_ngram_rung &below, const ensue_ngram_rung &rung, const Asked *asked, int count, Found *found);

}  // namespace packed
