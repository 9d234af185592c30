// Fused kernels of explicit Euler steps on a five-point stencil. `source.py` puts a prelude in front: the sizes below,
// and the pointwise functions `kinetics`, `diffusivities`, `tangent` and `adjoint`, all derived from a system's kinetics.
//
//   REAL                     float or double
//   FIELDS, PARAMETERS       of the system; UNIFORM of the parameters are one number a sample, CELLWISE one a cell
//   V, R                     a thread holds R rows of V columns of every field, in registers
//   WARPS, CLUSTER           a warp spans LANES * V columns; a block has WARPS * R rows; CLUSTER blocks lie one below
//                            the other and reach each other's shared memory
//   BLOCKS                   that share a multiprocessor, so that one may load while another computes
//   RESIDENT                 1: the cluster holds the whole grid for all steps; 0: a tile with a margin, for a few steps
//   PERIODIC, CLIP, AREA     the boundary, clamping to [0, 1], 1/dx²
//   UNIT_STEP                1: the time step h is 1
//   SLOTS                    states that the adjoint records in shared memory
//
// Neighbours: columns by shuffles inside a warp, rows in the thread's own registers; only the first and the last row of
// a warp are posted to the warps above and below, with one barrier a step. A tile's margin is loaded with the boundary's own wrapping (a mirror image stays one under these equations), becomes wrong from the
// outside by one cell a step, and is never stored.

typedef long long Offset;
typedef unsigned long long Flag;
constexpr int LANES = 32, COLUMNS = LANES * V, ROWS = WARPS * R;

struct alignas(ALIGN) Strip { REAL at[V]; };
template <int N> struct Patch { Strip row[N][R]; };

#ifdef __CUDACC__  // elsewhere a test says how these are done
template <class T> __device__ __forceinline__ T* shared_memory() {
    extern __shared__ __align__(16) unsigned char bytes[];
    return reinterpret_cast<T*>(bytes);
}
template <class T> __device__ __forceinline__ T shuffle(T x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
__device__ __forceinline__ void block_meets() { __syncthreads(); }
__device__ __forceinline__ void warp_meets() { __syncwarp(); }
__device__ __forceinline__ unsigned address(const void* shared) { return __cvta_generic_to_shared(shared); }

// Shared memory filled from device memory while the thread goes on; `fetched` waits for its own.
#if __CUDA_ARCH__ >= 800
__device__ __forceinline__ void fetch(Strip* to, const Strip* from) {
    #pragma unroll
    for (int i = 0; i < int(sizeof(Strip)); i += ALIGN)
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address(to) + i),
                     "l"(reinterpret_cast<const char*>(from) + i), "n"(ALIGN) : "memory");
}
__device__ __forceinline__ void fetched() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#else
__device__ __forceinline__ void fetch(Strip* to, const Strip* from) { *to = *from; }
__device__ __forceinline__ void fetched() {}
#endif

// In a cluster, a flag (an mbarrier) completes a phase at one arrival and, where the arrival says how many bytes are
// expected from another block, when these have come.
#if __CUDA_ARCH__ >= 900
__device__ __forceinline__ unsigned address(const void* shared, int rank) {
    unsigned there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address(shared)), "r"(rank));
    return there;
}
__device__ __forceinline__ void prepare(Flag* flag) {
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(address(flag)) : "memory");
}
__device__ __forceinline__ void cluster_ready() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// By one lane, without a branch: a branch here would cost every shuffle after it a test of convergence.
__device__ __forceinline__ void expect(Flag* flag, int bytes, bool me) {
    asm volatile("{ .reg .b64 state; .reg .pred p; setp.ne.u32 p, %2, 0;"
                 "@p mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1; }"
                 ::"r"(address(flag)), "r"(bytes), "r"(unsigned(me)) : "memory");
}
__device__ __forceinline__ void arrive(Flag* flag, bool me) {
    asm volatile("{ .reg .b64 state; .reg .pred p; setp.ne.u32 p, %1, 0; @p mbarrier.arrive.shared.b64 state, [%0]; }"
                 ::"r"(address(flag)), "r"(unsigned(me)) : "memory");
}
__device__ __forceinline__ void send(Strip strip, Strip* box, Flag* flag, int rank) {
    unsigned to = address(box, rank), counted = address(flag, rank);
    const unsigned* word = reinterpret_cast<const unsigned*>(&strip);
    #pragma unroll
    for (int i = 0; i < int(sizeof(Strip)) / 4; i += ALIGN / 4)
        if constexpr (ALIGN == 16)
            asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];"
                         ::"r"(to + 4 * i), "r"(word[i]), "r"(word[i + 1]), "r"(word[i + 2]), "r"(word[i + 3]), "r"(counted)
                         : "memory");
        else if constexpr (ALIGN == 8)
            asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1, %2}, [%3];"
                         ::"r"(to + 4 * i), "r"(word[i]), "r"(word[i + 1]), "r"(counted) : "memory");
        else
            asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];"
                         ::"r"(to + 4 * i), "r"(word[i]), "r"(counted) : "memory");
}
// All lanes leave the loop together, and the compiler sees that they do.
__device__ __forceinline__ void wait_for(Flag* flag, int phase, bool needed) {
    unsigned done;
    do {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                     : "=r"(done) : "r"(address(flag)), "r"(phase) : "memory");
    } while (!__all_sync(0xffffffffu, done || !needed));
}
#else
__device__ __forceinline__ void prepare(Flag*) {}
__device__ __forceinline__ void cluster_ready() {}
__device__ __forceinline__ void expect(Flag*, int, bool) {}
__device__ __forceinline__ void arrive(Flag*, bool) {}
__device__ __forceinline__ void send(Strip, Strip*, Flag*, int) {}
__device__ __forceinline__ void wait_for(Flag*, int, bool) {}
#endif
#endif

__device__ __forceinline__ int wrap(int i, int n) {
    int period = PERIODIC ? n : 2 * n;
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : 2 * n - 1 - i;
}

// What a thread works on: cells (top + r, left + v) of a sample, of which a tile owns those inside its margin.
struct Place {
    int H, W, sample, rank, warp, lane, top, left;
    int row_from, row_to, column_from, column_to;  // owned, in the grid's own rows and columns

    __device__ __forceinline__ Place(int height, int width, int tall, int wide, int margin) {
        H = RESIDENT ? CLUSTER * ROWS : height;  // known to the compiler where the tile is the grid
        W = RESIDENT ? COLUMNS : width;
        if (RESIDENT) tall = H, wide = W, margin = 0;
        int down = (H + tall - 1) / tall, across = (W + wide - 1) / wide, block = blockIdx.x / CLUSTER;
        int tile = block % (down * across);
        rank = blockIdx.x % CLUSTER;
        warp = shuffle(int(threadIdx.x) / LANES, 0);  // so that the compiler knows it to be one number
        lane = threadIdx.x % LANES;
        sample = block / (down * across);
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
    __device__ __forceinline__ const Strip* strip(const REAL* of, int f, int r) const {
        return reinterpret_cast<const Strip*>(of + f * cells() + cell(r, 0));
    }
    template <int N> __device__ __forceinline__ void load(Patch<N>& c, int field, const REAL* from) const {
        int columns[V];
        #pragma unroll
        for (int v = 0; v < V; v++) columns[v] = wrap(left + v, W);
        #pragma unroll
        for (int r = 0; r < R; r++) {
            const REAL* row = from + Offset(wrap(top + r, H)) * W;
            #pragma unroll
            for (int f = 0; f < FIELDS; f++)
                if (RESIDENT) {
                    c.row[field + f][r] = *strip(from, f, r);
                } else {
                    #pragma unroll
                    for (int v = 0; v < V; v++) c.row[field + f][r].at[v] = row[f * cells() + columns[v]];
                }
        }
    }
    template <int N> __device__ __forceinline__ void store(const Patch<N>& c, int field, REAL* to) const {
        #pragma unroll
        for (int r = 0; r < R; r++)
            #pragma unroll
            for (int f = 0; f < FIELDS; f++)
                if (RESIDENT) {
                    *const_cast<Strip*>(strip(to, f, r)) = c.row[field + f][r];
                } else {
                    REAL* row = to + f * cells() + Offset(top + r) * W + left;
                    #pragma unroll
                    for (int v = 0; v < V; v++)
                        if (owns(r, v)) row[v] = c.row[field + f][r].at[v];
                }
    }
};

// Rows of N fields that warps post to each other: every warp has a box for the row above it and one for the row below,
// each twice, for even and odd turns. In a block of its own, one barrier a turn shows that all have been posted. In a
// cluster, whose blocks are slow to hear of each other, a warp waits for the flags of its own boxes alone. A box is
// written again two turns later, when its reader has posted once more, and so has read it.
template <int N> struct Post {
    static constexpr int BOX = N * LANES;

    const Place& at;
    Strip* boxes;
    Flag* flags;  // of each box
    bool has[2];  // neighbours above and below; a tile has nobody beyond its edge, nor has a grid without flux
    int turn;

    __device__ __forceinline__ Post(const Place& at, Strip* boxes) : at(at), boxes(boxes), turn(0) {
        flags = reinterpret_cast<Flag*>(boxes + WARPS * 4 * BOX);
        bool ring = RESIDENT && PERIODIC;
        has[0] = ring || at.warp > 0 || (RESIDENT && at.rank > 0);
        has[1] = ring || at.warp < WARPS - 1 || (RESIDENT && at.rank < CLUSTER - 1);
        if constexpr (CLUSTER > 1) {
            if (threadIdx.x < WARPS * 4) prepare(flags + threadIdx.x);
            cluster_ready();
        }
    }
    __device__ __forceinline__ int index(int warp, int side) const { return (warp * 2 + side) * 2 + turn % 2; }
    __device__ __forceinline__ Strip* box(int warp, int side) const { return boxes + index(warp, side) * BOX + at.lane; }

    // Posts a warp's first row upwards (side 0) and its last row downwards (1).
    __device__ __forceinline__ void put(const Patch<N>& c, int side) {
        int warp = (at.warp + WARPS + 2 * side - 1) % WARPS, rank = (at.rank + CLUSTER + 2 * side - 1) % CLUSTER;
        bool leaves = CLUSTER > 1 && at.warp == side * (WARPS - 1);
        if (!leaves) {
            #pragma unroll
            for (int f = 0; f < N; f++) box(warp, 1 - side)[f * LANES] = c.row[f][side * (R - 1)];
        } else if (has[side]) {
            #pragma unroll
            for (int f = 0; f < N; f++)
                send(c.row[f][side * (R - 1)], box(warp, 1 - side) + f * LANES, flags + index(warp, 1 - side), rank);
        }
        if constexpr (CLUSTER > 1) {
            warp_meets();
            arrive(flags + index(warp, 1 - side), !leaves && at.lane == 0);
            expect(flags + index(at.warp, side), BOX * sizeof(Strip), leaves && has[side] && at.lane == 0);
        }
    }
    // Posts the edge rows and returns when the neighbours' have come.
    __device__ __forceinline__ void exchange(const Patch<N>& c) {
        put(c, 0);
        put(c, 1);
        if constexpr (CLUSTER > 1) {
            wait_for(flags + index(at.warp, 0), turn / 2 % 2, has[0]);
            wait_for(flags + index(at.warp, 1), turn / 2 % 2, has[1]);
        } else {
            block_meets();
        }
    }
};

// Posts and takes the neighbours' rows, then goes down the rows and hands each cell (r, v) and, of all N fields, the sum
// over its four neighbours to `visit`, which may overwrite the cell in c.
//
// The sum is (west + north) + (east + south): east + south of a cell is north + west of the cell one down and one to the
// right, so that it is added up once for both.
template <int N, class Visit> __device__ __forceinline__ void sweep(Patch<N>& c, Post<N>& post, Visit visit) {
    post.exchange(c);
    const Strip *above = post.box(post.at.warp, 0), *below = post.box(post.at.warp, 1);
    REAL north_west[N][V], corner[N];  // of this row's cells; the cell above the first, as it was
    #pragma unroll
    for (int f = 0; f < N; f++) {
        Strip upper = post.has[0] ? above[f * LANES] : c.row[f][0];
        corner[f] = upper.at[0];
        #pragma unroll
        for (int v = 1; v < V; v++) north_west[f][v] = upper.at[v] + c.row[f][0].at[v - 1];
    }
    #pragma unroll
    for (int r = 0; r < R; r++) {
        REAL sums[N][V];
        #pragma unroll
        for (int f = 0; f < N; f++) {
            Strip here = c.row[f][r], lower = here;
            if (r + 1 < R) lower = c.row[f][r + 1 < R ? r + 1 : r];
            else if (post.has[1]) lower = below[f * LANES];
            REAL west = shuffle(here.at[V - 1], (post.at.lane + LANES - 1) % LANES);
            REAL east = shuffle(here.at[0], (post.at.lane + 1) % LANES);
            if (RESIDENT && !PERIODIC) {
                if (post.at.lane == 0) west = here.at[0];
                if (post.at.lane == LANES - 1) east = here.at[V - 1];
            }
            north_west[f][0] = corner[f] + west;
            corner[f] = here.at[0];
            REAL south_east[V];
            #pragma unroll
            for (int v = 0; v < V; v++) south_east[v] = lower.at[v] + (v + 1 < V ? here.at[v + 1 < V ? v + 1 : v] : east);
            #pragma unroll
            for (int v = 0; v < V; v++) sums[f][v] = north_west[f][v] + south_east[v];
            #pragma unroll
            for (int v = 1; v < V; v++) north_west[f][v] = south_east[v - 1];
        }
        #pragma unroll
        for (int v = 0; v < V; v++) {
            REAL sum[N];
            #pragma unroll
            for (int f = 0; f < N; f++) sum[f] = sums[f][v];
            visit(r, v, sum);
        }
    }
    post.turn++;
}

__device__ __forceinline__ REAL laplacian(REAL sum, REAL here) { return (sum - REAL(4.0) * here) * AREA; }

// c + h (D ∇²c + rest) as (1 − 4 h D/dx²) c + (h D/dx²) Σ neighbours + h rest.
struct Spread {
    REAL own[FIELDS], neighbour[FIELDS], h;

    __device__ __forceinline__ Spread(const REAL (&theta)[PARAMETERS], REAL h) : h(h) {
        REAL D[FIELDS];
        diffusivities(theta, D);
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) {
            neighbour[f] = h * D[f] * AREA;
            own[f] = ONE - REAL(4.0) * neighbour[f];
        }
    }
    __device__ __forceinline__ REAL step(int f, REAL here, REAL sum, REAL rest) const {
        return neighbour[f] * sum + (own[f] * here + (UNIT_STEP ? rest : h * rest));
    }
};

__device__ __forceinline__ REAL clamped(REAL w) {
    if (!CLIP) return w;
    return w < ZERO ? ZERO : (w > ONE ? ONE : w);
}

// One Euler step of the fields.
__device__ __forceinline__ void euler(Patch<FIELDS>& c, Post<FIELDS>& post, const Spread& spread, REAL (&theta)[PARAMETERS],
                                      const REAL* q) {
    sweep(c, post, [&](int r, int v, const REAL (&sum)[FIELDS]) {
        REAL here[FIELDS], out[FIELDS];
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) here[f] = c.row[f][r].at[v];
        if (CELLWISE) read_cellwise(theta, q + post.at.cell(r, v), post.at.cells());
        kinetics(here, theta, out);
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) c.row[f][r].at[v] = clamped(spread.step(f, here[f], sum[f], out[f]));
    });
}

constexpr int NEVER = 2147483647;

// The first multiple of n that is not below t.
__device__ __forceinline__ int multiple_from(int t, int n) { return (t + n - 1) / n * n; }

#ifdef FORWARD
// Steps `first` … `first + steps` of the whole motion, from x to y (unless null). After every `every` steps a frame is
// saved; the state before each step that `stride` divides is kept (unless `kept` is null).
extern "C" __global__ void __launch_bounds__(LANES * WARPS, BLOCKS)
forward(const REAL* x, Offset x_sample, REAL* y, REAL* frames, Offset frames_sample, int every, REAL* kept,
        Offset kept_sample, int stride, const REAL* p, const REAL* q, int H, int W, int tall, int wide, int margin, REAL h,
        int first, int steps) {
    Place at(H, W, tall, wide, margin);
    REAL theta[PARAMETERS];
    read_uniform(theta, p + at.sample * UNIFORM);
    Spread spread(theta, h);
    q += at.sample * Offset(CELLWISE) * at.cells();
    Patch<FIELDS> c;
    at.load(c, 0, x + at.sample * x_sample);
    Post<FIELDS> post(at, shared_memory<Strip>());
    const int end = first + steps;
    int next_kept = kept ? multiple_from(first, stride) : NEVER, next_frame = frames ? multiple_from(first + 1, every) : NEVER;
    for (int t = first; t < end;) {
        if (t == next_kept) {
            at.store(c, 0, kept + at.sample * kept_sample + t / stride * at.state());
            next_kept += stride;
        }
        int stop = min(end, min(next_kept, next_frame));
        #pragma unroll 2
        for (; t < stop; t++) euler(c, post, spread, theta, q);
        if (t == next_frame) {
            at.store(c, 0, frames + at.sample * frames_sample + (t / every - 1) * at.state());
            next_frame += every;
        }
    }
    if (y) at.store(c, 0, y + at.sample * at.state());
}
#endif

#ifdef TANGENT
// One tangent a block: `directions` of them share a sample. c lies in the fields 0 … FIELDS − 1 of the patch, its tangent
// in the rest.
extern "C" __global__ void __launch_bounds__(LANES * WARPS, BLOCKS)
forward_tangent(const REAL* x, const REAL* dx, REAL* y, REAL* dy, REAL* frames, Offset frames_sample, int every,
                const REAL* p, const REAL* dp, const REAL* q, const REAL* dq, int H, int W, int tall, int wide, int margin,
                REAL h, int first, int steps, int directions) {
    Place at(H, W, tall, wide, margin);
    int sample = at.sample / directions, moved = at.sample;
    REAL theta[PARAMETERS], dtheta[PARAMETERS];
    read_uniform(theta, p + sample * UNIFORM);
    Spread spread(theta, h);
    read_uniform(dtheta, dp + moved * UNIFORM);
    q += sample * Offset(CELLWISE) * at.cells();
    dq += moved * Offset(CELLWISE) * at.cells();
    constexpr int BOTH = 2 * FIELDS;
    Patch<BOTH> c;
    at.load(c, 0, x + sample * at.state());
    at.load(c, FIELDS, dx + moved * at.state());
    Post<BOTH> post(at, shared_memory<Strip>());
    const int end = first + steps;
    int next_frame = multiple_from(first + 1, every);
    for (int t = first; t < end; t++) {
        sweep(c, post, [&](int r, int v, const REAL (&sum)[BOTH]) {
            REAL here[FIELDS], slope[FIELDS], lap[FIELDS], dlap[FIELDS], out[FIELDS], dout[FIELDS];
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) {
                here[f] = c.row[f][r].at[v];
                slope[f] = c.row[FIELDS + f][r].at[v];
                lap[f] = laplacian(sum[f], here[f]);
                dlap[f] = laplacian(sum[FIELDS + f], slope[f]);
            }
            if (CELLWISE) {
                read_cellwise(theta, q + at.cell(r, v), at.cells());
                read_cellwise(dtheta, dq + at.cell(r, v), at.cells());
            }
            kinetics(here, theta, out);
            tangent(here, lap, theta, slope, dlap, dtheta, dout);
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) {
                REAL next = spread.step(f, here[f], sum[f], out[f]), dnext = slope[f] + h * dout[f];
                c.row[f][r].at[v] = clamped(next);
                c.row[FIELDS + f][r].at[v] = !CLIP || (next > ZERO && next < ONE) ? dnext : ZERO;
            }
        });
        if (t + 1 == next_frame) {
            at.store(c, FIELDS, frames + moved * frames_sample + t / every * at.state());
            next_frame += every;
        }
    }
    if (y && moved % directions == 0) at.store(c, 0, y + sample * at.state());
    if (dy) at.store(c, FIELDS, dy + moved * at.state());
}
#endif

#ifdef ADJOINT
// What a thread of the adjoint records: its own part of SLOTS states, which nobody else reads.
struct Record {
    Strip* mine;
    __device__ __forceinline__ Strip* at(int slot, int f, int r) const {
        return mine + ((slot * R + r) * FIELDS + f) * WARPS * LANES;
    }
    __device__ __forceinline__ void put(int slot, const Patch<FIELDS>& c) const {
        #pragma unroll
        for (int r = 0; r < R; r++)
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) *at(slot, f, r) = c.row[f][r];
    }
    __device__ __forceinline__ void get(int slot, Patch<FIELDS>& c) const {
        #pragma unroll
        for (int r = 0; r < R; r++)
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) c.row[f][r] = *at(slot, f, r);
    }
    __device__ __forceinline__ void begin_fetch(int slot, const Place& place, const REAL* from) const {
        #pragma unroll
        for (int r = 0; r < R; r++)
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) fetch(at(slot, f, r), place.strip(from, f, r));
    }
};

// f(λ, c) at each number of two patches.
template <class F> __device__ __forceinline__ void each(Patch<FIELDS>& lam, const Patch<FIELDS>& c, F f) {
    #pragma unroll
    for (int field = 0; field < FIELDS; field++)
        #pragma unroll
        for (int r = 0; r < R; r++)
            #pragma unroll
            for (int v = 0; v < V; v++) f(lam.row[field][r].at[v], c.row[field][r].at[v]);
}

// Walks back over the steps `first` … `first + steps`, `depth` at a time: from the state kept before them the motion is
// repeated and recorded in shared memory, then λ ← λ + h ∂H/∂c goes back over the record. λ comes from lam_in (null: 0)
// and goes to lam_out; the cotangents of frames, `bars`, join it where a frame was saved. Uniform parameters: each warp
// adds its sum to its own entry of gp, so that the order of summation is always the same.
extern "C" __global__ void __launch_bounds__(LANES * WARPS, BLOCKS)
backward(const REAL* kept, Offset kept_sample, const REAL* lam_in, REAL* lam_out, const REAL* bars, Offset bars_sample,
         int every, const REAL* p, const REAL* q, double* gp, REAL* gq, int H, int W, int tall, int wide, int margin,
         REAL h, int first, int steps, int depth) {
    Place at(H, W, tall, wide, margin);
    REAL theta[PARAMETERS];
    double totals[PARAMETERS];
    #pragma unroll
    for (int i = 0; i < PARAMETERS; i++) totals[i] = 0;
    read_uniform(theta, p + at.sample * UNIFORM);
    Spread spread(theta, h);
    q += at.sample * Offset(CELLWISE) * at.cells();
    gq += at.sample * Offset(CELLWISE) * at.cells();
    kept += at.sample * kept_sample;
    constexpr bool AHEAD = RESIDENT && SLOTS > 0;  // the next pass's state is fetched during the last step of this one
    Record record{shared_memory<Strip>() + threadIdx.x};
    Patch<FIELDS> c, lam;
    if (lam_in) at.load(lam, 0, lam_in + at.sample * at.state());
    else each(lam, c, [](REAL& a, REAL) { a = ZERO; });
    int last = (steps - 1) / depth, next_bar = (first + steps) / every * every;
    if (AHEAD) record.begin_fetch(0, at, kept + last * at.state());
    Post<FIELDS> post(at, shared_memory<Strip>() + SLOTS * ROWS * FIELDS * LANES);
    for (int pass = last; pass >= 0; pass--) {
        int start = pass * depth, some = min(depth, steps - start);
        if (AHEAD) {
            fetched();
            record.get(0, c);
        } else {
            at.load(c, 0, kept + pass * at.state());
        }
        for (int j = 0; j < (CLIP ? some : some - 1); j++) {  // the last state stays in registers
            if (j > 0 || !AHEAD) record.put(j, c);
            euler(c, post, spread, theta, q);
        }
        REAL sums[PARAMETERS];
        #pragma unroll
        for (int i = 0; i < PARAMETERS; i++) sums[i] = ZERO;
        for (int j = some - 1; j >= 0; j--) {
            int t = first + start + j;
            if (t + 1 == next_bar) {
                Patch<FIELDS> bar;
                at.load(bar, 0, bars + at.sample * bars_sample + t / every * at.state());
                each(lam, bar, [](REAL& a, REAL b) { a += b; });
                next_bar -= every;
            }
            // c is the state after this step: no derivative passes a clamped cell
            if (CLIP) each(lam, c, [](REAL& a, REAL w) { a = w > ZERO && w < ONE ? a : ZERO; });
            if (j < some - 1 || CLIP) record.get(j, c);
            if (AHEAD && j == 0 && pass > 0) record.begin_fetch(0, at, kept + (pass - 1) * at.state());
            sweep(lam, post, [&](int r, int v, const REAL (&sum)[FIELDS]) {
                REAL here[FIELDS], a[FIELDS], l[FIELDS], out[FIELDS], slope[PARAMETERS];
                #pragma unroll
                for (int f = 0; f < FIELDS; f++) {
                    here[f] = c.row[f][r].at[v];
                    a[f] = lam.row[f][r].at[v];
                    l[f] = laplacian(sum[f], a[f]);
                }
                if (CELLWISE) read_cellwise(theta, q + at.cell(r, v), at.cells());
                adjoint(here, a, l, theta, out, slope);
                #pragma unroll
                for (int f = 0; f < FIELDS; f++) lam.row[f][r].at[v] = spread.step(f, a[f], sum[f], out[f]);
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
