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

// Instructions that run together on tiles of `units`, after at most one product whose outputs they may read.
typedef struct {
    int32_t first, last, product, units;  // product is -1 for none
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
