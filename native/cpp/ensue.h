// The interface of the library: plain C on raw pointers, no ownership, no exceptions, no state but the thread pool.
// Every number is float (32 bits) unless its name says otherwise; sizes and strides count numbers, not bytes.
#pragma once
#include <stdint.h>

#define ENSUE_API extern "C" __attribute__((visibility("default")))

// Raised whenever a function below changes; ensue refuses a library of another number.
ENSUE_API int32_t ensue_interface();

// The instruction sets that this machine has, best first, as text: "avx512 avx2 generic".
ENSUE_API const char *ensue_instruction_sets();
// Choose one of them by name; 0 if it is not there. The best is chosen at the start.
ENSUE_API int32_t ensue_use(const char *instruction_set);
ENSUE_API const char *ensue_used();

// The number of an operation of programs, by the name that the engine gives it; -1 for none.
ENSUE_API int32_t ensue_operation(const char *name);

// Ask for large pages under memory that is about to be written for the first time; without them it works all the same.
ENSUE_API void ensue_large_pages(void *base, int64_t bytes);

// A number by which to tell whether memory has changed.
ENSUE_API uint64_t ensue_fingerprint(const void *from, int64_t bytes);

// One operation on arrays of `count` numbers, a multiple of 64: what tests hold the functions to. b and c are null where
// it has fewer arguments. 0 if it is none that works unit by unit.
ENSUE_API int32_t ensue_apply(int32_t operation, float *out, const float *a, const float *b, const float *c,
                              int64_t count);

// ---- Programs over all ticks (recurrence.cpp) --------------------------------------------------------------------
//
// Rows are sequences, longest first; tick t has the rows before `rows[t]`, and what moves with time lies packed, tick
// after tick: row i of tick t at place first(t) + i, with first(t) the number of rows of all ticks before.

enum ensue_motion {
    ENSUE_FIXED,     // row i at base + i * step
    ENSUE_MOVING,    // of this tick: at base + (first(t) + i) * step
    ENSUE_BEFORE,    // of the tick before: base + (first(t - 1) + i) * step; at tick 0, other + i * step
    ENSUE_TURNS,     // at base in even ticks, at other in odd ones: base + i * step
    ENSUE_REGISTER,  // a value of one tile that is forgotten after it: number `step`, no memory of its own
    ENSUE_CONSTANT,  // 64 equal numbers at base
};

typedef struct {
    float *base, *other;
    int64_t step;
    int32_t motion;
} ensue_slot;

typedef struct {
    int32_t operation, out, args[3];
} ensue_instruction;

// out = add + from * matrix', for `gates` times `units` outputs: number n of the outputs weighs input k by
// matrix[n * row_step + k * column_step].
typedef struct {
    const float *matrix;
    int64_t row_step, column_step;
    int32_t from, add, out;  // slots; add is -1 for none
    int32_t gates, units, inner;
} ensue_product;

// Instructions that run together on tiles of `units`, after products of the same rows whose outputs they may read.
typedef struct {
    int32_t first, last, first_product, last_product, units;
} ensue_segment;

// Backward: where a row's last tick is, its adjoint starts as what the loss gives it (given -1: as zero).
typedef struct {
    int32_t adjoint, given, units;  // slots
} ensue_entrance;

typedef struct {
    const ensue_slot *slots;
    const ensue_instruction *instructions;
    const ensue_product *products;
    const ensue_segment *segments;
    const ensue_entrance *entrances;
    const int64_t *rows;  // at each tick
    int32_t slot_count, product_count, segment_count, entrance_count, register_count;
    int32_t ticks, backward, threads;
} ensue_tape;

// 0 if there was not enough memory.
ENSUE_API int32_t ensue_play(const ensue_tape *tape);

// Of adjoints (steps, columns) and what they came back to (steps, inputs): gradient (columns, inputs), the sum over all
// steps of their products, and `sums` of each column.
typedef struct {
    const float *adjoints, *source;
    int64_t adjoint_step, source_step, steps;
    int32_t columns, inputs;
    float *gradient, *sums;
} ensue_gradient;

// 0 if there was not enough memory.
ENSUE_API int32_t ensue_weigh(const ensue_gradient *of, int32_t threads);

// ---- n-grams (ngram/) --------------------------------------------------------------------------------------------
//
// A text is ids below `size` and, before each record, the start symbol `size`; no n-gram goes on over a start. A node
// is an n-gram, named by its place among those of its length, which are sorted by their symbols, first symbol first:
// so those that share their first n-1 symbols, a context, stand together.

// Sort the positions of a text by the `order` symbols from each on. Of each in that order: `shared` is how many of
// these symbols it has in common with the position before, `reach` how many there are before the next start.
// `nodes[n - 1]` counts the distinct n-grams. `scratch` has 16 bytes for each position. 0 if there was not enough
// memory. The text has fewer than 2^31 symbols, order <= 255.
ENSUE_API int32_t ensue_ngram_sort(const int32_t *text, int64_t length, int32_t size, int32_t order, uint32_t *at,
                                   uint8_t *shared, uint8_t *reach, int64_t *nodes, void *scratch,
                                   int32_t threads);

// The n-grams of one length, as src/ensue/models/ngram/counts.py describes them; `left` is null in the last.
typedef struct {
    int32_t *symbol, *context, *suffix, *count, *left;
    int64_t nodes, started;
} ensue_ngram_level;

// Read the levels n = 2 to `order`, levels[n - 1], off the sorted positions; levels[0] has an n-gram for every id and
// the start, and is complete but for `left`. `scratch` as above.
ENSUE_API void ensue_ngram_levels(const int32_t *text, int64_t length, int32_t order, const uint32_t *at,
                                  const uint8_t *shared, const uint8_t *reach, ensue_ngram_level *levels,
                                  void *scratch);

// Merge runs of n-grams, rows of `order` ids and a count, each sorted: write the next rows, at most `most`, with the
// counts of equal ones added, and move places[run] on; places[run] ends at lengths[run]. Gives the number of rows.
ENSUE_API int64_t ensue_ngram_merge(const uint32_t *const *runs, int64_t *places, const int64_t *lengths,
                                    int32_t run_count, int32_t order, uint32_t *rows, int64_t most);

// How many of the counts are 0, 1, 2, 3, 4, more: found[6].
ENSUE_API void ensue_ngram_counts_of_counts(const int32_t *counts, int64_t nodes, int64_t *found);

// Kneser-Ney: probability = own + rest(context) * below[suffix], from counts (occurrences or distinct left symbols) and
// `discount` for a count of 0, 1, 2, 3 and more; `children` is how many n-grams each context has.
ENSUE_API void ensue_ngram_smooth(const ensue_ngram_level *level, const int32_t *counts, int64_t contexts,
                                  const double *discount, const double *below, double *probability, double *rest,
                                  int32_t *children);

// The n-grams of one length, packed (src/ensue/models/ngram/packed.py): a record of `bytes` for each holds its last
// symbol, lowest byte first, a step, its probability and its back-off weight; in the last length neither step nor
// weight. Values are floats, or bytes that are numbers of floats in `probabilities` and `backoffs`. The n-grams that
// follow node c begin at base[c / 32] + step, or, where base has its highest bit, at far[32 * (base without it) +
// c % 32]. `sparse` is every eighth symbol. Whatever an array holds, nothing outside of it is read.
typedef struct {
    const uint8_t *grams, *sparse;
    const uint32_t *base, *far;              // null in the last length
    const float *probabilities, *backoffs;  // null where values are floats
    int64_t nodes, far_blocks;
    int32_t bytes, symbol_bytes;
} ensue_ngram_rung;

typedef struct {
    const ensue_ngram_rung *rungs;   // the nodes of rungs[0] are ids
    const uint32_t *slots, *places;  // from ensue_ngram_index; null where order is 1
    int32_t size, order;
} ensue_ngram_table;

// Note where the n-grams of length 2 begin, by their first symbol and, in equal parts, by their second: slots has
// rungs[0].nodes + 1 numbers, places rungs[1].nodes / 2 + 2 * rungs[0].nodes. The table has none of them yet.
ENSUE_API void ensue_ngram_index(const ensue_ngram_table *table, uint32_t *slots, uint32_t *places);

// The node of each length n = 2 to `longest` that ends at each place of a text (rows, width), places[n - 2]; -1 for
// none. A row may begin with symbols of -1, which stand for nothing.
ENSUE_API void ensue_ngram_places(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                                  int64_t longest, int64_t *const *places);

// The probability of each symbol of a text (rows, width) from number `first` of its row on, after those before it.
ENSUE_API void ensue_ngram_score(const ensue_ngram_table *table, const int64_t *text, int64_t rows, int64_t width,
                                 int64_t first, double *probability, int64_t threads);

// The probability of symbols, one after each history, whose last n symbols are node contexts[n - 1], n < order.
ENSUE_API void ensue_ngram_ask(const ensue_ngram_table *table, const int64_t *const *contexts, const int64_t *symbols,
                               int64_t count, double *probability);

// The probabilities of all symbols (rows, size) after each history.
ENSUE_API void ensue_ngram_distributions(const ensue_ngram_table *table, const int64_t *const *contexts, int64_t rows,
                                         double *probabilities);

// ---- One tick at a time (ticks.cpp) ------------------------------------------------------------------------------
//
// A row is a text on its way. Its numbers lie side by side, `stride` of them: its state twice, for even ticks and for
// odd ones, and what a tick computes.

enum ensue_format { ENSUE_FP32, ENSUE_BF16, ENSUE_INT8 };

// The weights of `gates` times `units` outputs for `inner` inputs: output n weighs input k by matrix[n * row_step + k],
// and in `panels`, of as many bytes as `ensue_packed_bytes` says, as packing.h tells. In int8 every output has a scale.
typedef struct {
    const float *matrix;
    int64_t row_step;
    void *panels;
    int32_t format, gates, units, inner;
} ensue_weights;

ENSUE_API int64_t ensue_packed_bytes(const ensue_weights *weights);
// Write the panels of all.
ENSUE_API void ensue_pack(const ensue_weights *list, int32_t count, int32_t threads);

enum ensue_whereabouts {
    ENSUE_OF_ROW,    // at `offset` of the row; in odd ticks at `other`
    ENSUE_OF_ALL,    // the same for all rows, at base
    ENSUE_OF_TILE,   // a register, number `offset`
    ENSUE_OF_UNITS,  // 64 equal numbers at base
};

typedef struct {
    const float *base;
    int64_t offset, other;
    int32_t where;
} ensue_place;

// Row i starts with row `symbol of i` of the table, `width` numbers, at place `out`.
typedef struct {
    const float *table;
    int32_t width, out;
} ensue_lookup;

// out = add + from * weights'; places, add is -1 for none.
typedef struct {
    int32_t weights, from, add, out;
} ensue_multiplication;

// Some products on tiles of `units`, one after the other, then instructions on what they gave.
typedef struct {
    int32_t first_product, last_product, first, last, units;
} ensue_stage;

typedef struct {
    const ensue_place *places;
    const ensue_instruction *instructions;
    const ensue_weights *weights;
    const ensue_multiplication *products;
    const ensue_stage *stages;
    const ensue_lookup *lookups;
    int32_t place_count, product_count, stage_count, lookup_count, register_count;
    int32_t scores, size;  // the place of the scores of `size` symbols
    int64_t stride, state; // numbers of a row; of these, the state of even ticks, then that of odd ones
} ensue_network;

// What decoding/filters.py says; `allowed` of each symbol; `end` is the symbol that ends a text, or -1.
typedef struct {
    double temperature, nucleus, min_p, typical, penalty;
    const uint8_t *allowed;
    uint64_t seed;
    int32_t top_k, window, end;
} ensue_rules;

typedef struct {
    float *memory;           // rows times stride; that of even ticks is the state before the first and after the last
    int32_t *symbols;        // of each row, the one that is read first
    const int64_t *samples;  // the number of each row
    int32_t *recent;         // (rows, window + ticks): the symbols before, then what is written
    int32_t *known;          // of each row, how many of the `window` symbols before there are, the last ones
    int32_t *ids;            // (rows, ticks), what was written
    double *nats;            // (rows, ticks), what it cost
    int32_t *written;        // how many of them each row has
    double *log_probs, *probabilities;  // (rows, size), where nothing is drawn
    int64_t first_step;      // how many symbols all rows have written before
    int64_t alone_until, rest;  // nanoseconds; 0 at first, then for the kernels to remember how busy the machine is
    int32_t rows, ticks, threads;
} ensue_writing;

// Write `ticks` symbols of each row, fewer where it ends; stop early when a quarter of the rows has ended. Without
// rules, read one symbol and say how probable each next one is. Gives the number of ticks, -1 if there was not enough
// memory.
ENSUE_API int32_t ensue_write(const ensue_network *network, const ensue_rules *rules, ensue_writing *writing);
