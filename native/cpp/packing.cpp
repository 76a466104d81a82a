#include "packing.h"

#include <math.h>
#include <string.h>

#include "threads.h"

namespace {

// Round to nearest, ties to even, as torch does; NaN stays NaN.
uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (value != value) return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

struct Panel {
    const ensue_weights &of;
    int count;         // units of this panel that exist
    const float *from; // the first of them
    char *to;

    float weight(int unit, int k) const { return unit < count && k < of.inner ? from[unit * of.row_step + k] : 0; }

    void pack_fp32() const {
        float *numbers = (float *)to;
        for (int k = 0; k < of.inner; k++)
            for (int unit = 0; unit < TILE; unit++) numbers[k * TILE + unit] = weight(unit, k);
    }

    void pack_bf16() const {
        uint16_t *numbers = (uint16_t *)to;
        for (int k = 0; k < (of.inner + 1) / 2 * 2; k++)
            for (int unit = 0; unit < TILE; unit++)
                numbers[(k / 2 * TILE + unit) * 2 + k % 2] = to_bf16(weight(unit, k));
    }

    void pack_int8() const {
        float *scales = (float *)to;
        int32_t *sums = (int32_t *)(to + WORDS);
        int8_t *numbers = (int8_t *)(to + 2 * WORDS);
        for (int unit = 0; unit < TILE; unit++) {
            float largest = 0;
            for (int k = 0; k < of.inner; k++) largest = fmaxf(largest, fabsf(weight(unit, k)));
            scales[unit] = largest / 127;
            sums[unit] = 0;
            for (int k = 0; k < (of.inner + 3) / 4 * 4; k++) {
                int8_t number = largest > 0 ? (int8_t)lrintf(weight(unit, k) / scales[unit]) : 0;
                numbers[(k / 4 * TILE + unit) * 4 + k % 4] = number;
                sums[unit] += number;
            }
        }
    }
};

void pack_panel(const ensue_weights &of, int number) {
    int tile = number / of.gates, gate = number % of.gates, left = of.units - tile * TILE;
    const float *from = of.matrix + ((int64_t)gate * of.units + tile * TILE) * of.row_step;
    Panel panel{of, left < TILE ? left : TILE, from, (char *)of.panels + number * panel_bytes(of.format, of.inner)};
    if (of.format == ENSUE_INT8) panel.pack_int8();
    else if (of.format == ENSUE_BF16) panel.pack_bf16();
    else panel.pack_fp32();
}

int panels_of(const ensue_weights &of) { return tiles_of(of.units) * of.gates; }

}  // namespace

int64_t ensue_packed_bytes(const ensue_weights *of) { return panels_of(*of) * panel_bytes(of->format, of->inner); }

void ensue_pack(const ensue_weights *list, int32_t count, int32_t threads) {
    // Weights are read straight on, over and over: large pages are found sooner.
    for (int i = 0; i < count; i++) ensue_large_pages(list[i].panels, ensue_packed_bytes(list + i));
    in_parallel(threads, [&](int thread) {
        for (int i = 0; i < count; i++)
            for (int panel = thread; panel < panels_of(list[i]); panel += threads) pack_panel(list[i], panel);
    });
}
