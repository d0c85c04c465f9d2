// Vectors of lanes, one conformation in each, and elementary functions of them.
//
// Every operation acts on each lane alone, so a lane's result does not depend on its neighbours. Functions are
// accurate to about an ulp on the ranges that energies need; they promise nothing for nan, which callers check.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define TBG_AVX512 1
#define TBG_BYTES 64
#elif defined(__AVX__)
#define TBG_BYTES 32
#else
#define TBG_BYTES 16
#endif

#define TBG_INLINE inline __attribute__((always_inline))

template <class T> struct Lanes;

template <> struct Lanes<float> {
    typedef float V __attribute__((vector_size(TBG_BYTES)));
    typedef int32_t I __attribute__((vector_size(TBG_BYTES)));
    static constexpr int width = TBG_BYTES / 4;
};

template <> struct Lanes<double> {
    typedef double V __attribute__((vector_size(TBG_BYTES)));
    typedef int64_t I __attribute__((vector_size(TBG_BYTES)));
    static constexpr int width = TBG_BYTES / 8;
};

using VF = Lanes<float>::V;
using VD = Lanes<double>::V;
using IF = Lanes<float>::I;
using ID = Lanes<double>::I;

TBG_INLINE VF broadcast(float a) { return a - VF{}; }
TBG_INLINE VD broadcast(double a) { return a - VD{}; }

// ------------------------------------------------------------------------------ minimum, maximum, square root

#if TBG_AVX512
TBG_INLINE VF vmax(VF a, VF b) { return (VF)_mm512_max_ps((__m512)a, (__m512)b); }
TBG_INLINE VD vmax(VD a, VD b) { return (VD)_mm512_max_pd((__m512d)a, (__m512d)b); }
TBG_INLINE VF vmin(VF a, VF b) { return (VF)_mm512_min_ps((__m512)a, (__m512)b); }
TBG_INLINE VD vmin(VD a, VD b) { return (VD)_mm512_min_pd((__m512d)a, (__m512d)b); }
TBG_INLINE VF vabs(VF a) { return (VF)_mm512_abs_ps((__m512)a); }
TBG_INLINE VD vabs(VD a) { return (VD)_mm512_abs_pd((__m512d)a); }
TBG_INLINE VF vsqrt(VF a) { return (VF)_mm512_sqrt_ps((__m512)a); }
TBG_INLINE VD vsqrt(VD a) { return (VD)_mm512_sqrt_pd((__m512d)a); }
// The estimate is good to 14 bits; each step of Newton's doubles that.
TBG_INLINE VF rsqrt(VF a) {
    VF y = (VF)_mm512_rsqrt14_ps((__m512)a);
    return y + y * (0.5f - 0.5f * (a * y) * y);
}
TBG_INLINE VD rsqrt(VD a) {
    VD y = (VD)_mm512_rsqrt14_pd((__m512d)a);
    y = y + y * (0.5 - 0.5 * (a * y) * y);
    return y + y * (0.5 - 0.5 * (a * y) * y);
}
TBG_INLINE VF reciprocal(VF a) {
    VF y = (VF)_mm512_rcp14_ps((__m512)a);
    return y + y * (1.0f - a * y);
}
TBG_INLINE VD reciprocal(VD a) { return 1.0 / a; }
#else
template <class V> TBG_INLINE V vmax(V a, V b) { return a > b ? a : b; }
template <class V> TBG_INLINE V vmin(V a, V b) { return a < b ? a : b; }
template <class V> TBG_INLINE V vabs(V a) { return a < 0 ? -a : a; }
template <class V> TBG_INLINE V vsqrt(V a) {
    V y;
    for (unsigned k = 0; k < sizeof(V) / sizeof(a[0]); ++k) y[k] = std::sqrt(a[k]);
    return y;
}
#if defined(__AVX__)
template <> inline VF vsqrt(VF a) { return (VF)_mm256_sqrt_ps((__m256)a); }
template <> inline VD vsqrt(VD a) { return (VD)_mm256_sqrt_pd((__m256d)a); }
#elif defined(__SSE2__)
#include <emmintrin.h>
template <> inline VF vsqrt(VF a) { return (VF)_mm_sqrt_ps((__m128)a); }
template <> inline VD vsqrt(VD a) { return (VD)_mm_sqrt_pd((__m128d)a); }
#endif
template <class V> TBG_INLINE V rsqrt(V a) { return 1 / vsqrt(a); }
template <class V> TBG_INLINE V reciprocal(V a) { return 1 / a; }
#endif

// ---------------------------------------------------------------------------------------------- polynomials

template <class V> TBG_INLINE V horner(V, V last) { return last; }
template <class V, class T> TBG_INLINE V horner(V, T last) { return broadcast(last); }
template <class V, class T, class... Rest> TBG_INLINE V horner(V x, T first, Rest... rest) {
    return horner(x, rest...) * x + first;
}

// ------------------------------------------------------------------------------------- exponential, logarithm

// exp(x) for x <= 88; zero-ish (1e-38) below -87.
TBG_INLINE VF vexp(VF x) {
    const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
    x = vmax(x, broadcast(-87.0f));
    VF z = x * 1.44269504088896341f + shift;
    VF n = z - shift;
    VF r = x - n * 0.693359375f + n * 2.12194440e-4f;
    VF p = horner(r, 0.5f, 0.166665181517601f, 0.04166620224714279f, 0.008369024842977524f, 0.0013950724387541413f);
    IF bits = ((IF)z << 23) + 0x3f800000;
    return (p * (r * r) + r + 1.0f) * (VF)bits;
}

TBG_INLINE VD vexp(VD x) {
    const double shift = 6755399441055744.0;  // 1.5 * 2^52
    x = vmax(x, broadcast(-700.0));
    VD z = x * 1.4426950408889634074 + shift;
    VD n = z - shift;
    VD r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    VD p = horner(r, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
                  1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800);
    ID bits = ((ID)z << 52) + 0x3ff0000000000000;
    return (p * (r * r) + r + 1.0) * (VD)bits;
}

// log(x) for normal positive x.
TBG_INLINE VF vlog(VF x) {
    IF bits = (IF)x - 0x3f3504f3;  // relative to sqrt(1/2): the mantissa lies in [sqrt(1/2), sqrt(2))
    VF n = __builtin_convertvector(bits >> 23, VF);
    VF f = (VF)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
    // Estrin's scheme: logarithms are what the pair loop waits for.
    VF f2 = f * f;
    VF low = horner(f2, horner(f, 0.33333316445350647f, -0.25000810623168945f),
                    horner(f, 0.2000228613615036f, -0.16624553501605988f));
    VF high = horner(f2, horner(f, 0.14181196689605713f, -0.13128767907619476f),
                     horner(f, 0.12881621718406677f, -0.07859545946121216f));
    VF p = high * (f2 * f2) + low;
    VF y = p * f - 0.5f;
    y = y * f2 + n * -2.12194440e-4f;
    return y + f + n * 0.693359375f;
}

TBG_INLINE VD vlog(VD x) {
    ID bits = (ID)x - 0x3fe6a09e667f3bcd;
    VD n = __builtin_convertvector(bits >> 52, VD);
    VD m = (VD)((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
    VD s = (m - 1.0) / (m + 1.0);
    VD s2 = s * s;
    VD p = horner(s2, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21);
    return (n * 1.90821492927058770002e-10 + s * s2 * p) + 2.0 * s + n * 6.93147180369123816490e-01;
}

// ------------------------------------------------------------------------------------------------- angles

// The angle in [0, pi] of (x, y) with y >= 0.
TBG_INLINE VF angle_of(VF y, VF x) {
    VF ax = vabs(x);
    VF t = vmin(ax, y) / vmax(ax, y);
    VF z = t * t;
    VF p = horner(z, -0.3333326280117035f, 0.19997619092464447f, -0.1425546109676361f, 0.10910268872976303f,
                  -0.08289732784032822f, 0.0561269074678421f, -0.02944609522819519f, 0.010025416500866413f,
                  -0.0016023857751861215f);
    VF a = p * z * t + t;
    a = y > ax ? 1.57079632679f - a : a;
    return x < 0.0f ? 3.14159265359f - a : a;
}

TBG_INLINE VD angle_of(VD y, VD x) {
    VD a;
    for (int k = 0; k < Lanes<double>::width; ++k) a[k] = std::atan2(y[k], x[k]);
    return a;
}

// Sine and cosine of pi/2 z for |z| <= 1/2.
TBG_INLINE void quarter_turn(VF z, VF &sine, VF &cosine) {
    VF w = z * z;
    sine = z * horner(w, 1.5707963705062866f, -0.6459640860557556f, 0.07969257980585098f, -0.004681266378611326f,
                      0.00015820674889255315f);
    cosine = 1.0f + w * horner(w, -1.2337005138397217f, 0.25366950035095215f, -0.020863475278019905f,
                               0.0009191963472403586f, -2.490927181497682e-05f);
}

TBG_INLINE void quarter_turn(VD z, VD &sine, VD &cosine) {
    VD w = z * z;
    sine = z * horner(w, 1.5707963267948966192, -0.64596409750624625366, 0.079692626246167045121,
                      -0.0046817541353186881007, 0.00016044118478735982187, -3.5988432352120853405e-6,
                      5.6921729219679268118e-8, -6.6880351098114672325e-10, 6.0669357311061956671e-12);
    cosine = 1.0 + w * horner(w, -1.2337005501361698274, 0.25366950790104801364, -0.020863480763352960873,
                              0.00091926027483942658024, -0.000025202042373060605481, 4.7108747788181715037e-7,
                              -6.3866030837918522411e-9, 6.5659631149794723622e-11, -5.2944002007346237619e-13);
}
