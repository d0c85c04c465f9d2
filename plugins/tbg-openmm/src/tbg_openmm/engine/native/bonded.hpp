// Bonds, angles, torsions and correction maps. Positions and forces are [atom][axis] vectors of lanes.
#pragma once

#include "model.hpp"

template <class V> struct Vec3 { V x, y, z; };

template <class V> TBG_INLINE Vec3<V> difference(const V *x, int i, int j) {
    return {x[3 * i] - x[3 * j], x[3 * i + 1] - x[3 * j + 1], x[3 * i + 2] - x[3 * j + 2]};
}
template <class V> TBG_INLINE V dot(Vec3<V> a, Vec3<V> b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
template <class V> TBG_INLINE Vec3<V> cross(Vec3<V> a, Vec3<V> b) {
    return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
template <class V> TBG_INLINE Vec3<V> scale(V s, Vec3<V> a) { return {s * a.x, s * a.y, s * a.z}; }
template <class V> TBG_INLINE void add(V *f, int i, Vec3<V> a) {
    f[3 * i] += a.x, f[3 * i + 1] += a.y, f[3 * i + 2] += a.z;
}
template <class V> TBG_INLINE void subtract(V *f, int i, Vec3<V> a) {
    f[3 * i] -= a.x, f[3 * i + 1] -= a.y, f[3 * i + 2] -= a.z;
}

// Sum of energies in double precision, whatever the lanes compute in.
template <class T> struct Total {
    double value[Lanes<T>::width] = {};
    TBG_INLINE void add_to(double *to, typename Lanes<T>::V e) {
        for (int k = 0; k < Lanes<T>::width; ++k) to[k] += double(e[k]);
    }
    void add(typename Lanes<T>::V e) { add_to(value, e); }
};

template <class T, bool forces, class V = typename Lanes<T>::V>
void add_bonds(const Model<T> &m, const V *x, V *f, Total<T> &total) {
    for (const Bond<T> &b : m.bonds) {
        Vec3<V> d = difference(x, b.i, b.j);
        V r2 = dot(d, d), inverse = rsqrt(r2), stretch = r2 * inverse - b.length;
        V pull = b.stiffness * stretch;
        total.add(T(0.5) * pull * stretch);
        if (forces) {
            Vec3<V> g = scale(pull * inverse, d);
            subtract(f, b.i, g), add(f, b.j, g);
        }
    }
}

template <class T, bool forces, class V = typename Lanes<T>::V>
void add_angles(const Model<T> &m, const V *x, V *f, Total<T> &total) {
    for (const Angle<T> &a : m.angles) {
        Vec3<V> u = difference(x, a.i, a.j), w = difference(x, a.k, a.j), p = cross(u, w);
        V p2 = vmax(dot(p, p), broadcast(T(1e-18)));
        V inverse = rsqrt(p2);
        V bend = angle_of(p2 * inverse, dot(u, w)) - a.angle;
        V torque = a.stiffness * bend;
        total.add(T(0.5) * torque * bend);
        if (forces) {
            V u2 = dot(u, u), w2 = dot(w, w);
            V s = torque * inverse * reciprocal(u2 * w2);
            Vec3<V> gu = scale(s * w2, cross(u, p)), gw = scale(s * u2, cross(p, w));
            subtract(f, a.i, gu), subtract(f, a.k, gw);
            add(f, a.j, gu), add(f, a.j, gw);
        }
    }
}

// A dihedral: its cosine and sine, and what its forces need.
template <class V> struct Dihedral {
    Vec3<V> b, u, w;
    V cosine, sine, length, u2, w2, ab, cb;

    TBG_INLINE Dihedral(const V *x, int i, int j, int k, int l) {
        Vec3<V> a = difference(x, j, i), c = difference(x, l, k);
        b = difference(x, k, j);
        u = cross(a, b), w = cross(b, c);
        auto tiny = broadcast(decltype(a.x[0] + 0)(1e-18));
        u2 = vmax(dot(u, u), tiny), w2 = vmax(dot(w, w), tiny);
        V b2 = dot(b, b);
        length = vsqrt(b2);
        V s = rsqrt(u2) * rsqrt(w2);
        cosine = dot(u, w) * s;
        sine = dot(a, w) * length * s;
        ab = dot(a, b), cb = dot(c, b);
    }

    // Adds the forces of dE/dphi = slope. Source: Blondel & Karplus, J. Comput. Chem. 17, 1132 (1996).
    TBG_INLINE void push(V *f, int i, int j, int k, int l, V slope) const {
        V shared = reciprocal(u2 * w2 * length);
        V gi = slope * length * length * w2 * shared, gl = slope * length * length * u2 * shared;
        Vec3<V> fi = scale(gi, u), fl = scale(gl, w);
        V si = slope * ab * w2 * shared, sl = slope * cb * u2 * shared;
        Vec3<V> mid = {si * u.x + sl * w.x, si * u.y + sl * w.y, si * u.z + sl * w.z};
        add(f, i, fi), subtract(f, l, fl);
        subtract(f, j, fi), subtract(f, j, mid);
        add(f, k, fl), add(f, k, mid);
    }
};

template <class T, bool forces, class V = typename Lanes<T>::V>
void add_torsions(const Model<T> &m, const V *x, V *f, Total<T> &total) {
    for (const Torsion &t : m.torsions) {
        Dihedral<V> d(x, t.i, t.j, t.k, t.l);
        const T *a = m.cosines.data() + t.series, *b = m.sines.data() + t.series;
        V c = d.cosine, s = d.sine, energy = a[0] * c + b[0] * s, slope = b[0] * c - a[0] * s;
        for (int h = 1; h < t.last; ++h) {
            V next = c * d.cosine - s * d.sine;
            s = s * d.cosine + c * d.sine;
            c = next;
            energy += a[h] * c + b[h] * s;
            slope += T(h + 1) * (b[h] * c - a[h] * s);
        }
        total.add(energy);
        if (forces) d.push(f, t.i, t.j, t.k, t.l, slope);
    }
}

template <class T, bool forces, class V = typename Lanes<T>::V>
void add_cmaps(const Model<T> &m, const V *x, V *f, Total<T> &total) {
    for (const CMap &map : m.cmaps) {
        const int32_t *at = map.atoms;
        Dihedral<V> d[2] = {{x, at[0], at[1], at[2], at[3]}, {x, at[4], at[5], at[6], at[7]}};
        V energy, slope[2];
        for (int lane = 0; lane < Lanes<T>::width; ++lane) {
            T fraction[2];
            int cell[2];
            for (int k = 0; k < 2; ++k) {
                T position = std::atan2(d[k].sine[lane], d[k].cosine[lane]) * T(map.size / (2 * M_PI));
                T floor = std::floor(position);
                if (!(floor >= -map.size && floor < map.size)) floor = position = 0;  // nan
                fraction[k] = position - floor;
                cell[k] = (int(floor) + map.size) % map.size;
            }
            const T *c = m.cells.data() + map.start + 16 * (int64_t(cell[0]) * map.size + cell[1]);
            T a = fraction[0], b = fraction[1], e = 0, da = 0, db = 0;
            for (int k = 3; k >= 0; --k) {
                T value = ((c[4 * k + 3] * b + c[4 * k + 2]) * b + c[4 * k + 1]) * b + c[4 * k];
                da = da * a + e;
                e = e * a + value;
                db = db * a + (3 * c[4 * k + 3] * b + 2 * c[4 * k + 2]) * b + c[4 * k + 1];
            }
            energy[lane] = e;
            slope[0][lane] = da * T(map.size / (2 * M_PI));
            slope[1][lane] = db * T(map.size / (2 * M_PI));
        }
        total.add(energy);
        if (forces)
            for (int k = 0; k < 2; ++k)
                d[k].push(f, at[4 * k], at[4 * k + 1], at[4 * k + 2], at[4 * k + 3], slope[k]);
    }
}
