// The tile (i / 3 − 1, i % 3 − 1) away, as a block of the launch; beyond an edge without flux a tile is its own neighbour.
__device__ __forceinline__ int neighbour(const Place& at, int i) {
    int row = at.tile / at.across + i / 3 - 1, column = at.tile % at.across + i % 3 - 1;
    row = PERIODIC ? (row + at.down) % at.down : max(0, min(row, at.down - 1));
    column = PERIODIC ? (column + at.across) % at.across : max(0, min(column, at.across - 1));
    return (at.sample * at.down + row) * at.across + column;
}

// All tiles of a sample at once: each lays its rim down in device memory and takes its margin from its neighbours' rims.
// `rims` has room for two turns: a tile lays the next but one when its neighbours have begun the next, and so have read.
__device__ __forceinline__ void meet(Patch<FIELDS>& c, const Place& at, REAL* rims, unsigned* flags, unsigned turn) {
    bool at_side = at.left < at.column_from + at.side || at.left + V > at.column_to - at.side;
    #pragma unroll
    for (int r = 0; r < R; r++) {
        int row = at.top + r;
        bool at_end = row < at.row_from + at.margin || row >= at.row_to - at.margin;
        if (at.owns_row(r) && at.owns_of_strip() && (at_end || at_side)) {
            #pragma unroll
            for (int f = 0; f < FIELDS; f++) at.write(rims + f * at.cells() + Offset(row) * at.W, c.row[f][r]);
        }
    }
    block_meets();
    publish(flags + blockIdx.x, turn, threadIdx.x == 0);
    seen(flags + neighbour(at, min(int(threadIdx.x), 8)), turn, threadIdx.x < 9);
    block_meets();
    #pragma unroll
    for (int r = 0; r < R; r++)
        if (!at.owns_row(r) || !at.owns_strip()) {
            #pragma unroll
            for (int f = 0; f < FIELDS; f++)
                c.row[f][r] = at.read(rims + f * at.cells() + at.row(r), Freshly());
        }
}

// Steps `first` … `first + steps` of the whole motion, from x to y (unless null). After every `every` steps a frame is
// saved; the state before each step that `stride` divides is kept (unless `kept` is null). Standing tiles meet every
// `depth` steps, by rims (2, samples, state) and the flags of all blocks, which are 0 at first.
extern "C" __global__ void __launch_bounds__(LANES * WARPS, BLOCKS)
forward(const REAL* x, Offset x_sample, REAL* y, REAL* frames, Offset frames_sample, int every, REAL* kept,
        Offset kept_sample, int stride, const REAL* p, const REAL* q, REAL* rims, Offset rims_turn, unsigned* flags,
        int depth, int H, int W, int tall, int wide, int margin, REAL h, int first, int steps) {
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
    int turn = 0, next_meeting = STANDING ? first + depth : NEVER;
    for (int t = first; t < end;) {
        if (t == next_kept) {
            at.store(c, 0, kept + at.sample * kept_sample + t / stride * at.state());
            next_kept += stride;
        }
        int stop = min(min(end, next_meeting), min(next_kept, next_frame));
        #pragma unroll 2
        for (; t < stop; t++) euler(c, post, spread, theta, q);
        if (t == next_frame) {
            at.store(c, 0, frames + at.sample * frames_sample + (t / every - 1) * at.state());
            next_frame += every;
        }
        if (STANDING && t == next_meeting && t < end) {
            meet(c, at, rims + turn % 2 * rims_turn + at.sample * at.state(), flags, turn + 1);
            turn++;
            next_meeting += depth;
        }
    }
    if (y) at.store(c, 0, y + at.sample * at.state());
}
