// What all kernels share: explicit Euler steps on a five-point stencil. `source.py` puts a prelude in front: the sizes
// below, and the pointwise functions `kinetics`, `diffusivities`, `fold`, `local`,
// `tangent` and `adjoint`, all derived from a system's kinetics.
//
//   REAL                     float or double
//   FIELDS, PARAMETERS       of the system; UNIFORM of the parameters are one number a sample, CELLWISE one a cell
//   V, R                     a thread holds R rows of V columns of every field, in registers
//   WARPS, CLUSTER           a warp spans LANES * V columns; a block has WARPS * R rows; CLUSTER blocks lie one below
//                            the other and reach each other's shared memory
//   BLOCKS                   that share a multiprocessor, so that one may load while another computes
//   RESIDENT                 1: the cluster holds the whole grid for all steps; 0: a tile with a margin, for a few steps
//   WHOLE                    1: the grid's width is a multiple of V
//   STANDING                 1: tiles stay for all steps and hand each other their margins (forward.cu)
//   PERIODIC, CLIP, AREA     the boundary, clamping to [0, 1], 1/dx²
//   UNIT_STEP                1: the time step h is 1
//   SLOTS                    states that the adjoint records in shared memory
//
// Neighbours: columns by shuffles inside a warp, rows in the thread's own registers; only the first and the last row of
// a warp are posted to the warps above and below, with one barrier a step. A tile's margin is loaded with the boundary's
// own wrapping (a mirror image stays one under these equations), becomes wrong from the outside by one cell a step, and
// is never stored.

constexpr int LANES = 32, COLUMNS = LANES * V, ROWS = WARPS * R;

template <int N> struct Patch { Strip row[N][R]; };

__device__ __forceinline__ int wrap(int i, int n) {
    int period = PERIODIC ? n : 2 * n;
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : 2 * n - 1 - i;
}

// How memory is read: by way of all caches, or past those that do not hear of other multiprocessors' writing.
struct Plainly {
    template <class T> __device__ __forceinline__ T operator()(const T* from) const { return *from; }
};
struct Freshly {
    template <class T> __device__ __forceinline__ T operator()(const T* from) const { return fresh(from); }
};

// What a thread works on: cells (top + r, left + v) of a sample, of which a tile owns those inside its margin. Margins
// and what a tile owns are whole strips wide; where the grid is not (WHOLE = 0), its last strip is owned in part.
struct Place {
    int H, W, sample, rank, warp, lane, top, left;
    int down, across, tile;                        // tiles of a sample; which of them
    int margin, side;                              // rows and columns of a tile's margin
    int row_from, row_to, column_from, column_to;  // owned, in the grid's own rows and columns

    __device__ __forceinline__ Place(int height, int width, int tall, int wide, int rim) {
        H = RESIDENT ? CLUSTER * ROWS : height;  // known to the compiler where the tile is the grid
        W = RESIDENT ? COLUMNS : width;
        margin = RESIDENT ? 0 : rim;
        side = (margin + V - 1) / V * V;
        if (RESIDENT) tall = H, wide = W;
        down = (H + tall - 1) / tall;
        across = (W + wide - 1) / wide;
        int block = blockIdx.x / CLUSTER;
        tile = block % (down * across);
        rank = blockIdx.x % CLUSTER;
        warp = shuffle(int(threadIdx.x) / LANES, 0);  // so that the compiler knows it to be one number
        lane = threadIdx.x % LANES;
        sample = block / (down * across);
        row_from = tile / across * tall;
        column_from = tile % across * wide;
        row_to = min(row_from + tall, H);
        column_to = min(column_from + wide, W);
        top = row_from - margin + (rank * WARPS + warp) * R;
        left = column_from - side + lane * V;
    }
    __device__ __forceinline__ Offset cells() const { return Offset(H) * W; }
    __device__ __forceinline__ Offset state() const { return FIELDS * cells(); }
    __device__ __forceinline__ bool owns_row(int r) const {
        return RESIDENT || (top + r >= row_from && top + r < row_to);
    }
    __device__ __forceinline__ bool owns_of_strip() const { return RESIDENT || (left >= column_from && left < column_to); }
    __device__ __forceinline__ bool owns_strip() const { return owns_of_strip() && (WHOLE || left + V <= column_to); }
    __device__ __forceinline__ bool owns(int r, int v) const {
        return RESIDENT || (owns_row(r) && left + v >= column_from && left + v < column_to);
    }
    __device__ __forceinline__ Offset row(int r) const { return RESIDENT ? Offset(top + r) * W : Offset(wrap(top + r, H)) * W; }
    __device__ __forceinline__ Offset cell(int r, int v) const {
        return row(r) + (RESIDENT ? left + v : wrap(left + v, W));
    }
    __device__ __forceinline__ const Strip* strip(const REAL* of, int f, int r) const {
        return reinterpret_cast<const Strip*>(of + f * cells() + cell(r, 0));
    }
    // The strip of a row of the grid, as `get` reads memory.
    template <class Get> __device__ __forceinline__ Strip read(const REAL* row, Get get) const {
        if (RESIDENT) return get(reinterpret_cast<const Strip*>(row + left));
        Strip strip;
        if (WHOLE) {
            int first = wrap(left, W), last = wrap(left + V - 1, W);
            strip = get(reinterpret_cast<const Strip*>(row + min(first, last)));
            if (!PERIODIC && last < first)  // beyond an edge without flux lies the mirror image
                #pragma unroll
                for (int v = 0; v < V / 2; v++) {
                    REAL other = strip.at[v];
                    strip.at[v] = strip.at[V - 1 - v];
                    strip.at[V - 1 - v] = other;
                }
        } else {
            #pragma unroll
            for (int v = 0; v < V; v++) strip.at[v] = get(row + wrap(left + v, W));
        }
        return strip;
    }
    __device__ __forceinline__ void write(REAL* row, const Strip& strip) const {
        if (RESIDENT || WHOLE) {
            *reinterpret_cast<Strip*>(row + left) = strip;
        } else {
            #pragma unroll
            for (int v = 0; v < V; v++)
                if (left + v < column_to) row[left + v] = strip.at[v];
        }
    }
    template <int N> __device__ __forceinline__ void load(Patch<N>& c, int field, const REAL* from) const {
        #pragma unroll
        for (int r = 0; r < R; r++)
            #pragma unroll
            for (int f = 0; f < FIELDS; f++)
                c.row[field + f][r] = read(from + f * cells() + row(r), Plainly());
    }
    template <int N> __device__ __forceinline__ void store(const Patch<N>& c, int field, REAL* to) const {
        #pragma unroll
        for (int r = 0; r < R; r++)
            if (owns_row(r) && owns_of_strip()) {
                #pragma unroll
                for (int f = 0; f < FIELDS; f++) write(to + f * cells() + Offset(top + r) * W, c.row[field + f][r]);
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

// c + h (D ∇²c + rest) as (1 − 4 h D/dx²) c + (h D/dx²) Σ neighbours + h rest, where `local` is all but the neighbours.
struct Spread {
    REAL own[FIELDS], neighbour[FIELDS], h, folded[FOLDED];

    __device__ __forceinline__ Spread(const REAL (&theta)[PARAMETERS], REAL h) : h(h) {
        REAL D[FIELDS];
        diffusivities(theta, D);
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) {
            neighbour[f] = h * D[f] * AREA;
            own[f] = ONE - REAL(4.0) * neighbour[f];
        }
        fold(theta, own, h, folded);
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
        local(here, theta, spread.own, spread.h, spread.folded, out);
        #pragma unroll
        for (int f = 0; f < FIELDS; f++) c.row[f][r].at[v] = clamped(spread.neighbour[f] * sum[f] + out[f]);
    });
}

constexpr int NEVER = 2147483647;

// The first multiple of n that is not below t.
__device__ __forceinline__ int multiple_from(int t, int n) { return (t + n - 1) / n * n; }
