// What the kernels ask of the card, in PTX where CUDA C++ has no word for it. A test without a card says in its own words
// how these are done.
#ifdef __CUDACC__
template <class T> __device__ __forceinline__ T* shared_memory() {
    extern __shared__ __align__(16) unsigned char bytes[];
    return reinterpret_cast<T*>(bytes);
}
template <class T> __device__ __forceinline__ T shuffle(T x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
__device__ __forceinline__ void block_meets() { __syncthreads(); }
__device__ __forceinline__ void warp_meets() { __syncwarp(); }
__device__ __forceinline__ unsigned address(const void* shared) { return __cvta_generic_to_shared(shared); }

// Between blocks of one launch, through device memory: what was stored before `publish` is there for whoever has `seen`
// its flag, if it reads `fresh`, past the first-level cache.
__device__ __forceinline__ void publish(unsigned* flag, unsigned turn, bool me) {
    if (!me) return;
    __threadfence();
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(flag), "r"(turn) : "memory");
}
__device__ __forceinline__ void seen(const unsigned* flag, unsigned turn, bool needed) {
    unsigned now = needed ? 0 : turn;
    while (now < turn) asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(flag) : "memory");
}
template <class T> __device__ __forceinline__ T fresh(const T* from) {
    T value;
    if constexpr (sizeof(T) == 16) {
        uint4 words = __ldcg(reinterpret_cast<const uint4*>(from));
        memcpy(&value, &words, 16);
    } else if constexpr (sizeof(T) == 8) {
        uint2 words = __ldcg(reinterpret_cast<const uint2*>(from));
        memcpy(&value, &words, 8);
    } else {
        for (int i = 0; i < int(sizeof(T)) / 4; i++)
            reinterpret_cast<unsigned*>(&value)[i] = __ldcg(reinterpret_cast<const unsigned*>(from) + i);
    }
    return value;
}

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
