// The force field as the caller hands it over, and as the kernel keeps it: in the arithmetic of the lanes.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "simd.hpp"

// Must equal tbg_openmm.engine.native.Terms. Arrays are in the order of tbg_openmm.engine.parameters.
struct Terms {
    int64_t atoms, bonds, angles, torsions, harmonics, cmaps, has_pairs, has_born, has_neck, tanh, engulfing;
    const double *masses;
    const int32_t *bond_atoms;
    const double *bond_length, *bond_stiffness;
    const int32_t *angle_atoms;
    const double *angle_angle, *angle_stiffness;
    const int32_t *torsion_atoms;
    const double *torsion_cosines, *torsion_sines;
    const int32_t *cmap_atoms, *cmap_size;
    const int64_t *cmap_start;
    const double *cmap_coefficients;
    int64_t cmap_cells;
    const double *coulomb, *c12, *c6;
    const uint8_t *cut;
    const double *charges, *radii, *offset_radii, *scaled_radii, *alpha, *beta, *gamma;
    const double *neck_depth, *neck_position, *neck_reach;
    double cutoff, k_rf, c_rf, prefactor, shift, born_cutoff, surface;
};

template <class T> struct Bond { int32_t i, j; T length, stiffness; };
template <class T> struct Angle { int32_t i, j, k; T angle, stiffness; };
struct Torsion { int32_t i, j, k, l, last, series; };  // harmonics 1 to last; series: where they start
struct CMap { int32_t atoms[8]; int32_t size; int64_t start; };

// Parameters of the pair i < j. Bit 0 of kind: has energies; bit 1: i may engulf j or the reverse.
template <class T> struct Pair { T coulomb, c12, c6, k_rf, c_rf, cutoff2, born; int32_t kind; };
template <class T> struct Neck { T depth, position, reach; };

// Buffers of one thread: pairs in lanes.
template <class T> struct Workspace {
    using V = typename Lanes<T>::V;
    V *memory;
    explicit Workspace(size_t vectors) {
        size_t bytes = vectors * sizeof(V);
        memory = static_cast<V *>(std::aligned_alloc(TBG_BYTES, bytes ? bytes : TBG_BYTES));
        if (!memory) throw std::bad_alloc();
    }
    ~Workspace() { std::free(memory); }
    Workspace(const Workspace &) = delete;
    Workspace &operator=(const Workspace &) = delete;
};

template <class T> class Model {
  public:
    int n;
    bool has_pairs, has_born, has_neck, tanh, engulfing;
    T prefactor, shift, born_cutoff2, surface;
    double constant = 0;  // sum of the torsions' zeroth harmonics
    std::vector<double> masses;
    std::vector<Bond<T>> bonds;
    std::vector<Angle<T>> angles;
    std::vector<Torsion> torsions;
    std::vector<T> cosines, sines;
    std::vector<CMap> cmaps;
    std::vector<T> cells;
    std::vector<Pair<T>> pairs;
    std::vector<T> charge, radius, offset, scaled, alpha, beta, gamma;
    std::vector<Neck<T>> necks;  // two per pair: of i from j, of j from i

    explicit Model(const Terms &t)
        : n(int(t.atoms)), has_pairs(t.has_pairs), has_born(t.has_born), has_neck(t.has_neck), tanh(t.tanh),
          engulfing(t.engulfing), prefactor(T(t.prefactor)), shift(T(t.shift)),
          born_cutoff2(T(t.born_cutoff * t.born_cutoff)), surface(T(t.surface)), masses(t.masses, t.masses + t.atoms) {
        for (int64_t b = 0; b < t.bonds; ++b)
            bonds.push_back({t.bond_atoms[2 * b], t.bond_atoms[2 * b + 1], T(t.bond_length[b]), T(t.bond_stiffness[b])});
        for (int64_t a = 0; a < t.angles; ++a)
            angles.push_back({t.angle_atoms[3 * a], t.angle_atoms[3 * a + 1], t.angle_atoms[3 * a + 2],
                              T(t.angle_angle[a]), T(t.angle_stiffness[a])});
        add_torsions(t);
        for (int64_t c = 0; c < t.cmaps; ++c) {
            CMap map{};
            std::memcpy(map.atoms, t.cmap_atoms + 8 * c, sizeof map.atoms);
            map.size = t.cmap_size[c];
            map.start = t.cmap_start[c];
            cmaps.push_back(map);
        }
        cells.assign(t.cmap_coefficients, t.cmap_coefficients + t.cmap_cells);
        if (has_born) {
            auto copy = [&](std::vector<T> &to, const double *from) { to.assign(from, from + n); };
            copy(charge, t.charges), copy(radius, t.radii), copy(offset, t.offset_radii);
            copy(scaled, t.scaled_radii), copy(alpha, t.alpha), copy(beta, t.beta), copy(gamma, t.gamma);
        }
        add_pairs(t);
    }

    // Vectors that an evaluation needs beside positions and forces.
    size_t scratch() const { return 4 * size_t(n) + 4 * pairs.size(); }

    std::unique_ptr<Workspace<T>> take() {
        std::lock_guard<std::mutex> lock(mutex_);
        if (free_.empty()) return std::make_unique<Workspace<T>>(9 * size_t(n) + scratch());
        auto space = std::move(free_.back());
        free_.pop_back();
        return space;
    }
    void give(std::unique_ptr<Workspace<T>> space) {
        std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(space));
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Workspace<T>>> free_;

    void add_torsions(const Terms &t) {
        for (int64_t k = 0; k < t.torsions; ++k) {
            const double *a = t.torsion_cosines + k * t.harmonics, *b = t.torsion_sines + k * t.harmonics;
            const int32_t *atoms = t.torsion_atoms + 4 * k;
            constant += a[0];
            int last = int(t.harmonics) - 1;
            while (last > 0 && a[last] == 0 && b[last] == 0) --last;
            if (last == 0) continue;
            torsions.push_back({atoms[0], atoms[1], atoms[2], atoms[3], last, int32_t(cosines.size())});
            for (int m = 1; m <= last; ++m) cosines.push_back(T(a[m])), sines.push_back(T(b[m]));
        }
    }

    void add_pairs(const Terms &t) {
        if (!has_pairs && !has_born) return;
        int64_t p = 0;
        for (int i = 0; i < n; ++i)
            for (int j = i + 1; j < n; ++j, ++p) {
                Pair<T> pair{};
                if (has_pairs) {
                    bool cut = t.cut[p];
                    pair.coulomb = T(t.coulomb[p]), pair.c12 = T(t.c12[p]), pair.c6 = T(t.c6[p]);
                    pair.k_rf = cut ? T(t.coulomb[p] * t.k_rf) : T(0);
                    pair.c_rf = cut ? T(t.coulomb[p] * t.c_rf) : T(0);
                    pair.cutoff2 = cut ? T(t.cutoff * t.cutoff) : std::numeric_limits<T>::infinity();
                    pair.kind |= t.coulomb[p] != 0 || t.c12[p] != 0 || t.c6[p] != 0;
                }
                if (has_born) {
                    pair.born = T(t.prefactor * t.charges[i] * t.charges[j]);
                    bool inside = t.scaled_radii[j] > t.offset_radii[i] || t.scaled_radii[i] > t.offset_radii[j];
                    pair.kind |= inside ? 2 : 0;
                }
                if (has_neck)
                    for (int64_t at : {int64_t(i) * n + j, int64_t(j) * n + i})
                        necks.push_back({T(t.neck_depth[at]), T(t.neck_position[at]), T(t.neck_reach[at])});
                pairs.push_back(pair);
            }
    }
};
