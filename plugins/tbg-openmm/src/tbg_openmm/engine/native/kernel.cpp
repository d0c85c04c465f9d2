// Batched energies, forces and Langevin dynamics: the C interface.
//
// Rows are taken in blocks of one vector's lanes. The last block repeats its last row. A row is computed by the same
// operations in whatever lane, block and thread it lies.

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "dynamics.hpp"

namespace {

template <class T> class Block {
    using V = typename Lanes<T>::V;
    static constexpr int W = Lanes<T>::width;

  public:
    Block(Model<T> &model) : m(model), space(model.take()) {
        const int dof = 3 * m.n;
        x = space->memory, f = x + dof, v = f + dof;
        scratch = v + dof;
    }
    ~Block() { m.give(std::move(space)); }

    V *x, *f, *v;

    // Rows [first, first + W) of an array [rows, 3 n] into lanes, and back.
    void gather(V *to, const T *from, int64_t first, int64_t rows) const {
        const int dof = 3 * m.n;
        for (int k = 0; k < W; ++k) {
            const T *row = from + std::min<int64_t>(first + k, rows - 1) * dof;
            for (int c = 0; c < dof; ++c) to[c][k] = row[c];
        }
    }
    void store(const V *from, T *to, int64_t first, int64_t rows) const {
        const int dof = 3 * m.n;
        for (int k = 0; k < W && first + k < rows; ++k) {
            T *row = to + (first + k) * dof;
            for (int c = 0; c < dof; ++c) row[c] = from[c][k];
        }
    }

    template <bool forces> void evaluate(Total<T> &total) {
        if (forces)
            for (int c = 0; c < 3 * m.n; ++c) f[c] = V{};
        add_bonds<T, forces>(m, x, f, total);
        add_angles<T, forces>(m, x, f, total);
        add_torsions<T, forces>(m, x, f, total);
        add_cmaps<T, forces>(m, x, f, total);
        Nonbonded<T>(m, scratch).template add<forces>(x, f, total);
    }

    // Energies of the rows; nan where anything of the row is not finite.
    void energies(const Total<T> &total, double *u, int64_t first, int64_t rows, bool forces) const {
        V sum{};
        for (int c = 0; c < 3 * m.n; ++c) sum += (x[c] - x[c]) + (forces ? f[c] - f[c] : V{});  // 0 or nan
        for (int k = 0; k < W && first + k < rows; ++k) {
            double e = total.value[k] + m.constant;
            u[first + k] = std::isfinite(e) && sum[k] == 0 ? e : std::numeric_limits<double>::quiet_NaN();
        }
    }

  private:
    Model<T> &m;
    std::unique_ptr<Workspace<T>> space;
    V *scratch;
};

// Calls work(first row) for every block, on several threads. Any exception ends up as a false return.
template <class T, class Work> bool for_blocks(int64_t rows, int threads, Work work) {
    constexpr int W = Lanes<T>::width;
    const int64_t blocks = (rows + W - 1) / W;
    std::atomic<int64_t> next{0};
    std::atomic<bool> good{true};
    auto loop = [&] {
        try {
            for (int64_t b; (b = next.fetch_add(1)) < blocks && good;) work(b * W);
        } catch (const std::exception &) {
            good = false;
        }
    };
    std::vector<std::thread> others;
    try {
        for (int64_t k = 1; k < std::min<int64_t>(threads, blocks); ++k) others.emplace_back(loop);
    } catch (const std::exception &) {
        // Fewer threads do as well.
    }
    loop();
    for (std::thread &thread : others) thread.join();
    return good;
}

template <class T> bool evaluate(Model<T> &m, int64_t rows, const T *x, double *u, T *f, int threads) {
    return for_blocks<T>(rows, threads, [&](int64_t first) {
        Block<T> block(m);
        block.gather(block.x, x, first, rows);
        Total<T> total;
        if (f)
            block.template evaluate<true>(total);
        else
            block.template evaluate<false>(total);
        block.energies(total, u, first, rows, f != nullptr);
        if (!f) return;
        block.store(block.f, f, first, rows);
        for (int64_t row = first; row < std::min(first + Lanes<T>::width, rows); ++row)
            if (std::isnan(u[row])) std::fill_n(f + 3 * m.n * row, 3 * m.n, std::numeric_limits<T>::quiet_NaN());
    });
}

struct Run {
    int64_t steps, first_step;
    double timestep, friction, boltzmann;
    uint64_t seed;
};

template <class T>
bool langevin(Model<T> &m, int64_t rows, T *x, T *v, const double *temperature, const int64_t *streams,
              const Run &run, double *u, int threads) {
    using V = typename Lanes<T>::V;
    constexpr int W = Lanes<T>::width;
    const int dof = 3 * m.n;
    const double decay = std::exp(-run.friction * run.timestep);
    const T half = T(0.5 * run.timestep), keep = T(decay);
    return for_blocks<T>(rows, threads, [&](int64_t first) {
        Block<T> block(m);
        block.gather(block.x, x, first, rows);
        block.gather(block.v, v, first, rows);
        int64_t stream[W];
        V heat;
        for (int k = 0; k < W; ++k) {
            const int64_t row = std::min(first + k, rows - 1);
            stream[k] = streams[row];
            heat[k] = T(std::sqrt((1 - decay * decay) * run.boltzmann * temperature[row]));
        }
        const Noise<T> noise(run.seed, stream);
        std::vector<T> kick(m.n), spread(m.n);
        for (int a = 0; a < m.n; ++a) kick[a] = T(run.timestep / m.masses[a]), spread[a] = T(1 / std::sqrt(m.masses[a]));
        for (int64_t step = run.first_step; step < run.first_step + run.steps; ++step) {
            Total<T> ignored;
            block.template evaluate<true>(ignored);
            for (int quadruple = 0; 4 * quadruple < dof; ++quadruple) {
                V xi[4];
                noise.draw(step, quadruple, xi);
                for (int k = 0; k < 4 && 4 * quadruple + k < dof; ++k) {
                    const int c = 4 * quadruple + k, a = c / 3;
                    V moving = block.v[c] + kick[a] * block.f[c];
                    block.x[c] += half * moving;
                    moving = keep * moving + (heat * spread[a]) * xi[k];
                    block.x[c] += half * moving;
                    block.v[c] = moving;
                }
            }
        }
        Total<T> total;
        block.template evaluate<false>(total);
        block.energies(total, u, first, rows, false);
        block.store(block.x, x, first, rows);
        block.store(block.v, v, first, rows);
    });
}

// One model in one of the two arithmetics.
struct Handle {
    std::unique_ptr<Model<float>> single;
    std::unique_ptr<Model<double>> twofold;
};

}  // namespace

extern "C" {

// Null if memory is short.
void *tbg_new(const Terms *terms, int is_double) {
    try {
        auto handle = std::make_unique<Handle>();
        if (is_double)
            handle->twofold = std::make_unique<Model<double>>(*terms);
        else
            handle->single = std::make_unique<Model<float>>(*terms);
        return handle.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

void tbg_free(void *handle) { delete static_cast<Handle *>(handle); }

// Energies u [rows], and forces f [rows, n, 3] unless null, of x [rows, n, 3]. Returns 0, or 1 if memory is short.
int tbg_evaluate(void *handle, int64_t rows, const void *x, double *u, void *f, int threads) {
    auto &h = *static_cast<Handle *>(handle);
    bool good = h.single ? evaluate(*h.single, rows, static_cast<const float *>(x), u, static_cast<float *>(f), threads)
                         : evaluate(*h.twofold, rows, static_cast<const double *>(x), u, static_cast<double *>(f), threads);
    return !good;
}

// Moves x and v [rows, n, 3] in place; energies u [rows] at the end. Returns as above.
int tbg_langevin(void *handle, int64_t rows, void *x, void *v, const double *temperature, const int64_t *streams,
                 int64_t steps, int64_t first_step, double timestep, double friction, double boltzmann, uint64_t seed,
                 double *u, int threads) {
    auto &h = *static_cast<Handle *>(handle);
    const Run run{steps, first_step, timestep, friction, boltzmann, seed};
    bool good = h.single ? langevin(*h.single, rows, static_cast<float *>(x), static_cast<float *>(v), temperature,
                                    streams, run, u, threads)
                         : langevin(*h.twofold, rows, static_cast<double *>(x), static_cast<double *>(v), temperature,
                                    streams, run, u, threads);
    return !good;
}

// How many conformations a block holds.
int tbg_lanes(int is_double) { return is_double ? Lanes<double>::width : Lanes<float>::width; }
}
