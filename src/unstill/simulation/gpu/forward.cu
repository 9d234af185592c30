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
