/* The plain C loop that the native engine is measured against: Gray–Scott, explicit Euler, periodic, 5-point Laplacian.
 * Compiled with -O3 -march=native and -DREAL=double or float. Two fields of n rows, each row with a ghost cell at both
 * ends; rows wrap by pointer, so the inner loop vectorises. */
#include <stddef.h>

static void advance(const REAL *restrict u, const REAL *restrict v, REAL *restrict u1, REAL *restrict v1, ptrdiff_t n,
                    REAL Du, REAL Dv, REAL F, REAL k)
{
    const ptrdiff_t w = n + 2;
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t m = i * w + 1, up = (i ? i - 1 : n - 1) * w + 1, down = (i < n - 1 ? i + 1 : 0) * w + 1;
        for (ptrdiff_t j = 0; j < n; j++) {
            const REAL a = u[m + j], b = v[m + j], r = a * b * b;
            const REAL lu = u[up + j] + u[down + j] + u[m + j - 1] + u[m + j + 1] - 4 * a;
            const REAL lv = v[up + j] + v[down + j] + v[m + j - 1] + v[m + j + 1] - 4 * b;
            u1[m + j] = a + (Du * lu - r + F * (1 - a));
            v1[m + j] = b + (Dv * lv + r - (F + k) * b);
        }
        u1[m - 1] = u1[m + n - 1], u1[m + n] = u1[m];
        v1[m - 1] = v1[m + n - 1], v1[m + n] = v1[m];
    }
}

/* An even number of steps from x (u, then v) and back into it; y is the second buffer. */
void unstill_rival(REAL *x, REAL *y, ptrdiff_t n, ptrdiff_t steps, REAL Du, REAL Dv, REAL F, REAL k)
{
    const ptrdiff_t size = n * (n + 2);
    for (ptrdiff_t t = 0; t < steps; t += 2) {
        advance(x, x + size, y, y + size, n, Du, Dv, F, k);
        advance(y, y + size, x, x + size, n, Du, Dv, F, k);
    }
}
