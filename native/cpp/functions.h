// Elementary functions of vectors: at most 2 units in the last place or a share of 3e-7 from the true value (a test
// measures it).
// Included inside the namespace of an instruction set; no guard. Infinities and NaN come out as in the C library.

// x = n ln 2 + r with |r| <= ln 2 / 2; gives n (as a float and as an integer) and r. |x| < 2^21.
struct Reduced {
    vec r;
    ivec n;
};

INLINE Reduced reduce(vec x) {
    // Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the low bits.
    const vec shift = all(12582912.0f);
    vec turned = x * 1.44269504f + shift;
    vec n = turned - shift;
    // ln 2 in two parts, the first exact in few bits (Cody & Waite 1980), so that n times it is exact.
    vec r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    return {r, bits(turned) - 0x4b400000};
}

INLINE vec power_of_two(ivec n) { return from_bits((n + 127) << 23); }

// exp(r) - 1 for |r| <= ln 2 / 2 by its Taylor series, whose next term is below 4e-9 of the value.
INLINE vec exp_less_one_near_zero(vec r) {
    vec series = all(1 / 5040.0f);
    series = series * r + 1 / 720.0f;
    series = series * r + 1 / 120.0f;
    series = series * r + 1 / 24.0f;
    series = series * r + 1 / 6.0f;
    series = series * r + 0.5f;
    return series * (r * r) + r;
}

INLINE vec exp(vec x) {
    x = x > 89.0f ? all(89.0f) : x;
    x = x < -104.0f ? all(-104.0f) : x;
    Reduced part = reduce(x);
    // In two factors, since 2^n alone would overflow before the value does.
    ivec half = part.n >> 1;
    return (exp_less_one_near_zero(part.r) + 1.0f) * power_of_two(half) * power_of_two(part.n - half);
}

INLINE vec sigmoid(vec x) { return 1.0f / (1.0f + exp(-x)); }

// tanh(x) = e / (e + 2) with e = exp(2x) - 1, which keeps its precision near zero.
INLINE vec tanh(vec x) {
    vec twice = x + x;
    twice = twice > 20.0f ? all(20.0f) : twice;
    twice = twice < -20.0f ? all(-20.0f) : twice;
    Reduced part = reduce(twice);
    vec power = power_of_two(part.n);
    vec e = power * exp_less_one_near_zero(part.r) + (power - 1.0f);
    return e / (e + 2.0f);
}

// 2 artanh(s) = 2 (s + s^3 / 3 + ...) for |s| <= 1/3: log((1 + s) / (1 - s)).
INLINE vec twice_artanh(vec s) {
    vec square = s * s;
    vec series = all(1 / 17.0f);
    for (int odd = 15; odd >= 3; odd -= 2) series = series * square + 1.0f / (float)odd;
    return 2.0f * (s + s * square * series);
}

INLINE vec log(vec x) {
    // Numbers below the normal ones are brought up by 2^23 first.
    ivec tiny = x < 1.17549435e-38f;
    vec scaled = tiny ? x * 8388608.0f : x;
    // Of negative numbers, whose logarithm is NaN below, the magnitude, lest the difference overflow.
    ivec number = bits(magnitude(scaled));
    ivec exponent = (number - 0x3f3504f3) >> 23;
    vec mantissa = from_bits(number - (exponent << 23));
    exponent = tiny ? exponent - 23 : exponent;
    vec n = __builtin_convertvector(exponent, vec);
    vec value = n * 0.693359375f + (twice_artanh((mantissa - 1.0f) / (mantissa + 1.0f)) - n * 2.12194440e-4f);
    value = x == 0.0f ? all(-__builtin_inff()) : value;
    value = x == __builtin_inff() ? x : value;
    return (x >= 0.0f) ? value : all(__builtin_nanf(""));
}

// log(1 + exp(x)) = max(x, 0) + log(1 + y) with y = exp(-|x|) in (0, 1].
INLINE vec softplus(vec x) {
    vec y = exp(-magnitude(x));
    vec value = (x > 0.0f ? x : all(0.0f)) + twice_artanh(y / (2.0f + y));
    return x == x ? value : x;
}

INLINE vec sqrt(vec x) {
    for (int i = 0; i < WIDTH; i++) x[i] = __builtin_sqrtf(x[i]);
    return x;
}
