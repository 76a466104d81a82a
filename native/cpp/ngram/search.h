// Finding the n-grams that symbols make of contexts, many at once.
#pragma once
#include "ngram/records.h"

namespace packed {

// So many questions are asked together.
constexpr int BLOCK = 256;

// Of the context of the question `which`, a node of length n - 1, does `symbol` make a node of length n?
struct Asked {
    uint32_t context, symbol;
    int which;
};

struct Found {
    uint32_t node;
    int which;
};

// Give the number of those that are there, in any order; of at most BLOCK.
int find(const ensue_ngram_table &table, int n, const Asked *asked, int count, Found *found);

}  // namespace packed
