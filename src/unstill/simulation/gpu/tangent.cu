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
