# SPDX-License-Identifier: Apache-2.0
"""What check_ptx.py expects of the wrappers of kernels/ptx_hopper.cuh."""

def accumulators(columns):
    """The registers of argument 0, and what the kernel stores of them."""
    names = ["0" + (f"+{4 * i}" if i else "") for i in range(columns // 2)]
    stored = [name.replace("0", "out", 1) + " = " + name for name in names]
    return ", ".join(names), stored


def wgmma(columns, a, b, major):
    """One product: it replaces or adds as a predicate says, with no operand
    negated (1, 1)."""
    d, stored = accumulators(columns)
    return ["{", ".reg .pred add", "setp.ne.b32 add, 1, 0",
            f"wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.bf16.bf16 "
            f"{{{d}}}, {a}, {b}, add, 1, 1, {major}", "}"] + stored


def wgmma_ss(columns, a_mn, b_mn):
    return (f"Of<float, {columns // 2}> d, uint64_t a, uint64_t b, "
            f"Of<float, {columns // 2}> *out",
            f"ptx::wgmma_ss<{columns}, {a_mn}, {b_mn}>(d.v, a, b, true); *out = d;",
            wgmma(columns, "1", "2", f"{a_mn}, {b_mn}"))


def wgmma_rs(columns, b_mn):
    return (f"Of<float, {columns // 2}> d, Of<uint32_t, 8> a, uint64_t b, "
            f"Of<float, {columns // 2}> *out",
            f"ptx::wgmma_rs<{columns}, {b_mn}>(d.v, a.v, 2, b, true); *out = d;",
            wgmma(columns, "{1+8, 1+12, 1+16, 1+20}", "2", b_mn))


# name: (parameters of a kernel, its body, what must come out)
EXPECTED = {
    "dynamic_shared_1024": (
        "uint32_t *out",
        "*out = ptx::shared_address(ptx::dynamic_shared_1024());",
        ["out = _ZN3ptx25oriel_dynamic_shared_1024E"]),
    "fence_async_shared": ("", "ptx::fence_async_shared();",
                           ["fence.proxy.async.shared::cta"]),
    # Barrier first, then how many threads.
    "named_arrive": ("uint32_t a, uint32_t b", "ptx::named_arrive(a, b);",
                     ["barrier.arrive.aligned 0, 1"]),
    "mbarrier_init": ("uint32_t a, uint32_t b", "ptx::mbarrier_init(a, b);",
                      ["mbarrier.init.shared::cta.b64 [0], 1"]),
    "mbarrier_fence": ("", "ptx::mbarrier_fence();",
                       ["fence.mbarrier_init.release.cluster"]),
    "mbarrier_arrive": ("uint32_t a", "ptx::mbarrier_arrive(a);",
                        ["mbarrier.arrive.shared::cta.b64 _, [0]"]),
    "mbarrier_expect": ("uint32_t a, uint32_t b", "ptx::mbarrier_expect(a, b);",
                        ["mbarrier.arrive.expect_tx.shared::cta.b64 _, [0], 1"]),
    # It asks until the phase has ended; bra, as the lanes may part.
    "mbarrier_wait": ("uint32_t a, uint32_t b", "ptx::mbarrier_wait(a, b);",
                      ["{", ".reg .pred ended", "again:",
                       "mbarrier.try_wait.parity.shared::cta.b64 ended, [0], 1",
                       "@ended bra done", "bra again", "done:", "}"]),
    # To; the map and {column, row}; the barrier that counts the bytes.
    "tensor_load_2d": (
        "uint32_t a, const CUtensorMap *b, int c, int d, uint32_t e",
        "ptx::tensor_load_2d(a, b, c, d, e);",
        ["cp.async.bulk.tensor.2d.shared::cluster.global.tile"
         ".mbarrier::complete_tx::bytes [0], [1, {2, 3}], [4]"]),
    "cluster_rank": ("uint32_t *out", "*out = ptx::cluster_rank();",
                     ["mov.u32 d0, %cluster_ctarank", "out = d0"]),
    # Not .aligned: lanes of a warp come by different ways.
    "cluster_arrive": ("", "ptx::cluster_arrive();",
                       ["barrier.cluster.arrive.release"]),
    "cluster_wait": ("", "ptx::cluster_wait();",
                     ["barrier.cluster.wait.acquire"]),
    "mbarrier_arrive_remote": (
        "uint32_t a, uint32_t b", "ptx::mbarrier_arrive_remote(a, b);",
        ["{", ".reg .b32 remote", "mapa.shared::cluster.u32 remote, 0, 1",
         "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote]", "}"]),
    # As tensor_load_2d, and for whom.
    "tensor_load_2d_multicast": (
        "uint32_t a, const CUtensorMap *b, int c, int d, uint32_t e, uint16_t f",
        "ptx::tensor_load_2d_multicast(a, b, c, d, e, f);",
        ["cp.async.bulk.tensor.2d.shared::cluster.global.tile"
         ".mbarrier::complete_tx::bytes.multicast::cluster "
         "[0], [1, {2, 3}], [4], 5"]),
    # Register i is of the matrix whose rows lanes 8i to 8i + 7 name.
    "store_matrix_x4": ("uint32_t a, Of<uint32_t, 4> b",
                        "ptx::store_matrix_x4(a, b.v);",
                        ["stmatrix.sync.aligned.m8n8.x4.shared.b16 [0], "
                         "{1, 1+4, 1+8, 1+12}"]),
    "registers_up": ("", "ptx::registers_up<232>();",
                     ["setmaxnreg.inc.sync.aligned.u32 232"]),
    "registers_down": ("", "ptx::registers_down<40>();",
                       ["setmaxnreg.dec.sync.aligned.u32 40"]),
    "wgmma_fence": ("", "ptx::wgmma_fence();", ["wgmma.fence.sync.aligned"]),
    "wgmma_commit": ("", "ptx::wgmma_commit();",
                     ["wgmma.commit_group.sync.aligned"]),
    "wgmma_wait": ("", "ptx::wgmma_wait<3>();",
                   ["wgmma.wait_group.sync.aligned 3"]),
    # Nothing but a place that uses of the registers do not pass.
    "wgmma_hold": ("Of<float, 2> a, Of<float, 2> *out",
                   "ptx::wgmma_hold(a.v); *out = a;", ["out = 0", "out+4 = 0+4"]),
    "wgmma_hold words": ("Of<uint32_t, 2> a, Of<uint32_t, 2> *out",
                         "ptx::wgmma_hold(a.v); *out = a;",
                         ["out = 0", "out+4 = 0+4"]),
    "wgmma_ss 64": wgmma_ss(64, 0, 0),
    "wgmma_ss 64 mn": wgmma_ss(64, 1, 0),
    "wgmma_ss 80": wgmma_ss(80, 0, 1),
    "wgmma_ss 128": wgmma_ss(128, 0, 0),
    "wgmma_ss 160": wgmma_ss(160, 0, 0),
    "wgmma_ss 256": wgmma_ss(256, 0, 0),
    "wgmma_rs 64": wgmma_rs(64, 0),
    "wgmma_rs 80": wgmma_rs(80, 1),
    "wgmma_rs 128": wgmma_rs(128, 0),
}
