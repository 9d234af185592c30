/* Gray–Scott by hand for one GPU: what the fused engine is measured against, and probes of what the card itself can do.
 *
 *     nvcc -O3 -std=c++17 -arch=sm_90 -Xptxas -v -shared -Xcompiler -fPIC gray_scott.cu -o gray_scott_cuda.so
 *
 * Explicit Euler, dt = dx = 1, periodic 5-point Laplacian, float32, states (batch, 2, height, width) on the device.
 * Every function returns a cudaError_t as int; launches are asynchronous on the given stream. */
#include <cuda_runtime.h>
#include <stddef.h>
#include <string.h>

/* One step with its constants folded: u' = u (a − v²) + F + Du S and v' = v (b + u v) + Dv S, where S is the sum of the
 * four neighbours, a = 1 − 4 Du − F and b = 1 − 4 Dv − F − k. Six FP32 instructions a cell once both S are there. */
struct Rule {
    float Du, Dv, F, a, b;
};

static Rule rule(float Du, float Dv, float F, float k)
{
    return {Du, Dv, F, (float)(1 - 4.0 * Du - F), (float)(1 - 4.0 * Dv - F - k)};
}

static __device__ __forceinline__ void advance(float &u, float &v, float Su, float Sv, const Rule &c)
{
    const float wu = fmaf(-v, v, c.a), wv = fmaf(u, v, c.b);
    u = fmaf(c.Du, Su, fmaf(u, wu, c.F));
    v = fmaf(v, wv, c.Dv * Sv);
}

/* ---- A whole 128² box in one multiprocessor ----
 * One block a sample. A thread keeps a tile of W × H cells of both fields in registers for all steps. Columns to the
 * left and right come from the neighbouring lanes, rows above and below through shared memory, which holds only the
 * tiles' edge rows, twice, so that one barrier a step is enough. */
constexpr int BOX = 128;
constexpr unsigned ALL = 0xffffffffu;

template <int W, int H> constexpr int THREADS = BOX / W * (BOX / H);
template <int H> constexpr int PAGE = 2 * 2 * (BOX / H) * (BOX / 4); /* float4s: fields, top and bottom, tile rows */

template <int W, int ACROSS> static __device__ __forceinline__ void put(float4 *row, const float (&c)[W])
{
#pragma unroll
    for (int q = 0; q < W / 4; q++) row[q * ACROSS] = make_float4(c[4 * q], c[4 * q + 1], c[4 * q + 2], c[4 * q + 3]);
}

template <int W, int ACROSS> static __device__ __forceinline__ void get(const float4 *row, float (&c)[W])
{
#pragma unroll
    for (int q = 0; q < W / 4; q++) {
        const float4 w = row[q * ACROSS];
        c[4 * q] = w.x, c[4 * q + 1] = w.y, c[4 * q + 2] = w.z, c[4 * q + 3] = w.w;
    }
}

template <int W, int H, int UNROLL>
static __global__ void __launch_bounds__(THREADS<W, H>, 1)
    resident(const float *__restrict__ x, float *__restrict__ y, int steps, Rule rule)
{
    constexpr int ACROSS = BOX / W, DOWN = BOX / H; /* tiles; ACROSS divides 32, so a row of tiles lies in one warp */
    extern __shared__ float4 edges[];               /* [parity][field][top, bottom][tile row][quad of columns][tile] */
    constexpr int EDGE = DOWN * (BOX / 4), FIELD = 2 * EDGE;
    const int tx = threadIdx.x % ACROSS, ty = threadIdx.x / ACROSS;
    const int own = ty * (BOX / 4) + tx, above = (ty + DOWN - 1) % DOWN * (BOX / 4) + tx,
              below = (ty + 1) % DOWN * (BOX / 4) + tx;
    const size_t at = (size_t)blockIdx.x * 2 * BOX * BOX + (size_t)ty * H * BOX + tx * W;

    float u[H][W], v[H][W];
#pragma unroll
    for (int i = 0; i < H; i++) {
        get<W, 1>((const float4 *)(x + at + i * BOX), u[i]);
        get<W, 1>((const float4 *)(x + at + BOX * BOX + i * BOX), v[i]);
    }

    const auto left = [&](float c) { return __shfl_sync(ALL, c, tx + ACROSS - 1, ACROSS); };
    const auto right = [&](float c) { return __shfl_sync(ALL, c, tx + 1, ACROSS); };

#pragma unroll UNROLL /* two: fewer moves of new values into their old registers, twice the instruction cache */
    for (int t = 0; t < steps; t++) {
        float4 *now = edges + (t & 1) * PAGE<H>;
        put<W, ACROSS>(now + own, u[0]), put<W, ACROSS>(now + EDGE + own, u[H - 1]);
        put<W, ACROSS>(now + FIELD + own, v[0]), put<W, ACROSS>(now + FIELD + EDGE + own, v[H - 1]);
        const float lu = left(u[0][W - 1]), lv = left(v[0][W - 1]);
        __syncthreads();
        float nu[W], nv[W], du[W], dv[W]; /* the row north of the tile; the row south of it */
        get<W, ACROSS>(now + EDGE + above, nu), get<W, ACROSS>(now + FIELD + EDGE + above, nv);
        get<W, ACROSS>(now + below, du), get<W, ACROSS>(now + FIELD + below, dv);

        /* A cell's neighbours above and to the left are the right and lower ones of the cell diagonally before it. With
         * the sums along that diagonal kept from one row to the next, a Laplacian takes two additions and not three,
         * and a row can be overwritten as soon as it is done. */
        float pu[W + 1], pv[W + 1];
#pragma unroll
        for (int j = 0; j < W; j++) {
            pu[j] = nu[j] + (j ? u[0][j - 1] : lu);
            pv[j] = nv[j] + (j ? v[0][j - 1] : lv);
        }
#pragma unroll
        for (int i = 0; i < H; i++) {
            const bool last = i == H - 1;
            const float(&su)[W] = last ? du : u[last ? i : i + 1], (&sv)[W] = last ? dv : v[last ? i : i + 1];
            float qu[W + 1], qv[W + 1];
#pragma unroll
            for (int j = 1; j <= W; j++) {
                qu[j] = (j < W ? u[i][j] : right(u[i][0])) + su[j - 1];
                qv[j] = (j < W ? v[i][j] : right(v[i][0])) + sv[j - 1];
            }
            if (!last) qu[0] = u[i][0] + left(su[W - 1]), qv[0] = v[i][0] + left(sv[W - 1]);
#pragma unroll
            for (int j = 0; j < W; j++) advance(u[i][j], v[i][j], qu[j + 1] + pu[j], qv[j + 1] + pv[j], rule);
#pragma unroll
            for (int j = 0; j < W; j++) pu[j] = qu[j], pv[j] = qv[j];
        }
    }
#pragma unroll
    for (int i = 0; i < H; i++) {
        put<W, 1>((float4 *)(y + at + i * BOX), u[i]);
        put<W, 1>((float4 *)(y + at + BOX * BOX + i * BOX), v[i]);
    }
}

template <int W, int H, int UNROLL>
static cudaError_t launch(const float *x, float *y, int batch, int steps, Rule rule, cudaStream_t stream)
{
    const int bytes = 2 * PAGE<H> * (int)sizeof(float4);
    const cudaError_t failed =
        cudaFuncSetAttribute(resident<W, H, UNROLL>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (failed) return failed;
    resident<W, H, UNROLL><<<batch, THREADS<W, H>, bytes, stream>>>(x, y, steps, rule);
    return cudaGetLastError();
}

/* y = x (batch, 2, 128, 128) after `steps` steps. The plan is a matter of trial: 0 and 1 keep 8 × 8 cells a thread (two
 * warps a scheduler, fewest instructions), 2 and 3 keep 4 × 8 (four warps); 1 and 3 unroll two steps. */
extern "C" int gray_scott_resident(const float *x, float *y, int batch, int steps, float Du, float Dv, float F, float k,
                                   int plan, void *stream)
{
    const Rule c = rule(Du, Dv, F, k);
    const cudaStream_t s = (cudaStream_t)stream;
    switch (plan) {
    case 0: return launch<8, 8, 1>(x, y, batch, steps, c, s);
    case 1: return launch<8, 8, 2>(x, y, batch, steps, c, s);
    case 2: return launch<4, 8, 1>(x, y, batch, steps, c, s);
    case 3: return launch<4, 8, 2>(x, y, batch, steps, c, s);
    }
    return cudaErrorInvalidValue;
}

/* ---- One step a pass: each launch reads and writes global memory once ----
 * A warp covers 128 columns and ROWS rows, four columns a lane in 16-byte accesses; a block stacks WARPS of them, so
 * that the rows two warps share are found in the L1 cache. */
constexpr int ROWS = 4, WARPS = 8;

static __device__ __forceinline__ void neighbours(const float *field, const float4 (&c)[ROWS + 2], int i, int row,
                                                  int width, int side, int lane, float (&S)[4])
{
    const bool first = lane == 0, last = lane == 31;
    const float beyond = first || last ? field[row * width + side] : 0.f;
    const float before = __shfl_up_sync(ALL, c[i].w, 1), after = __shfl_down_sync(ALL, c[i].x, 1);
    const float4 n = c[i - 1], m = c[i], s = c[i + 1];
    S[0] = (first ? beyond : before) + m.y + (n.x + s.x);
    S[1] = m.x + m.z + (n.y + s.y);
    S[2] = m.y + m.w + (n.z + s.z);
    S[3] = m.z + (last ? beyond : after) + (n.w + s.w);
}

static __global__ void __launch_bounds__(32 * WARPS)
    pass(const float *__restrict__ x, float *__restrict__ y, int height, int width, Rule rule)
{
    const int lane = threadIdx.x, column = (blockIdx.x * 32 + lane) * 4;
    const int top = (blockIdx.y * WARPS + threadIdx.y) * ROWS, plane = height * width;
    const size_t sample = (size_t)blockIdx.z * 2 * plane;
    const float *u = x + sample, *v = u + plane;
    const int side = lane ? (column + 4 < width ? column + 4 : 0) : (column ? column - 1 : width - 1);

    float4 a[ROWS + 2], b[ROWS + 2];
#pragma unroll
    for (int i = 0; i < ROWS + 2; i++) {
        int row = top + i - 1;
        if (i == 0) row = row < 0 ? height - 1 : row;
        if (i == ROWS + 1) row = row == height ? 0 : row;
        a[i] = *(const float4 *)(u + row * width + column);
        b[i] = *(const float4 *)(v + row * width + column);
    }
#pragma unroll
    for (int i = 1; i <= ROWS; i++) {
        const int row = top + i - 1;
        float su[4], sv[4];
        neighbours(u, a, i, row, width, side, lane, su);
        neighbours(v, b, i, row, width, side, lane, sv);
        float4 p = a[i], q = b[i];
        advance(p.x, q.x, su[0], sv[0], rule), advance(p.y, q.y, su[1], sv[1], rule);
        advance(p.z, q.z, su[2], sv[2], rule), advance(p.w, q.w, su[3], sv[3], rule);
        *(float4 *)(y + sample + row * width + column) = p;
        *(float4 *)(y + sample + plane + row * width + column) = q;
    }
}

/* `steps` steps from x, which is only read; the result is in y after an odd number of steps and in z after an even one.
 * height must divide by 32 and width by 128. */
extern "C" int gray_scott_passes(const float *x, float *y, float *z, int batch, int height, int width, int steps,
                                 float Du, float Dv, float F, float k, void *stream)
{
    if (height % (ROWS * WARPS) || width % 128 || batch > 65535 || (size_t)height * width > (1u << 30) || steps < 1)
        return cudaErrorInvalidValue;
    const dim3 blocks(width / 128, height / (ROWS * WARPS), batch), block(32, WARPS);
    const Rule c = rule(Du, Dv, F, k);
    for (int t = 0; t < steps; t++) {
        pass<<<blocks, block, 0, (cudaStream_t)stream>>>(t == 0 ? x : t % 2 ? y : z, t % 2 ? z : y, height, width, c);
    }
    return cudaGetLastError();
}

/* ---- What the card can do ---- */

constexpr int CHAINS = 16; /* independent accumulators a thread: enough to hide an instruction's latency */

/* rounds × 8 × CHAINS fused multiply-adds a thread. Block 0 also reports its cycles and the nanoseconds they took. */
static __global__ void __launch_bounds__(256, 8)
    fused_multiply_adds(float *sink, long long *took, int rounds, float m, float c)
{
    float a[CHAINS];
#pragma unroll
    for (int j = 0; j < CHAINS; j++) a[j] = (float)(threadIdx.x + j);
    long long cycles, time, cycles_later, later;
    asm volatile("mov.u64 %0, %%clock64;" : "=l"(cycles) : "f"(a[0]));
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
#pragma unroll 1
    for (int i = 0; i < rounds; i++) {
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int j = 0; j < CHAINS; j++) a[j] = fmaf(a[j], m, c);
    }
    float sum = 0;
#pragma unroll
    for (int j = 0; j < CHAINS; j++) sum += a[j];
    if (sum == 1.2345f) sink[0] = sum; /* never so; it keeps the loop from being removed */
    asm volatile("mov.u64 %0, %%clock64;" : "=l"(cycles_later) : "f"(sum)); /* not before the sum is there */
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(later));
    if (blockIdx.x == 0 && threadIdx.x == 0) took[0] = cycles_later - cycles, took[1] = later - time;
}

/* rounds × 8 loads of 16 bytes a thread, without bank conflicts. */
static __global__ void __launch_bounds__(1024, 2) shared_loads(float *sink, int rounds)
{
    __shared__ float4 tile[1024];
    tile[threadIdx.x] = make_float4(threadIdx.x, 1, 2, 3);
    __syncthreads();
    const unsigned at = (unsigned)__cvta_generic_to_shared(tile + threadIdx.x % 512);
    float s[4] = {0, 0, 0, 0};
#pragma unroll 1
    for (int i = 0; i < rounds; i++) {
#pragma unroll
        for (int n = 0; n < 8; n++) {
            float a, b, c, d;
            asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                         : "=f"(a), "=f"(b), "=f"(c), "=f"(d)
                         : "r"(at + n * 1024));
            s[0] += a, s[1] += b, s[2] += c, s[3] += d;
        }
    }
    if (s[0] + s[1] + s[2] + s[3] == 1.2345f) sink[0] = s[0];
}

static __global__ void __launch_bounds__(256) copied(const float4 *__restrict__ x, float4 *__restrict__ y)
{
    const size_t at = (size_t)blockIdx.x * 1024 + threadIdx.x;
    float4 a[4];
#pragma unroll
    for (int i = 0; i < 4; i++) a[i] = __ldcs(x + at + 256 * i);
#pragma unroll
    for (int i = 0; i < 4; i++) __stcs(y + at + 256 * i, a[i]);
}

extern "C" int ceiling_fma(float *sink, long long *took, int blocks, int rounds, void *stream)
{
    fused_multiply_adds<<<blocks, 256, 0, (cudaStream_t)stream>>>(sink, took, rounds, 0.999f, 0.001f);
    return cudaGetLastError();
}

extern "C" int ceiling_shared(float *sink, int blocks, int rounds, void *stream)
{
    shared_loads<<<blocks, 1024, 0, (cudaStream_t)stream>>>(sink, rounds);
    return cudaGetLastError();
}

/* bytes must divide by 16 KiB. With driver, the copy that CUDA itself offers. */
extern "C" int ceiling_copy(const void *x, void *y, size_t bytes, int driver, void *stream)
{
    if (driver) return cudaMemcpyAsync(y, x, bytes, cudaMemcpyDeviceToDevice, (cudaStream_t)stream);
    if (bytes % 16384) return cudaErrorInvalidValue;
    copied<<<(unsigned)(bytes / 16384), 256, 0, (cudaStream_t)stream>>>((const float4 *)x, (float4 *)y);
    return cudaGetLastError();
}

extern "C" int device_facts(char *name, int length, int *multiprocessors, int *cache_bytes)
{
    int device;
    cudaDeviceProp card;
    cudaError_t failed = cudaGetDevice(&device);
    if (!failed) failed = cudaGetDeviceProperties(&card, device);
    if (failed) return failed;
    strncpy(name, card.name, length - 1);
    name[length - 1] = 0;
    *multiprocessors = card.multiProcessorCount, *cache_bytes = card.l2CacheSize;
    return cudaSuccess;
}

extern "C" int device_malloc(void **x, size_t bytes) { return cudaMalloc(x, bytes); }
extern "C" int device_free(void *x) { return cudaFree(x); }
extern "C" int device_read(void *host, const void *x, size_t bytes)
{
    return cudaMemcpy(host, x, bytes, cudaMemcpyDeviceToHost);
}
extern "C" int device_wait(void *stream) { return cudaStreamSynchronize((cudaStream_t)stream); }
extern "C" const char *error_text(int code) { return cudaGetErrorString((cudaError_t)code); }
