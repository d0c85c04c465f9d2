// Langevin-middle dynamics in lanes, and the noise that drives it.
//
// The noise is a function of (seed, stream, step, degree of freedom): Philox 4x32-10 (Salmon et al., SC 2011) and the
// transform of Box and Muller. tbg_openmm.engine.noise computes the same numbers.
#pragma once

#include "nonbonded.hpp"

template <class T> class Noise {
    using V = typename Lanes<T>::V;
    static constexpr int W = Lanes<T>::width;

  public:
    Noise(uint64_t seed, const int64_t *streams) : seed_(seed) {
        for (int k = 0; k < W; ++k) {
            low_[k] = uint32_t(uint64_t(streams[k]));
            high_[k] = uint32_t(uint64_t(streams[k]) >> 32);
        }
    }

    // Four normal variates per lane: degrees of freedom 4 quadruple to 4 quadruple + 3.
    void draw(int64_t step, int64_t quadruple, V out[4]) const {
        alignas(TBG_BYTES) uint32_t a[W], b[W], c[W], d[W];
        const uint32_t first = uint32_t(quadruple) + (uint32_t(uint64_t(step) >> 32) << 20), second = uint32_t(step);
        for (int k = 0; k < W; ++k) a[k] = first, b[k] = second, c[k] = low_[k], d[k] = high_[k];
        uint32_t k0 = uint32_t(seed_), k1 = uint32_t(seed_ >> 32);
        for (int round = 0; round < 10; ++round) {
            for (int k = 0; k < W; ++k) {
                uint64_t p = uint64_t(a[k]) * 0xD2511F53u, q = uint64_t(c[k]) * 0xCD9E8D57u;
                a[k] = uint32_t(q >> 32) ^ b[k] ^ k0;
                c[k] = uint32_t(p >> 32) ^ d[k] ^ k1;
                b[k] = uint32_t(q);
                d[k] = uint32_t(p);
            }
            k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
        }
        transform(a, b, out[0], out[1]);
        transform(c, d, out[2], out[3]);
    }

  private:
    uint64_t seed_;
    uint32_t low_[W], high_[W];

    static void transform(const uint32_t *radial, const uint32_t *angular, V &first, V &second) {
        V uniform, z;
        alignas(TBG_BYTES) int32_t turn[W];
        for (int k = 0; k < W; ++k) {
            uniform[k] = T(radial[k]);
            // The nearest quarter of a turn, and the rest, which is exact.
            turn[k] = int32_t((angular[k] + 0x20000000u) >> 30);
            z[k] = T(int32_t(angular[k] - (uint32_t(turn[k]) << 30)));
        }
        // Rounding may lift the logarithm of a number near one above zero.
        V length = vsqrt(vmax(T(-2) * (vlog(uniform + T(0.5)) - T(22.18070977791824990)), V{}));
        V sine, cosine;
        quarter_turn(z * T(1.0 / (1 << 30)), sine, cosine);
        for (int k = 0; k < W; ++k) {
            T c = turn[k] & 1 ? sine[k] : cosine[k], s = turn[k] & 1 ? cosine[k] : sine[k];
            first[k] = (turn[k] + 1) & 2 ? -c : c;
            second[k] = turn[k] & 2 ? -s : s;
        }
        first *= length;
        second *= length;
    }
};
