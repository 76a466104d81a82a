// Sorting the positions of a text by the symbols from each on: most significant digit first, on keys that hold as many
// symbols as 96 bits do, beside the position; groups that are still equal go another round on the symbols after these.
#include "ensue.h"
#include "arena.h"
#include "threads.h"

#include <algorithm>

namespace {

typedef unsigned __int128 Wide;

constexpr int POSITION_BITS = 32, KEY_BITS = 96, FIRST_DIGIT = 11, DIGIT = 8;
// Groups no larger than this are sorted by insertion, which needs no histogram.
constexpr int64_t FEW = 24;

// A number of 96 bits, its symbols at the left end, above the position.
struct Packing {
    const int32_t *text;
    int64_t length;
    int32_t size, order, bits, symbols;

    Packing(const int32_t *text, int64_t length, int32_t size, int32_t order)
        : text(text), length(length), size(size), order(order), bits(1) {
        while (bits < 32 && size >> bits) bits++;
        symbols = std::min(order, KEY_BITS / bits);
    }

    int used() const { return symbols * bits; }
    Wide place(Wide symbol, int number) const { return symbol << (128 - bits * (number + 1)); }
    int32_t at(int64_t position) const { return position < length ? text[position] : size; }

    // The symbols from `depth` past a position on; after a start, that is not the first symbol, all is start.
    Wide deeper(int64_t position, int depth) const {
        Wide key = 0;
        bool over = false;
        for (int number = 0; number < symbols; number++) {
            int32_t symbol = over || depth + number >= order ? size : at(position + depth + number);
            over = over || (symbol == size && depth + number > 0);
            key |= place((uint32_t)symbol, number);
        }
        return key | (uint32_t)position;
    }

    int shared(Wide a, Wide b) const {
        Wide differ = (a ^ b) >> POSITION_BITS << POSITION_BITS;
        if (!differ) return symbols;
        uint64_t high = (uint64_t)(differ >> 64);
        int zeros = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)differ);
        return std::min(symbols, zeros / bits);
    }

    // Whether the last symbol of a key is a start, so that nothing comes after it.
    bool over(Wide key) const { return (int32_t)((uint32_t)(key >> (128 - used())) & mask()) == size; }
    uint32_t mask() const { return (uint32_t)((1ull << bits) - 1); }
};

void sort_few(Wide *keys, int64_t count) {
    for (int64_t i = 1; i < count; i++) {
        Wide key = keys[i];
        int64_t place = i;
        for (; place > 0 && keys[place - 1] > key; place--) keys[place] = keys[place - 1];
        keys[place] = key;
    }
}

// Sort by the bits of the key from `done` on; the result stands in `keys` or, where `aside`, in `other`.
void sort_digits(Wide *keys, Wide *other, int64_t count, int done, int used, bool aside) {
    // Once the keys are used up, positions stand in their order already.
    if (count <= FEW || done >= used) {
        if (done < used) sort_few(keys, count);
        if (aside) std::copy(keys, keys + count, other);
        return;
    }
    int64_t ends[1 << DIGIT] = {};
    int shift = 128 - done - DIGIT;
    for (int64_t i = 0; i < count; i++) ends[(uint8_t)(keys[i] >> shift)]++;
    if (ends[(uint8_t)(keys[0] >> shift)] == count) return sort_digits(keys, other, count, done + DIGIT, used, aside);
    int64_t begins[1 << DIGIT], total = 0;
    for (int digit = 0; digit < 1 << DIGIT; digit++) {
        begins[digit] = total;
        total += ends[digit];
        ends[digit] = begins[digit];
    }
    for (int64_t i = 0; i < count; i++) other[ends[(uint8_t)(keys[i] >> shift)]++] = keys[i];
    for (int digit = 0; digit < 1 << DIGIT; digit++) {
        int64_t begin = begins[digit];
        if (ends[digit] > begin)
            sort_digits(other + begin, keys + begin, ends[digit] - begin, done + DIGIT, used, !aside);
    }
}

struct Output {
    uint32_t *at;
    uint8_t *shared;
};

// Write out sorted keys of symbols from `depth` on; the first of them is told what it shares by its caller.
void write(const Packing &packing, Wide *keys, Wide *other, int64_t count, int depth, Output out) {
    for (int64_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && keys[end] >> POSITION_BITS == keys[begin] >> POSITION_BITS;) end++;
        if (end < count) out.shared[end] = (uint8_t)(depth + packing.shared(keys[begin], keys[end]));
        int next = depth + packing.symbols;
        if (end - begin == 1 || next >= packing.order || packing.over(keys[begin])) {
            for (int64_t i = begin; i < end; i++) out.at[i] = (uint32_t)keys[i];
            std::fill(out.shared + begin + 1, out.shared + end, (uint8_t)packing.order);
            continue;
        }
        for (int64_t i = begin; i < end; i++) keys[i] = packing.deeper((uint32_t)keys[i], next);
        sort_digits(keys + begin, other, end - begin, 0, packing.used(), false);
        write(packing, keys + begin, other, end - begin, next, {out.at + begin, out.shared + begin});
    }
}

// Call visit(position, key) for every position, the last first.
template <typename Visit>
void each_key(const Packing &packing, Visit visit) {
    Wide everything_over = 0, after;
    for (int number = 0; number < packing.symbols; number++)
        everything_over |= packing.place((uint32_t)packing.size, number);
    const Wide kept = ~(Wide)0 << (128 - packing.used());
    after = everything_over;
    for (int64_t position = packing.length - 1; position >= 0; position--) {
        Wide key = packing.place((uint32_t)packing.text[position], 0) | ((after >> packing.bits) & kept);
        visit(position, key);
        after = packing.text[position] == packing.size ? everything_over : key;
    }
}

void sort(const Packing &packing, Wide *keys, Output out, int threads) {
    Room room;
    const int digits = 1 << FIRST_DIGIT, shift = 128 - FIRST_DIGIT;
    int64_t *begins = room.take<int64_t>(digits + 1), *ends = room.take<int64_t>(digits);
    std::fill(ends, ends + digits, 0);
    each_key(packing, [&](int64_t, Wide key) { ends[(int)(key >> shift)]++; });
    int64_t total = 0;
    for (int digit = 0; digit < digits; digit++) {
        total += ends[digit];
        begins[digit + 1] = ends[digit] = total;
    }
    begins[0] = 0;
    // Filled from behind, as the positions come, so that equal keys keep the order of the text.
    each_key(packing, [&](int64_t position, Wide key) {
        keys[--ends[(int)(key >> shift)]] = key | (uint32_t)position;
    });
    // Every thread has its own room for the largest group, so that the keys exist but once.
    int64_t largest = 0;
    for (int digit = 0; digit < digits; digit++) largest = std::max(largest, begins[digit + 1] - begins[digit]);
    Wide *others = room.take<Wide>(largest * threads);
    in_parallel(threads, [&](int thread) {
        Wide *other = others + largest * thread;
        for (int digit = thread; digit < digits; digit += threads) {
            int64_t begin = begins[digit], count = begins[digit + 1] - begin;
            if (!count) continue;
            sort_digits(keys + begin, other, count, FIRST_DIGIT, packing.used(), false);
            write(packing, keys + begin, other, count, 0, {out.at + begin, out.shared + begin});
        }
    });
    for (int64_t digit = 0, last = -1; digit < digits; digit++) {
        int64_t begin = begins[digit];
        if (begins[digit + 1] == begin) continue;
        Wide before = last < 0 ? 0 : packing.deeper(last, 0), here = packing.deeper(out.at[begin], 0);
        out.shared[begin] = last < 0 ? 0 : (uint8_t)packing.shared(before, here);
        last = out.at[begins[digit + 1] - 1];
    }
}

}  // namespace

int32_t ensue_ngram_sort(const int32_t *text, int64_t length, int32_t size, int32_t order, uint32_t *at,
                         uint8_t *shared, uint8_t *reach, int64_t *nodes, void *scratch, int32_t threads) {
    try {
        Packing packing(text, length, size, order);
        sort(packing, (Wide *)scratch, {at, shared}, threads);
        Room room;
        uint8_t *reaches = room.take<uint8_t>(length);
        int until_start = 0;
        for (int64_t position = length - 1; position >= 0; position--) {
            reaches[position] = (uint8_t)std::min(order, until_start + 1);
            until_start = text[position] == size ? 0 : std::min(order, until_start + 1);
        }
        std::fill(nodes, nodes + order, 0);
        for (int64_t i = 0; i < length; i++) {
            reach[i] = reaches[at[i]];
            for (int n = shared[i]; n < reach[i]; n++) nodes[n]++;
        }
        return 1;
    } catch (const std::bad_alloc &) {
        return 0;
    }
}
