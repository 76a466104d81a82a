// What a cell's program is made of, and how wide its tiles are.
#pragma once

// Units that are computed together: the values of a tile stay in the first cache.
constexpr int TILE = 64;

// By name, in the order of the numbers that stand for them. Those after `subtract_product` work on whole rows.
constexpr const char *OPERATIONS[] = {
    "add",      "subtract",     "multiply",     "divide",    "negate",      "square",
    "sigmoid",  "tanh",         "relu",         "exp",       "log",         "sqrt",
    "softplus", "absolute",     "maximum",      "exceeds",   "sign",        "sigmoid_back",
    "tanh_back", "relu_back",   "copy",         "add_product", "subtract_product",
    "normalise", "normalise_back",
};
constexpr int OPERATION_COUNT = sizeof(OPERATIONS) / sizeof(*OPERATIONS);
constexpr int TILE_OPERATION_COUNT = OPERATION_COUNT - 2;
