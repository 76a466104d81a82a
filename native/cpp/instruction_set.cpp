#include "instruction_set.h"

#include <string.h>

#include <atomic>

#include "ensue.h"
#include "operations.h"

namespace {

#if defined(__x86_64__)
const char *const NAMES[] = {"avx512", "avx2", "generic"};

bool there(int set) {
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return set == 2 || (set == 1 && avx2) || (set == 0 && avx512);
}
#else
const char *const NAMES[] = {"generic"};

bool there(int) { return true; }
#endif

constexpr int COUNT = sizeof(NAMES) / sizeof(*NAMES);

int best() {
    int set = 0;
    while (!there(set)) set++;
    return set;
}

std::atomic<int> used{-1};

}  // namespace

int instruction_set() {
    int set = used.load(std::memory_order_relaxed);
    if (set < 0) used = set = best();
    return set;
}

bool products_of_bytes() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

int32_t ensue_interface() { return 6; }

const char *ensue_instruction_sets() {
    static char text[64];
    if (!text[0])
        for (int set = COUNT - 1; set >= 0; set--)
            if (there(set)) {
                char before[64];
                strcpy(before, text);
                strcpy(text, NAMES[set]);
                if (before[0]) strcat(strcat(text, " "), before);
            }
    return text;
}

int32_t ensue_use(const char *name) {
    for (int set = 0; set < COUNT; set++)
        if (!strcmp(name, NAMES[set]) && there(set)) {
            used = set;
            return 1;
        }
    return 0;
}

const char *ensue_used() { return NAMES[instruction_set()]; }

int32_t ensue_operation(const char *name) {
    for (int number = 0; number < OPERATION_COUNT; number++)
        if (!strcmp(name, OPERATIONS[number])) return number;
    return -1;
}
