// A number that changes when memory does: asked for before every text, so read as fast as memory gives it.
#include "ensue.h"

#define ENSUE_KERNELS "fingerprint_kernels.h"
#include "instruction_sets.h"

uint64_t ensue_fingerprint(const void *from, int64_t bytes) {
    return (*ENSUE_CHOSEN(fingerprint))((const char *)from, bytes);
}
