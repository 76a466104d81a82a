// One source, compiled once for each instruction set: a file that includes this names itself in ENSUE_KERNELS, and is
// included back for every set, in a namespace of the set's name, with VECTOR_BYTES as wide as its registers.
// The sets are chosen function by function, so the library starts on any machine and takes the best one there.
// `ENSUE_CHOSEN(name)` is then the address of `name` in the namespace of the set in use.
// What is included before (the standard headers) is compiled for any machine.

#pragma once
#include "instruction_set.h"

#define ENSUE_TEXT(x) #x
#define ENSUE_PRAGMA(x) _Pragma(ENSUE_TEXT(x))

#if defined(__clang__)
#define ENSUE_BEGIN(features) \
    ENSUE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define ENSUE_END _Pragma("clang attribute pop")
#else
#define ENSUE_BEGIN(features) _Pragma("GCC push_options") ENSUE_PRAGMA(GCC target(features))
#define ENSUE_END _Pragma("GCC pop_options")
#endif

#if defined(__x86_64__)
ENSUE_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#define VECTOR_BYTES 64
namespace avx512 {
#include ENSUE_KERNELS
}
#undef VECTOR_BYTES
ENSUE_END

ENSUE_BEGIN("avx2,fma")
#define VECTOR_BYTES 32
namespace avx2 {
#include ENSUE_KERNELS
}
#undef VECTOR_BYTES
ENSUE_END
#endif

// Vectors of 16 bytes are SSE2 on every x86-64, NEON on every ARM of 64 bits, and plain numbers elsewhere.
#define VECTOR_BYTES 16
namespace generic {
#include ENSUE_KERNELS
}
#undef VECTOR_BYTES

#if defined(__x86_64__)
#define ENSUE_CHOSEN(name) \
    (instruction_set() == 0 ? &avx512::name : instruction_set() == 1 ? &avx2::name : &generic::name)
#else
#define ENSUE_CHOSEN(name) (&generic::name)
#endif
