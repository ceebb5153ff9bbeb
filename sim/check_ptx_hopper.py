# SPDX-License-Identifier: Apache-2.0
"""What check_ptx.py expects of the wrappers of kernels/ptx_hopper.cuh."""

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
}
