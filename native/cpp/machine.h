// Where the slots of a program lie at a tick, and its instructions run on them.
// Included inside the namespace of an instruction set; no guard.

// Layer normalisation over a whole row (Ba et al. 2016): out = (a - mean) / sqrt(variance + 1e-5).
static void normalise(float *out, const float *a, int units) {
    double sum = 0, squares = 0;
    for (int i = 0; i < units; i++) sum += a[i];
    double mean = sum / units;
    for (int i = 0; i < units; i++) squares += (a[i] - mean) * (a[i] - mean);
    float scale = (float)(1 / __builtin_sqrt(squares / units + 1e-5));
    for (int i = 0; i < units; i++) out[i] = (float)(a[i] - mean) * scale;
}

static void normalise_back(float *out, const float *adjoint, const float *value, const float *a, int units) {
    double sum = 0, squares = 0, adjoints = 0, products = 0;
    for (int i = 0; i < units; i++) sum += a[i], adjoints += adjoint[i], products += (double)adjoint[i] * value[i];
    double mean = sum / units;
    for (int i = 0; i < units; i++) squares += (a[i] - mean) * (a[i] - mean);
    float scale = (float)(1 / __builtin_sqrt(squares / units + 1e-5));
    float shared = (float)(adjoints / units), along = (float)(products / units);
    for (int i = 0; i < units; i++) out[i] = scale * (adjoint[i] - (shared + value[i] * along));
}

constexpr int BOUNCE_TILES = 4;

struct Machine {
    // Where our first row of each slot is at this tick, how far it is to the next of our rows, and whether the slot
    // holds a single tile: a register, or a constant.
    float **places;
    int64_t *steps;
    bool *of_tile;
    // BOUNCE_TILES tiles of BLOCK_ROWS rows, for what is shorter than a tile.
    float *bounce;

    // Where a block of rows of a slot begins, for a tile.
    float *at(int slot, int row, int unit) const {
        return of_tile[slot] ? places[slot] : places[slot] + row * steps[slot] + unit;
    }

    void run_instruction(const ensue_instruction &one, int row, int rows, int unit, int count) {
        const float *args[3] = {nullptr, nullptr, nullptr};
        int64_t arg_steps[3] = {0, 0, 0};
        for (int i = 0; i < 3 && one.args[i] >= 0; i++) {
            args[i] = at(one.args[i], row, unit), arg_steps[i] = steps[one.args[i]];
            if (count == TILE || of_tile[one.args[i]]) continue;
            // The last tile is shorter: its neighbours in memory are not ours to read.
            float *copy = bounce + (i + 1) * BLOCK_ROWS * TILE;
            for (int r = 0; r < rows; r++) __builtin_memcpy(copy + r * TILE, args[i] + r * arg_steps[i], 4 * count);
            args[i] = copy, arg_steps[i] = TILE;
        }
        float *out = at(one.out, row, unit);
        bool direct = count == TILE || of_tile[one.out];
        Operands in{direct ? out : bounce, args[0], args[1], args[2], direct ? steps[one.out] : TILE,
                    arg_steps[0],          arg_steps[1], arg_steps[2]};
        TILE_OPERATIONS[one.operation](in, rows);
        for (int r = 0; !direct && r < rows; r++)
            __builtin_memcpy(out + r * steps[one.out], bounce + r * TILE, 4 * count);
    }

    // Call multiply(out, out_step, add, add_step) on whole tiles, where `out` and `add` may be shorter.
    template <typename Multiply>
    void whole_tiles(int rows, int count, float *out, int64_t out_step, const float *add, int64_t add_step,
                            const Multiply &multiply) const {
        if (count == TILE) return multiply(out, out_step, add, add_step);
        float *copy = bounce + BLOCK_ROWS * TILE;
        for (int r = 0; add && r < rows; r++) __builtin_memcpy(copy + r * TILE, add + r * add_step, 4 * count);
        multiply(bounce, TILE, add ? copy : nullptr, TILE);
        for (int r = 0; r < rows; r++) __builtin_memcpy(out + r * out_step, bounce + r * TILE, 4 * count);
    }

    void run_whole_rows(const ensue_instruction &one, int rows, int units) {
        for (int row = 0; row < rows; row++) {
            const float *args[3] = {nullptr, nullptr, nullptr};
            for (int i = 0; i < 3 && one.args[i] >= 0; i++) args[i] = at(one.args[i], row, 0);
            if (one.operation == TILE_OPERATION_COUNT) normalise(at(one.out, row, 0), args[0], units);
            else normalise_back(at(one.out, row, 0), args[0], args[1], args[2], units);
        }
    }
};
