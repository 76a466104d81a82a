// Fresh memory costs a fault for every page when it is first written, which for long sequences is a quarter of the time;
// large pages make them few.
#include "ensue.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

void ensue_large_pages(void *base, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = 65536;
    uintptr_t first = ((uintptr_t)base + page - 1) / page * page, last = ((uintptr_t)base + bytes) / page * page;
    if (first < last) madvise((void *)first, last - first, MADV_HUGEPAGE);
#else
    (void)base, (void)bytes;
#endif
}
