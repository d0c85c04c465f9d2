// Langevin-middle dynamics in lanes, and the noise that drives it.
//
// The noise is a function of (seed, stream, step, degree of freedom): Philox 4x32-10 (Salmon et al., SC 2011) and the
// transform of Box and Muller. tbg_openmm.engine.noise computes the same numbers.
#pragma once

#include "nonbonded.hpp"

// Words of 32 random bits: one per lane of floats, or of doubles.
template <class T> struct Words {
    typedef uint32_t U __attribute__((vector_size(4 * Lanes<T>::width)));
    typedef int32_t S __attribute__((vector_size(4 * Lanes<T>::width)));
    typedef uint64_t Wide __attribute__((vector_size(4 * Lanes<T>::width)));
};

// Products of the even lanes' 32 bits with m, 64 bits wide.
template <class Wide> TBG_INLINE Wide multiply_even(Wide a, uint32_t m) {
#if TBG_AVX512
    if constexpr (sizeof(Wide) == 64) return (Wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(m));
    if constexpr (sizeof(Wide) == 32) return (Wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(m));
#endif
    return (a & 0xffffffffu) * uint64_t(m);
}

template <class T> TBG_INLINE void multiply(typename Words<T>::U a, uint32_t m, typename Words<T>::U &high,
                                            typename Words<T>::U &low) {
    using U = typename Words<T>::U;
    using Wide = typename Words<T>::Wide;
    Wide even = multiply_even((Wide)a, m), odd = multiply_even((Wide)a >> 32, m);
    high = (U)((even >> 32) | (odd & 0xffffffff00000000u));
    low = (U)((even & 0xffffffffu) | (odd << 32));
}

template <class T> class Noise {
    using V = typename Lanes<T>::V;
    using I = typename Lanes<T>::I;
    using U = typename Words<T>::U;
    using S = typename Words<T>::S;

  public:
    Noise(uint64_t seed, const int64_t *streams) : seed_(seed) {
        for (int k = 0; k < Lanes<T>::width; ++k) {
            low_[k] = uint32_t(uint64_t(streams[k]));
            high_[k] = uint32_t(uint64_t(streams[k]) >> 32);
        }
    }

    // Four normal variates per lane: degrees of freedom 4 quadruple to 4 quadruple + 3.
    TBG_INLINE void draw(int64_t step, int64_t quadruple, V out[4]) const {
        U a = U{} + (uint32_t(quadruple) + (uint32_t(uint64_t(step) >> 32) << 20)), b = U{} + uint32_t(step);
        U c = low_, d = high_;
        uint32_t k0 = uint32_t(seed_), k1 = uint32_t(seed_ >> 32);
        for (int round = 0; round < 10; ++round) {
            U high_a, low_a, high_c, low_c;
            multiply<T>(a, 0xD2511F53u, high_a, low_a);
            multiply<T>(c, 0xCD9E8D57u, high_c, low_c);
            a = high_c ^ b ^ k0, b = low_c;
            c = high_a ^ d ^ k1, d = low_a;
            k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
        }
        transform(a, b, out[0], out[1]);
        transform(c, d, out[2], out[3]);
    }

  private:
    uint64_t seed_;
    U low_, high_;

    TBG_INLINE static void transform(U radial, U angular, V &first, V &second) {
        // Rounding may lift the logarithm of a number near one above zero.
        V uniform = __builtin_convertvector(radial, V) + T(0.5);
        V length = vsqrt(vmax(T(-2) * (vlog(uniform) - T(22.18070977791824990)), V{}));
        // The nearest quarter of a turn, and the rest, which is exact.
        S turn = (S)((angular + 0x20000000u) >> 30);
        S rest = (S)angular - (turn << 30);
        V sine, cosine;
        quarter_turn(__builtin_convertvector(rest, V) * T(1.0 / (1 << 30)), sine, cosine);
        I quarter = __builtin_convertvector(turn, I);
        V c = (quarter & 1) != 0 ? sine : cosine, s = (quarter & 1) != 0 ? cosine : sine;
        first = ((quarter + 1) & 2) != 0 ? -length * c : length * c;
        second = (quarter & 2) != 0 ? -length * s : length * s;
    }
};
