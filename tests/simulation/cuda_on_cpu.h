// CUDA's words for one core: threads are fibers that take turns, so that the GPU kernels' own source runs without a GPU.
// All blocks of a cluster, or of a launch of standing tiles, run together, one cluster after the other. Every barrier or shuffle gives way once to all other
// threads of the cluster; since all of them meet the same ones in the same order, that is a barrier. So this shows
// whether a kernel computes the right thing, not whether it lacks a barrier.
#include <ucontext.h>

#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

using std::max;
using std::min;

#define __device__
#define __global__
#define __forceinline__
#define __launch_bounds__(...)

struct Index { int x; };
static thread_local Index threadIdx, blockIdx, blockDim;

struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    int thread, block, shuffles;
    bool done;
};
static thread_local std::vector<Fiber> fibers;
static thread_local std::vector<std::vector<char>> memories;  // shared memory of each block of the cluster
static thread_local std::vector<double> slots[2];             // what each thread hands out in a shuffle
static thread_local int current, threads_of_block, first_block;
static thread_local ucontext_t scheduler;

static void give_way() { swapcontext(&fibers[current].context, &scheduler); }

template <class T> T* shared_memory() {
    return reinterpret_cast<T*>(memories[current / threads_of_block].data());
}

// Flags need not count: whatever was sent is there at once, and who waits lets all others send.
typedef unsigned long long Flag;
static void prepare(Flag*) {}
static void expect(Flag*, int, bool) {}
static void arrive(Flag*, bool) {}
static void warp_meets() {}
static void wait_for(Flag*, int, bool) { give_way(); }
static void cluster_ready() { give_way(); }
static void block_meets() { give_way(); }
static void fetched() {}
static void publish(unsigned* flag, unsigned turn, bool me) { if (me) *flag = turn; }
static void seen(const unsigned*, unsigned, bool) { give_way(); }
template <class T> T fresh(const T* from) { return *from; }

template <class S> void fetch(S* to, const S* from) { *to = *from; }

template <class S> void send(S strip, S* box, Flag*, int rank) {
    char* mine = memories[current / threads_of_block].data();
    *reinterpret_cast<S*>(memories[rank].data() + (reinterpret_cast<char*>(box) - mine)) = strip;
}

template <class T> T shuffle(T x, int lane) {
    std::vector<double>& slot = slots[fibers[current].shuffles++ % 2];
    memcpy(&slot[current], &x, sizeof(T));
    give_way();
    memcpy(&x, &slot[current / 32 * 32 + lane], sizeof(T));
    return x;
}

static thread_local void (*body)(void**);
static thread_local void** body_arguments;

static void fiber_main() {
    body(body_arguments);
    fibers[current].done = true;
    give_way();
}

template <auto Kernel, class... A, std::size_t... I>
static void unpack(void (*)(A...), void** arguments, std::index_sequence<I...>) {
    Kernel(*reinterpret_cast<A*>(arguments[I])...);
}

template <auto Kernel, class... A> static void call(void (*kernel)(A...), void** arguments) {
    unpack<Kernel>(kernel, arguments, std::index_sequence_for<A...>{});
}

template <auto Kernel> static void run(void** arguments, int blocks, int cluster, int threads, int shared) {
    body = [](void** a) { call<Kernel>(Kernel, a); };
    body_arguments = arguments;
    threads_of_block = threads;
    for (int first = 0; first < blocks; first += cluster) {
        fibers.assign(threads * cluster, Fiber{});
        memories.assign(cluster, std::vector<char>(shared + 16));
        for (auto& slot : slots) slot.assign(fibers.size(), 0);
        for (int i = 0; i < int(fibers.size()); i++) {
            Fiber& fiber = fibers[i];
            fiber.thread = i % threads;
            fiber.block = first + i / threads;
            fiber.stack.resize(1 << 16);
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack.data();
            fiber.context.uc_stack.ss_size = fiber.stack.size();
            fiber.context.uc_link = nullptr;
            makecontext(&fiber.context, fiber_main, 0);
        }
        for (bool busy = true; busy;) {
            busy = false;
            for (current = 0; current < int(fibers.size()); current++) {
                Fiber& fiber = fibers[current];
                if (fiber.done) continue;
                threadIdx.x = fiber.thread;
                blockIdx.x = fiber.block;
                blockDim.x = threads;
                swapcontext(&scheduler, &fiber.context);
                busy = true;
            }
        }
    }
}
