// The vector machine: operations on tiles of 64 units. A cell's program is a list of them.
// Included inside the namespace of an instruction set; no guard.

struct Operands {
    float *out;
    const float *a, *b, *c;
    // From one row of the batch to the next.
    int64_t out_step, a_step, b_step, c_step;
};

typedef void (*TileOperation)(const Operands &, int rows);

#define UNARY(name, expression)                                                      \
    static void tile_##name(const Operands &in, int rows) {                          \
        for (int row = 0; row < rows; row++)                                         \
            for (int i = 0; i < TILE; i += WIDTH) {                                  \
                vec a = load(in.a + row * in.a_step + i);                            \
                store(in.out + row * in.out_step + i, expression);                   \
            }                                                                        \
    }
#define BINARY(name, expression)                                                     \
    static void tile_##name(const Operands &in, int rows) {                          \
        for (int row = 0; row < rows; row++)                                         \
            for (int i = 0; i < TILE; i += WIDTH) {                                  \
                vec a = load(in.a + row * in.a_step + i);                            \
                vec b = load(in.b + row * in.b_step + i);                            \
                store(in.out + row * in.out_step + i, expression);                   \
            }                                                                        \
    }
#define TERNARY(name, expression)                                                    \
    static void tile_##name(const Operands &in, int rows) {                          \
        for (int row = 0; row < rows; row++)                                         \
            for (int i = 0; i < TILE; i += WIDTH) {                                  \
                vec a = load(in.a + row * in.a_step + i);                            \
                vec b = load(in.b + row * in.b_step + i);                            \
                vec c = load(in.c + row * in.c_step + i);                            \
                store(in.out + row * in.out_step + i, expression);                   \
            }                                                                        \
    }

BINARY(add, a + b)
BINARY(subtract, a - b)
BINARY(multiply, a *b)
BINARY(divide, a / b)
UNARY(negate, -a)
UNARY(square, a *a)
UNARY(sigmoid, sigmoid(a))
UNARY(tanh, tanh(a))
UNARY(relu, (a < 0.0f ? all(0.0f) : a))
UNARY(exp, exp(a))
UNARY(log, log(a))
UNARY(sqrt, sqrt(a))
UNARY(softplus, softplus(a))
UNARY(absolute, magnitude(a))
// A NaN on either side comes out, as in torch.
BINARY(maximum, (a > b ? a : (a == a ? b : a)))
BINARY(exceeds, (a > b ? all(1.0f) : (a == b ? all(0.5f) : (a < b ? all(0.0f) : a + b))))
UNARY(sign, (a > 0.0f ? all(1.0f) : (a < 0.0f ? all(-1.0f) : a)))
// The adjoint of a function's argument, from that of its value (a) and the value (b).
BINARY(sigmoid_back, a *b *(1.0f - b))
BINARY(tanh_back, a *(1.0f - b * b))
BINARY(relu_back, (b > 0.0f ? a : all(0.0f)))
UNARY(copy, a)
TERNARY(add_product, a + b * c)
TERNARY(subtract_product, a - b * c)
#undef UNARY
#undef BINARY
#undef TERNARY

// In the order of OPERATIONS in operations.h.
static const TileOperation TILE_OPERATIONS[] = {
    tile_add,      tile_subtract,     tile_multiply,  tile_divide,    tile_negate, tile_square,      tile_sigmoid,
    tile_tanh,     tile_relu,         tile_exp,       tile_log,       tile_sqrt,   tile_softplus,    tile_absolute,
    tile_maximum,  tile_exceeds,      tile_sign,      tile_sigmoid_back, tile_tanh_back, tile_relu_back, tile_copy,
    tile_add_product, tile_subtract_product,
};
