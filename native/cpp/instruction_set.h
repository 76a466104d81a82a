// Which of the instruction sets of instruction_sets.h is in use.
#pragma once

// The number of the set: 0 avx512, 1 avx2, 2 generic (on x86-64); 0 generic elsewhere.
int instruction_set();

// Whether the machine has AVX-512's products of bytes (VNNI).
bool products_of_bytes();
