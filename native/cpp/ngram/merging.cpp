// Merging the sorted n-grams of several runs.
#include "ensue.h"
#include "arena.h"

#include <algorithm>

namespace {

struct Merge {
    const uint32_t *const *runs;
    int64_t *places;
    const int64_t *lengths;
    int32_t order;

    const uint32_t *head(int run) const { return runs[run] + places[run] * (order + 1); }
    // A heap keeps its largest in front, and we want the smallest.
    bool operator()(int a, int b) const {
        return std::lexicographical_compare(head(b), head(b) + order, head(a), head(a) + order);
    }
};

}  // namespace

int64_t ensue_ngram_merge(const uint32_t *const *runs, int64_t *places, const int64_t *lengths, int32_t run_count,
                          int32_t order, uint32_t *rows, int64_t most) {
    try {
        Merge merge{runs, places, lengths, order};
        Room room;
        int32_t *heap = room.take<int32_t>(run_count), open = 0;
        for (int32_t run = 0; run < run_count; run++)
            if (places[run] < lengths[run]) heap[open++] = run;
        std::make_heap(heap, heap + open, merge);
        int64_t written = 0;
        while (open) {
            int32_t run = heap[0];
            const uint32_t *head = merge.head(run);
            uint32_t *last = rows + (written - 1) * (order + 1);
            if (written && std::equal(head, head + order, last)) {
                last[order] += head[order];
            } else if (written == most) {
                break;
            } else {
                std::copy(head, head + order + 1, rows + written++ * (order + 1));
            }
            std::pop_heap(heap, heap + open, merge);
            if (++places[run] < lengths[run])
                std::push_heap(heap, heap + open, merge);
            else
                open--;
        }
        return written;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}
