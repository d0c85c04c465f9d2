// Coulomb, Lennard-Jones and generalised Born energies of all pairs.
//
// Three passes: distances, nonbonded energies and descreening integrals; Born energies with the finished radii; forces,
// with the chain rule through the radii. Between them, each pair keeps four vectors.
#pragma once

#include "bonded.hpp"

// The descreening integral of an atom (offset radius o) from another one (scaled radius s) at distance r, and
// push = -(dI/dr)/r. Source: Hawkins, Cramer & Truhlar, J. Phys. Chem. 100, 19824 (1996).
template <class T, class V = typename Lanes<T>::V> struct Descreening {
    V integral, push;

    TBG_INLINE Descreening(V r, V inverse, T o, T s, bool may_engulf, bool engulfing) {
        V upper = r + s, gap = r - s, lower = vmax(vabs(gap), broadcast(o));
        V both = reciprocal(upper * lower), iu = lower * both, il = upper * both;
        V squares = (iu - il) * (iu + il);
        V log_ratio = T(0.25) * vlog(lower * iu) * inverse;
        V s_over_r = s * inverse;
        integral = T(0.5) * (il - iu) + T(0.125) * (r - s * s_over_r) * squares + log_ratio;
        push = (log_ratio * inverse - (T(0.125) + T(0.125) * s_over_r * s_over_r) * squares) * inverse;
        if (may_engulf) {
            // Inside the other atom: the models differ in whether what lies within counts.
            V zero{};
            if (engulfing)
                integral += -gap > o ? reciprocal(broadcast(o)) - il : zero;
            else
                push -= -gap > o ? il * il * inverse : zero;
        }
        integral = upper > o ? integral : V{};
        push = upper > o ? push : V{};
    }

    TBG_INLINE void add_neck(V r, V inverse, const Neck<T> &neck) {
        V d = r - neck.position, d2 = d * d, d4 = d2 * d2;
        V share = reciprocal(T(1) + T(100) * d2 + T(3e5) * d4 * d2);
        V value = neck.depth * share;
        V slope = value * share * (T(200) * d + T(1.8e6) * d4 * d) * inverse;
        integral += r < neck.reach ? value : V{};
        push += r < neck.reach ? slope : V{};
    }
};

template <class T> class Nonbonded {
    using V = typename Lanes<T>::V;

  public:
    Nonbonded(const Model<T> &model, V *scratch) : m(model), n(model.n) {
        integral = scratch, radius = integral + n, inverse = radius + n, slope = inverse + n;
        r2 = slope + n, push = r2 + m.pairs.size(), from_j = push + m.pairs.size(), from_i = from_j + m.pairs.size();
    }

    template <bool forces> void add(const V *x, V *f, Total<T> &total) {
        if (m.pairs.empty()) return;
        if (m.has_born) {
            distances<forces, true>(x, total);
            radii<forces>(total);
            born<forces>(total);
        } else {
            distances<forces, false>(x, total);
        }
        if (forces) m.has_born ? scatter<true>(x, f) : scatter<false>(x, f);
    }

  private:
    const Model<T> &m;
    const int n;
    V *integral, *radius, *inverse, *slope;  // per atom; slope is dE/dB, later dE/dI
    V *r2, *push, *from_j, *from_i;          // per pair

    template <bool forces, bool solvent> __attribute__((noinline)) void distances(const V *x, Total<T> &total) {
        if (solvent)
            for (int i = 0; i < n; ++i) integral[i] = V{};
        size_t p = 0;
        for (int i = 0; i < n; ++i) {
            V energy{}, own{};
            const T oi = solvent ? m.offset[i] : T(0), si = solvent ? m.scaled[i] : T(0);
            for (int j = i + 1; j < n; ++j, ++p) {
                const Pair<T> &pair = m.pairs[p];
                Vec3<V> d = difference(x, i, j);
                V square = dot(d, d), ir = rsqrt(square), force{};
                if (pair.kind & 1) {
                    V ir2 = ir * ir, ir6 = ir2 * ir2 * ir2, a = pair.c12 * ir6, c = pair.coulomb * ir;
                    V e = ir6 * (a - pair.c6) + c + (pair.k_rf * square - pair.c_rf);
                    energy += square > pair.cutoff2 ? V{} : e;
                    if (forces) {
                        force = ir2 * (ir6 * (T(12) * a - T(6) * pair.c6) + c) - T(2) * pair.k_rf;
                        force = square > pair.cutoff2 ? V{} : force;
                    }
                }
                if (solvent) {
                    V r = square * ir;
                    bool inside = pair.kind & 2;
                    Descreening<T> to_i(r, ir, oi, m.scaled[j], inside, m.engulfing);
                    Descreening<T> to_j(r, ir, m.offset[j], si, inside, m.engulfing);
                    if (m.has_neck) {
                        to_i.add_neck(r, ir, m.necks[2 * p]);
                        to_j.add_neck(r, ir, m.necks[2 * p + 1]);
                    }
                    own += square > m.born_cutoff2 ? V{} : to_i.integral;
                    integral[j] += square > m.born_cutoff2 ? V{} : to_j.integral;
                    r2[p] = square;
                    if (forces) {
                        from_j[p] = square > m.born_cutoff2 ? V{} : to_i.push;
                        from_i[p] = square > m.born_cutoff2 ? V{} : to_j.push;
                    }
                }
                if (forces) push[p] = force;
            }
            if (solvent) integral[i] += own;
            total.add(energy);
        }
    }

    // Born radii, and the energies that depend on one of them. Leaves dB/dI in ``integral``.
    template <bool forces> __attribute__((noinline)) void radii(Total<T> &total) {
        for (int i = 0; i < n; ++i) {
            const T o = m.offset[i], big = m.radius[i], q = m.charge[i];
            V b, derivative;
            if (m.tanh) {
                V psi = integral[i] * o;
                V argument = psi * (m.alpha[i] + psi * (m.gamma[i] * psi - m.beta[i]));
                V t = T(1) - T(2) / (vexp(vmin(T(2) * argument, broadcast(T(80)))) + T(1));
                b = T(1) / (T(1) / o - t / big);
                V chain = m.alpha[i] + psi * (T(3) * m.gamma[i] * psi - T(2) * m.beta[i]);
                derivative = b * b * (T(1) - t * t) * chain * (o / big);
            } else {
                b = T(1) / (T(1) / o - integral[i]);
                derivative = b * b;
            }
            V ib = T(1) / b, own = T(0.5) * m.prefactor * q * q * ib;
            V ratio = big * ib, ratio2 = ratio * ratio;
            V area = m.surface * (big + T(0.14)) * (big + T(0.14)) * (ratio2 * ratio2 * ratio2);
            total.add(own + area);
            radius[i] = b, inverse[i] = ib;
            if (forces) {
                slope[i] = -(own + T(6) * area) * ib;
                integral[i] = derivative;
            }
        }
    }

    template <bool forces> __attribute__((noinline)) void born(Total<T> &total) {
        size_t p = 0;
        for (int i = 0; i < n; ++i) {
            V energy{}, own{}, bi = radius[i], quarter = T(0.25) * inverse[i];
            for (int j = i + 1; j < n; ++j, ++p) {
                const T g = m.pairs[p].born;
                V square = r2[p], bb = bi * radius[j], a = square * (quarter * inverse[j]);
                V ex = vexp(-a), ratio = rsqrt(square + bb * ex), e = g * ratio;
                energy += square > m.born_cutoff2 ? V{} : e - g * m.shift;
                if (forces) {
                    V steep = square > m.born_cutoff2 ? V{} : e * (ratio * ratio);
                    push[p] += steep * (T(1) - T(0.25) * ex);
                    V change = steep * (ex * (T(1) + a)) * bb;
                    own += change;
                    slope[j] -= T(0.5) * change * inverse[j];
                }
            }
            total.add(energy);
            if (forces) slope[i] -= T(0.5) * own * inverse[i];
        }
        if (forces)
            for (int i = 0; i < n; ++i) slope[i] *= integral[i];
    }

    template <bool solvent> __attribute__((noinline)) void scatter(const V *x, V *f) {
        size_t p = 0;
        for (int i = 0; i < n; ++i) {
            Vec3<V> own = {};
            V si = solvent ? slope[i] : V{};
            for (int j = i + 1; j < n; ++j, ++p) {
                V c = push[p];
                if (solvent) c += si * from_j[p] + slope[j] * from_i[p];
                Vec3<V> g = scale(c, difference(x, i, j));
                own = {own.x + g.x, own.y + g.y, own.z + g.z};
                subtract(f, j, g);
            }
            ::add(f, i, own);
        }
    }
};
