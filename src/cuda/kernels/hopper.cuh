#pragma once
// Hopper's own instructions (sm_90a): barriers in shared memory, the copy engine (TMA) and the warpgroup's matrix
// multiply (wgmma). PTX ISA 8.0, chapters "mbarrier", "cp.async.bulk" and "wgmma".
#include "common.cuh"

// ---- barriers: they count arrivals and the bytes of copies; a phase ends when both are complete ----

__device__ __forceinline__ void barrier_init(u32 barrier, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
/// Makes initialised barriers visible to the copy engine; __syncthreads() must follow.
__device__ __forceinline__ void barrier_init_done() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void barrier_arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Arrives, and adds `bytes` to what copies must bring before the phase ends.
__device__ __forceinline__ void barrier_expect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ bool barrier_passed(u32 barrier, u32 parity) {
  u32 passed;
  asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2, 2000;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(passed)
               : "r"(barrier), "r"(parity)
               : "memory");
  return passed != 0;
}
/// Waits for the end of the phase of this parity. Bounded (a poll takes at most 2 us): a wait that never ends becomes
/// an error of the launch instead of a device that hangs.
__device__ __forceinline__ void barrier_wait(u32 barrier, u32 parity) {
  for (u32 polls = 0; !barrier_passed(barrier, parity); ++polls) {
    if (polls > (1u << 20)) __trap();
  }
}
/// A barrier of `threads` threads; id 0 is __syncthreads().
__device__ __forceinline__ void named_barrier(u32 id, u32 threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ---- copies into shared memory: issued by one thread, complete on a barrier ----

__device__ __forceinline__ void prefetch_map(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(reinterpret_cast<u64>(map)) : "memory");
}
/// `bytes` consecutive bytes; a multiple of 16, as are both addresses.
__device__ __forceinline__ void copy_bulk(u32 shared, const void* global, u32 bytes, u32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared),
               "l"(reinterpret_cast<u64>(global)), "r"(bytes), "r"(barrier)
               : "memory");
}
__device__ __forceinline__ void copy_tile(u32 shared, const TensorMap* map, s32 x, s32 y, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
          shared),
      "l"(reinterpret_cast<u64>(map)), "r"(barrier), "r"(x), "r"(y)
      : "memory");
}
__device__ __forceinline__ void copy_tile4(u32 shared, const TensorMap* map, s32 x, s32 y, s32 z, s32 w, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], "
      "[%2];" ::"r"(shared),
      "l"(reinterpret_cast<u64>(map)), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}
/// The pixels that one filter tap sees, from output pixel (image, h, w) on; h and w in input coordinates before the
/// tap's offset.
__device__ __forceinline__ void copy_im2col(u32 shared, const TensorMap* map, s32 channel, s32 w, s32 h, s32 image,
                                            u32 offset_w, u32 offset_h, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, "
      "%6}], [%2], {%7, %8};" ::"r"(shared),
      "l"(reinterpret_cast<u64>(map)), "r"(barrier), "r"(channel), "r"(w), "r"(h), "r"(image),
      "h"(static_cast<u16>(offset_w)), "h"(static_cast<u16>(offset_h))
      : "memory");
}

// The same into shared memory of all blocks of the cluster in `blocks` (a bit each), at the same address in each, where
// each block's own barrier at that address counts the bytes.

__device__ __forceinline__ void copy_tile_to(u32 shared, const TensorMap* map, s32 x, s32 y, u32 barrier, u32 blocks) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, "
      "%4}], [%2], %5;" ::"r"(shared),
      "l"(reinterpret_cast<u64>(map)), "r"(barrier), "r"(x), "r"(y), "h"(static_cast<u16>(blocks))
      : "memory");
}
__device__ __forceinline__ void copy_im2col_to(u32 shared, const TensorMap* map, s32 channel, s32 w, s32 h, s32 image,
                                               u32 offset_w, u32 offset_h, u32 barrier, u32 blocks) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8}, %9;" ::"r"(shared),
      "l"(reinterpret_cast<u64>(map)), "r"(barrier), "r"(channel), "r"(w), "r"(h), "r"(image),
      "h"(static_cast<u16>(offset_w)), "h"(static_cast<u16>(offset_h)), "h"(static_cast<u16>(blocks))
      : "memory");
}

// ---- clusters of blocks ----

__device__ __forceinline__ u32 cluster_rank() {
  u32 rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
/// All threads of all blocks of the cluster: they have started, or have come so far. Orders barriers made ready before
/// (barrier_init_done), no other memory: release and acquire would cost a fence of all memory, about a microsecond.
__device__ __forceinline__ void cluster_arrive() { asm volatile("barrier.cluster.arrive.relaxed;" ::: "memory"); }
__device__ __forceinline__ void cluster_wait() { asm volatile("barrier.cluster.wait;" ::: "memory"); }
/// The same with an order of all memory.
__device__ __forceinline__ void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
/// Where another block of the cluster has this address of shared memory.
__device__ __forceinline__ u32 in_block(u32 shared, u32 rank) {
  u32 address;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(shared), "r"(rank));
  return address;
}
/// Arrives at a barrier of another block: an address from in_block(). Orders no memory (see cluster_arrive).
__device__ __forceinline__ void barrier_arrive_remote(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Stores 16 bytes into another block's shared memory; that block's barrier counts them. Addresses from in_block().
__device__ __forceinline__ void store_remote(u32 to, u32 a, u32 b, u32 c, u32 d, u32 barrier) {
  asm volatile(
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to),
      "r"(a), "r"(b), "r"(c), "r"(d), "r"(barrier)
      : "memory");
}

// ---- warpgroup ----

template <u32 kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <u32 kRegisters>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
__device__ __forceinline__ void mma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void mma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Until at most kPending groups are under way.
template <int kPending>
__device__ __forceinline__ void mma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

/// Where a 16-byte chunk of a row lies when the copy engine (or the host) swizzles rows of kRowBytes.
template <int kRowBytes>
__device__ __forceinline__ u32 swizzled_chunk(u32 row, u32 chunk) {
  return kRowBytes == 128 ? chunk ^ (row & 7) : kRowBytes == 64 ? chunk ^ ((row >> 1) & 3) : chunk ^ ((row >> 2) & 1);
}
/// Descriptor of an operand in shared memory whose rows of kRowBytes (128, 64 or 32) run along K, swizzled likewise.
template <int kRowBytes>
__device__ __forceinline__ u64 operand_at(u32 shared) {
  constexpr u64 kLayout = kRowBytes == 128 ? 1 : kRowBytes == 64 ? 2 : 3;
  return static_cast<u64>((shared & 0x3ffff) >> 4) | (1ull << 16) | (static_cast<u64>(kRowBytes * 8 >> 4) << 32) |
         (kLayout << 62);
}
inline constexpr int kMmaBytes = 32;  ///< of K in one wgmma
