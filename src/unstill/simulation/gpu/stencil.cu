// Fused kernels of explicit Euler steps on a five-point stencil. `source.py` puts a prelude in front: the sizes below,
// and the pointwise functions `rate`, `tangent` and `adjoint`, all derived from a system's kinetics.
//
//   REAL                     float or double
//   FIELDS, PARAMETERS       of the system; UNIFORM of the parameters are one number a sample, CELLWISE one a cell
//   V, R                     a thread holds R rows of V columns of every field, in registers
//   WARPS, CLUSTER           a warp spans LANES * V columns; a block has WARPS * R rows; CLUSTER blocks lie one below
//                            the other and see each other's shared memory
//   RESIDENT                 1: the cluster holds the whole grid for all steps; 0: a tile with a margin, for a few steps
//   PERIODIC, CLIP, AREA     the boundary, clamping to [0, 1], 1/dx²
//   SLOTS                    states that the adjoint records in shared memory
//
// Neighbours: columns by shuffles inside a warp, rows in the thread's own registers, and only the first and last row of
// a warp through shared memory. One barrier a step. A tile's margin is loaded with the boundary's own wrapping (a mirror
// image stays one under these equations), becomes wrong from the outside by one cell a step, and is never stored.

#ifdef __CUDACC__  // elsewhere a test says how these are done
template <class T> __device__ __forceinline__ T* shared_memory() {
    extern __shared__ __align__(16) unsigned char bytes[];
    return reinterpret_cast<T*>(bytes);
}
template <class T> __device__ __forceinline__ T shuffle(T x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
__device__ __forceinline__ void cluster_barrier() {
    asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
template <class T> __device__ __forceinline__ const T* cluster_address(T* here, int rank) {
    unsigned long long there;
    asm volatile("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(here), "r"(rank));
    return reinterpret_cast<const T*>(there);
}
#endif

typedef long long Offset;
constexpr int LANES = 32, COLUMNS = LANES * V, ROWS = WARPS * R;

struct alignas(ALIGN) Strip { REAL at[V]; };
template <int N> struct Patch { Strip row[N][R]; };

__device__ __forceinline__ void meet() {
    if constexpr (CLUSTER > 1) cluster_barrier(); else __syncthreads();
}

__device__ __forceinline__ int wrap(int i, int n) {
    int period = PERIODIC ? n : 2 * n;
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : 2 * n - 1 - i;
}

// What a thread works on: cells (top + r, left + v) of a sample, of which a tile owns those inside its margin.
struct Place {
    int H, W, sample, tile, rank, warp, lane, top, left;
    int row_from, row_to, column_from, column_to;  // owned, in the grid's own rows and columns

    __device__ __forceinline__ Place(int height, int width, int tall, int wide, int margin) {
        H = RESIDENT ? CLUSTER * ROWS : height;  // known to the compiler where the tile is the grid
        W = RESIDENT ? COLUMNS : width;
        if (RESIDENT) tall = H, wide = W, margin = 0;
        int down = (H + tall - 1) / tall, across = (W + wide - 1) / wide, block = blockIdx.x / CLUSTER;
        rank = blockIdx.x % CLUSTER;
        warp = threadIdx.x / LANES;
        lane = threadIdx.x % LANES;
        sample = block / (down * across);
        tile = block % (down * across);
        row_from = tile / across * tall;
        column_from = tile % across * wide;
        row_to = min(row_from + tall, H);
        column_to = min(column_from + wide, W);
        top = row_from - margin + (rank * WARPS + warp) * R;
        left = column_from - margin + lane * V;
    }
    __device__ __forceinline__ Offset cells() const { return Offset(H) * W; }
    __device__ __forceinline__ Offset state() const { return FIELDS * cells(); }
    __device__ __forceinline__ bool owns(int r, int v) const {
        if (RESIDENT) return true;
        return top + r >= row_from && top + r < row_to && left + v >= column_from && left + v < column_to;
    }
    __device__ __forceinline__ Offset cell(int r, int v) const {
        if (RESIDENT) return Offset(top + r) * W + left + v;
        return Offset(wrap(top + r, H)) * W + wrap(left + v, W);
    }
    template <int N> __device__ __forceinline__ void load(Patch<N>& c, int field, const REAL* from) const {
        #pragma unroll
        for (int f = 0; f < FIELDS; f++)
            #pragma unroll
            for (int r = 0; r < R; r++) {
                const REAL* row = from + f * cells();
                if (RESIDENT) {
                    c.row[field + f][r] = *reinterpret_cast<const Strip*>(row + cell(r, 0));
                } else {
                    #pragma unroll
                    for (int v = 0; v < V; v++) c.row[field + f][r].at[v] = row[cell(r, v)];
                }
            }
    }
    template <int N> __device__ __forceinline__ void store(const Patch<N>& c, int field, REAL* to) const {
        #pragma unroll
        for (int f = 0; f < FIELDS; f++)
            #pragma unroll
            for (int r = 0; r < R; r++) {
                REAL* row = to + f * cells();
                if (RESIDENT) {
                    *reinterpret_cast<Strip*>(row + cell(r, 0)) = c.row[field + f][r];
                } else {
                    #pragma unroll
                    for (int v = 0; v < V; v++)
                        if (owns(r, v)) row[Offset(top + r) * W + left + v] = c.row[field + f][r].at[v];
                }
            }
    }
};

// Rows that lie next to a warp's own, in the shared memory of this block or of a neighbour in the cluster. `rows` holds
// `height` rows of N fields a warp. A tile has nobody beyond its edge: it reads its own row there, for nothing.
template <int N> struct Neighbours {
    const Strip *above, *below;

    __device__ __forceinline__ Neighbours(const Place& at, Strip* rows, int height) {
        auto first = [&](int warp) { return rows + warp * height * N * LANES + at.lane; };
        auto last = [&](int warp) { return first(warp) + (height - 1) * N * LANES; };
        bool ring = RESIDENT && PERIODIC;
        bool inside_above = at.warp > 0 || (RESIDENT && at.rank > 0) || ring;
        bool inside_below = at.warp < WARPS - 1 || (RESIDENT && at.rank < CLUSTER - 1) || ring;
        above = !inside_above ? first(at.warp) : at.warp > 0 ? last(at.warp - 1) : elsewhere(last(WARPS - 1), at.rank - 1);
        below = !inside_below ? last(at.warp) : at.warp < WARPS - 1 ? first(at.warp + 1) : elsewhere(first(0), at.rank + 1);
    }
    static __device__ __forceinline__ const Strip* elsewhere(Strip* here, int rank) {
        if constexpr (CLUSTER > 1) return cluster_address(here, (rank + CLUSTER) % CLUSTER); else return here;
    }
};

// Puts a warp's first and last row where its neighbours find them: rows of N fields, two a warp.
template <int N> __device__ __forceinline__ void publish(const Patch<N>& c, const Place& at, Strip* edges) {
    Strip* mine = edges + at.warp * 2 * N * LANES + at.lane;
    #pragma unroll
    for (int f = 0; f < N; f++) {
        mine[f * LANES] = c.row[f][0];
        mine[(N + f) * LANES] = c.row[f][R - 1];
    }
}

// Goes down the rows and hands each cell (r, v) and the Laplacians of all N fields there to `visit`, which may overwrite
// the cell in c: the row above is kept as it was.
template <int N, class Visit>
__device__ __forceinline__ void sweep(Patch<N>& c, const Place& at, const Strip* above, const Strip* below, Visit visit) {
    Strip upper[N];
    #pragma unroll
    for (int f = 0; f < N; f++) upper[f] = above[f * LANES];
    #pragma unroll
    for (int r = 0; r < R; r++) {
        Strip laplacian[N];
        #pragma unroll
        for (int f = 0; f < N; f++) {
            Strip here = c.row[f][r], lower = r + 1 < R ? c.row[f][r + 1 < R ? r + 1 : r] : below[f * LANES];
            REAL west = shuffle(here.at[V - 1], (at.lane + LANES - 1) % LANES);
            REAL east = shuffle(here.at[0], (at.lane + 1) % LANES);
            if (RESIDENT && !PERIODIC) {
                if (at.lane == 0) west = here.at[0];
                if (at.lane == LANES - 1) east = here.at[V - 1];
            }
            #pragma unroll
            for (int v = 0; v < V; v++) {
                REAL sides = (v > 0 ? here.at[v > 0 ? v - 1 : 0] : west) + (v + 1 < V ? here.at[v + 1 < V ? v + 1 : v] : east);
                laplacian[f].at[v] = ((sides + (upper[f].at[v] + lower.at[v])) - REAL(4.0) * here.at[v]) * AREA;
            }
            upper[f] = here;
        }
        #pragma unroll
        for (int v = 0; v < V; v++) {
            REAL l[N];
            #pragma unroll
            for (int f = 0; f < N; f++) l[f] = laplacian[f].at[v];
            visit(r, v, l);
        }
    }
}

__device__ __forceinline__ REAL clamped(REAL w) {
    if (!CLIP) return w;
    return w < ZERO ? ZERO : (w > ONE ? ONE : w);
}

// One Euler step of the fields in c.row[0…FIELDS − 1].
__device__ __forceinline__ void euler(Patch<FIELDS>& c, const Place& at, const Strip* above, const Strip* below,
                                      REAL (&theta)[PARAMETERS], const REAL* q, REAL h) {
    sweep(c, at, above, below, [&](int r, int v, const REAL (&l)[FIELDS]) {
        REAL here[FIELDS], out[FIELDS];
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) here[f] = c.row[f][r].at[v];
        if (CELLWISE) read_cellwise(theta, q + at.cell(r, v), at.cells());
        rate(here, l, theta, out);
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) c.row[f][r].at[v] = clamped(here[f] + h * out[f]);
    });
}

#ifdef FORWARD
// Steps `first` … `first + steps` of the whole motion, from x to y (unless null). After every `every` steps a frame is
// saved; the state before each step that `stride` divides is kept (unless `kept` is null).
extern "C" __global__ void __launch_bounds__(LANES * WARPS, 1)
forward(const REAL* x, Offset x_sample, REAL* y, REAL* frames, Offset frames_sample, int every, REAL* kept,
        Offset kept_sample, int stride, const REAL* p, const REAL* q, int H, int W, int tall, int wide, int margin, REAL h,
        int first, int steps) {
    Strip* shared = shared_memory<Strip>();
    Place at(H, W, tall, wide, margin);
    REAL theta[PARAMETERS];
    read_uniform(theta, p + at.sample * UNIFORM);
    q += at.sample * Offset(CELLWISE) * at.cells();
    constexpr int PARITY = WARPS * 2 * FIELDS * LANES;
    Neighbours<FIELDS> near(at, shared, 2);
    Patch<FIELDS> c;
    at.load(c, 0, x + at.sample * x_sample);
    for (int t = first; t < first + steps; t++) {
        if (kept && t % stride == 0) at.store(c, 0, kept + at.sample * kept_sample + t / stride * at.state());
        int parity = t % 2 * PARITY;
        publish(c, at, shared + parity);
        meet();
        euler(c, at, near.above + parity, near.below + parity, theta, q, h);
        if (frames && (t + 1) % every == 0)
            at.store(c, 0, frames + at.sample * frames_sample + ((t + 1) / every - 1) * at.state());
    }
    if (y) at.store(c, 0, y + at.sample * at.state());
    if (CLUSTER > 1) meet();  // a neighbour may still be reading this block's memory
}
#endif

#ifdef TANGENT
// One tangent a block: `directions` of them share a sample. c lies in the rows 0…FIELDS − 1 of the patch, its tangent
// in the rest.
extern "C" __global__ void __launch_bounds__(LANES * WARPS, 1)
forward_tangent(const REAL* x, const REAL* dx, REAL* y, REAL* dy, REAL* frames, Offset frames_sample, int every,
                const REAL* p, const REAL* dp, const REAL* q, const REAL* dq, int H, int W, int tall, int wide, int margin,
                REAL h, int first, int steps, int directions) {
    Strip* shared = shared_memory<Strip>();
    Place at(H, W, tall, wide, margin);
    int sample = at.sample / directions, moved = at.sample;
    REAL theta[PARAMETERS], dtheta[PARAMETERS];
    read_uniform(theta, p + sample * UNIFORM);
    read_uniform(dtheta, dp + moved * UNIFORM);
    q += sample * Offset(CELLWISE) * at.cells();
    dq += moved * Offset(CELLWISE) * at.cells();
    constexpr int BOTH = 2 * FIELDS, PARITY = WARPS * 2 * BOTH * LANES;
    Neighbours<BOTH> near(at, shared, 2);
    Patch<BOTH> c;
    at.load(c, 0, x + sample * at.state());
    at.load(c, FIELDS, dx + moved * at.state());
    for (int t = first; t < first + steps; t++) {
        int parity = t % 2 * PARITY;
        publish(c, at, shared + parity);
        meet();
        sweep(c, at, near.above + parity, near.below + parity, [&](int r, int v, const REAL (&l)[BOTH]) {
            REAL here[FIELDS], slope[FIELDS], lap[FIELDS], dlap[FIELDS], out[FIELDS], dout[FIELDS];
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) {
                here[f] = c.row[f][r].at[v];
                slope[f] = c.row[FIELDS + f][r].at[v];
                lap[f] = l[f];
                dlap[f] = l[FIELDS + f];
            }
            if (CELLWISE) {
                read_cellwise(theta, q + at.cell(r, v), at.cells());
                read_cellwise(dtheta, dq + at.cell(r, v), at.cells());
            }
            rate(here, lap, theta, out);
            tangent(here, lap, theta, slope, dlap, dtheta, dout);
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) {
                REAL next = here[f] + h * out[f], dnext = slope[f] + h * dout[f];
                c.row[f][r].at[v] = clamped(next);
                c.row[FIELDS + f][r].at[v] = !CLIP || (next > ZERO && next < ONE) ? dnext : ZERO;
            }
        });
        if (frames && (t + 1) % every == 0)
            at.store(c, FIELDS, frames + moved * frames_sample + ((t + 1) / every - 1) * at.state());
    }
    if (y && moved % directions == 0) at.store(c, 0, y + sample * at.state());
    if (dy) at.store(c, FIELDS, dy + moved * at.state());
    if (CLUSTER > 1) meet();
}
#endif

#ifdef ADJOINT
// Walks back over the steps `first` … `first + steps`, `depth` at a time: from the state kept before them the motion is
// repeated and recorded in shared memory, then λ ← λ + h ∂H/∂c goes back over the record. λ comes from lam_in (null: 0)
// and goes to lam_out; the cotangents of frames, `bars`, join it where a frame was saved. Uniform parameters: each warp
// adds its sum to its own entry of gp, so that the order of summation is always the same.
extern "C" __global__ void __launch_bounds__(LANES * WARPS, 1)
backward(const REAL* kept, Offset kept_sample, const REAL* lam_in, REAL* lam_out, const REAL* bars, Offset bars_sample,
         int every, const REAL* p, const REAL* q, double* gp, REAL* gq, int H, int W, int tall, int wide, int margin,
         REAL h, int first, int steps, int depth) {
    Strip* shared = shared_memory<Strip>();
    Place at(H, W, tall, wide, margin);
    REAL theta[PARAMETERS], sums[PARAMETERS];
    double totals[PARAMETERS];
    #pragma unroll
    for (int i = 0; i < PARAMETERS; i++) totals[i] = 0;
    read_uniform(theta, p + at.sample * UNIFORM);
    q += at.sample * Offset(CELLWISE) * at.cells();
    gq += at.sample * Offset(CELLWISE) * at.cells();
    constexpr int STATE = ROWS * FIELDS * LANES, PARITY = WARPS * 2 * FIELDS * LANES;
    Strip *slots = shared, *edges = shared + SLOTS * STATE;
    Neighbours<FIELDS> recorded(at, slots, R), near(at, edges, 2);
    Strip* mine = slots + at.warp * R * FIELDS * LANES + at.lane;
    Patch<FIELDS> c, lam;
    if (lam_in) {
        at.load(lam, 0, lam_in + at.sample * at.state());
    } else {
        #pragma unroll
        for (int f = 0; f < FIELDS; f++)
            #pragma unroll
            for (int r = 0; r < R; r++)
                #pragma unroll
                for (int v = 0; v < V; v++) lam.row[f][r].at[v] = ZERO;
    }
    for (int pass = (steps - 1) / depth; pass >= 0; pass--) {
        int start = pass * depth, some = min(depth, steps - start);
        at.load(c, 0, kept + at.sample * kept_sample + pass * at.state());
        for (int j = 0; j < some; j++) {
            if (j == some - 1 && !CLIP) break;  // the last state stays in registers
            #pragma unroll
            for (int r = 0; r < R; r++)
                #pragma unroll
                for (int f = 0; f < FIELDS; f++) mine[j * STATE + (r * FIELDS + f) * LANES] = c.row[f][r];
            meet();
            euler(c, at, recorded.above + j * STATE, recorded.below + j * STATE, theta, q, h);
        }
        #pragma unroll
        for (int i = 0; i < PARAMETERS; i++) sums[i] = ZERO;
        for (int j = some - 1; j >= 0; j--) {
            int t = first + start + j;
            if ((t + 1) % every == 0) {
                Patch<FIELDS> bar;
                at.load(bar, 0, bars + at.sample * bars_sample + ((t + 1) / every - 1) * at.state());
                #pragma unroll
                for (int f = 0; f < FIELDS; f++)
                    #pragma unroll
                    for (int r = 0; r < R; r++)
                        #pragma unroll
                        for (int v = 0; v < V; v++) lam.row[f][r].at[v] += bar.row[f][r].at[v];
            }
            if (CLIP) {  // c is the state after this step: no derivative passes a clamped cell
                #pragma unroll
                for (int f = 0; f < FIELDS; f++)
                    #pragma unroll
                    for (int r = 0; r < R; r++)
                        #pragma unroll
                        for (int v = 0; v < V; v++) {
                            REAL w = c.row[f][r].at[v];
                            if (!(w > ZERO && w < ONE)) lam.row[f][r].at[v] = ZERO;
                        }
            }
            if (j < some - 1 || CLIP) {
                #pragma unroll
                for (int r = 0; r < R; r++)
                    #pragma unroll
                    for (int f = 0; f < FIELDS; f++) c.row[f][r] = mine[j * STATE + (r * FIELDS + f) * LANES];
            }
            int parity = EDGES > 1 ? t % 2 * PARITY : 0;
            if (EDGES == 1) meet();
            publish(lam, at, edges + parity);
            meet();
            sweep(lam, at, near.above + parity, near.below + parity, [&](int r, int v, const REAL (&l)[FIELDS]) {
                REAL here[FIELDS], a[FIELDS], out[FIELDS], slope[PARAMETERS];
                #pragma unroll
                for (int f = 0; f < FIELDS; f++) {
                    here[f] = c.row[f][r].at[v];
                    a[f] = lam.row[f][r].at[v];
                }
                if (CELLWISE) read_cellwise(theta, q + at.cell(r, v), at.cells());
                adjoint(here, a, l, theta, out, slope);
                #pragma unroll
                for (int f = 0; f < FIELDS; f++) lam.row[f][r].at[v] = a[f] + h * out[f];
                if (!at.owns(r, v)) return;
                #pragma unroll
                for (int i = 0; i < PARAMETERS; i++) sums[i] += slope[i];
                if (CELLWISE) add_cellwise(gq + at.cell(r, v), at.cells(), slope, h);
            });
        }
        #pragma unroll
        for (int i = 0; i < PARAMETERS; i++) totals[i] += sums[i];
    }
    at.store(lam, 0, lam_out + at.sample * at.state());
    #pragma unroll
    for (int i = 0; i < PARAMETERS; i++)
        for (int half = LANES / 2; half > 0; half /= 2) totals[i] += shuffle(totals[i], at.lane ^ half);
    if (at.lane == 0) add_uniform(gp + (Offset(blockIdx.x) * WARPS + at.warp) * UNIFORM, totals, h);
    if (CLUSTER > 1) meet();
}

// The sums of all warps, in their order: gp (B, UNIFORM) from parts (B, entries, UNIFORM).
extern "C" __global__ void total(const double* parts, REAL* gp, int samples, int entries, int uniform) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, sample = i / uniform;
    if (sample >= samples) return;
    double sum = 0;
    for (int entry = 0; entry < entries; entry++) sum += parts[(Offset(sample) * entries + entry) * uniform + i % uniform];
    gp[i] = REAL(sum);
}
#endif
