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
