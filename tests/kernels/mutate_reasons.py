# SPDX-License-Identifier: Apache-2.0
"""Why a mutant that no test kills changes nothing (REASONS), or what is known of
one that changes something (OPEN): (file, kind, part of its name, words)."""
AT_EDGE = "where both sides are equal either result is the same"
EXTRA_TILE = "a tile of keys more: all masked, it adds zeros and rescales by one"
ORDER = "the same terms in another order, which the bound allows"
PAIRS = "lanes 1 apart hold the same value by then: 2 or 3 away is the same"
MASKED = "more groups of scores, all of which are masked"
STRICTER = "the slow way, byte by byte, loads the same where the fast one may not"
FINITE = "a finite value, whose weight is 0"
REASONS = [
    ("hopper_full_attention.cu", "literal", "= uint4{0, 0, 0, 0}; -> 1",
     FINITE),
    ("hopper_full_attention.cu", "literal",
     "rows.sums[0] = rows.sums[1] = 0; -> 1",
     "the first maximum shrinks what was there before to 0"),
    ("hopper_full_attention.cu", "literal", "return barrier(2 + ",
     "another place for barriers, of which there is room for 128"),
    ("hopper_full_attention.cu", "literal",
     "32 in if (thread == WARPS * 32) -> 33",
     "another lane of the same warp copies"),
    ("hopper_gemm.cuh", "literal", "32 in if (thread == T::WARPS * 32) -> 33",
     "another lane of the same warp copies"),
    ("hopper_full_attention.cu", "literal", "0 in if (thread == 0) -> 1",
     "another thread of the block prepares the barriers"),
    ("hopper_gemm.cuh", "statement", "registers_up<", "ptxas alone judges it: how "
     "many registers the warps that multiply may use"),
    ("hopper_gemm.cuh", "condition", "tiles.pairs() -> true #",
     "a block that has no pair is a cluster of its own"),
    ("full_attention.cu", "condition", "r.most[1]) -> true",
     "what did not move is shrunk by exactly 1"),
    ("counted.cuh", "statement", "grid_launch_dependents(); -> deleted",
     "only when the next kernel begins, which waits for this one's end anyhow"),
    ("hopper_ring.cuh", "literal", "stage = 0; -> 1",
     "all skip the first stage from the second round on: a stage fewer"),
    ("full_attention.cu", "condition", "LAST -> true #1",
     "of a tile whose keys are all there none is masked"),
    ("full_attention.cu", "literal", "from_chunk = inside ? chunk : 0; -> 1",
     "another address for a copy of no bytes"),
    ("linear.cu", "literal", "(from + 8) : 0; -> 1",
     "the residual of columns that are not there, which are never stored"),
    ("window_attention.cu", "comparison", "slot.n > 0) { -> >=",
     "a warp without a window fills its own rows, which no warp reads, with zeros"),
    ("window_attention.cu", "condition", "i >= ptx::grid_blocks() -> true",
     "a barrier more, before the first item"),
    ("window_attention.cu", "condition", "slot.n > 0 -> true",
     "a warp without a window fills its own rows, which no warp reads, with zeros"),
    ("hopper_full_attention.cu", "condition", "r.moved -> true",
     "what did not move is shrunk by exactly 1"),
    ("hopper_full_attention.cu", "operator",
     "scores[2 * i + 1]) & 0xffff0000u); -> dropped",
     "those bits of a rounded value are zeros"),
    ("gemm.cuh", "", "s < n_stages",
     "a stage beyond the depth is filled with zeros and never multiplied"),
    ("expand_plan.cu", "comparison", "return a < b ? a : b", AT_EDGE),
    ("expand_plan.cu", "literal", ".whole ? side : 0; -> 1",
     "the size of windows that the item lacks: none of them came before"),
    ("attention.cuh", "comparison", "if (j >= n_groups) -> > #1", MASKED),
    ("attention.cuh", "condition", "j >= n_groups -> false #1", MASKED),
    ("attention.cuh", "comparison", "d < HEAD_DIM / 8; d++) -> <=",
     "a step more has a condition of its own, which is false there"),
    ("full_attention.cu", "", "n_tiles = (n + KEYS - 1) / KEYS; -> +",
     EXTRA_TILE),
    ("full_attention.cu", "", "n_tiles = (n + KEYS - 1) / KEYS; -> 0",
     EXTRA_TILE),
    ("rms_norm.cu", "swap", "v.", ORDER),
    ("window_attention.cu", "literal", "return {0, 0, slot}; -> 1 #1",
     "the first row of no window: no row is read from it"),
    ("window_attention.cu", "swap", "0, slot -> slot, 0",
     "an empty slot of some rows, all of which lie before its own"),
    ("window_attention.cu", "comparison", "i < SLOT_ROWS * UNITS; i += 32",
     "a step more has a condition of its own, which is false there"),
    ("window_attention.cu", "condition", "slot.n == 0 -> false",
     "a warp without a window multiplies for nothing and stores nothing"),
    ("resample.cu", "", "(uintptr_t)from / 4 * 4 - (uintptr_t)begin", STRICTER),
    ("resample.cu", "comparison", "level < 0 ? 0 : level > 255", AT_EDGE),
    ("resample.cu", "literal", "level > 255 ? 255 : level); -> 254 #1",
     AT_EDGE),
    ("resample.cu", "literal", "level < 0 ? 0 : level > 255 ? 255 : level); "
     "-> 1 #1", AT_EDGE),
    ("resample.cu", "comparison", "return left < 0 ? 0 : left < PIXELS",
     AT_EDGE),
    ("resample.cu", "literal", "left < PIXELS ? (int)left : PIXELS; -> 1 #1",
     AT_EDGE),
    ("resample.cu", "comparison", "p < PIXELS; p++) -> <=",
     "a step more has a condition of its own, which is false there"),
    ("resample.cu", "literal", "if (at + 4 * i < end) -> 5",
     "multiples of 4 on both sides, and i is below 4"),
    ("resample.cu", "", "waiting_width(job) + TILE_PIXELS - 1)",
     "a tile beyond the width has no pixels and stores none"),
    ("tile_order.cuh", "comparison", "height = tall - first < SWATH",
     "where both sides are equal either is chosen"),
    ("attention.cuh", "comparison", "j < KEY_GROUPS; j += 2) { -> <=",
     "the next line leaves the loop there: no more groups than KEY_GROUPS"),
    ("attention.cuh", "literal", "shuffle_xor(sum, uint32_t{2}); -> 3", PAIRS),
    ("attention.cuh", "literal", "shuffle_xor(most[half], uint32_t{2})); -> 3",
     PAIRS),
    ("epilogue.cuh", "literal", "(bias + column + 8) : 0; -> 1",
     "the bias of columns that are not there, which are never stored"),
    ("rms_norm.cu", "literal", "16 in for (uint32_t distance = 16",
     "17, 8, 4, 2, 1 bring every lane in once too: another order, same error"),
    ("store_rows.cu", "operator", "column += THREADS * VALUES",
     "shorter strides store the same values more than once"),
    ("resample.cu", "condition", "holds_words(from, 1) -> false", STRICTER),
    ("resample.cu", "condition", "holds_words(from, count / PIXELS) -> false",
     STRICTER),
    ("resample.cu", "", "return at >= 0 && at + fours * BYTES + 4 <= bytes; "
     "-> <", STRICTER),
    ("resample.cu", "literal", "0 in return at >= 0", STRICTER),
    ("resample.cu", "", "return at >= 0 && at + fours * BYTES + 4 <= bytes; "
     "-> >", STRICTER),
    ("resample.cu", "literal", "BYTES + 4 <= bytes; -> 5", STRICTER),
    ("resample.cu", "", "job.across.source, 0}; -> ", STRICTER),
    ("resample.cu", "", "3 * (int64_t)job.across.source, -> +", STRICTER),
    ("resample.cu", "comparison", "i < BYTES; i++) -> <= #1",
     "a step more has a condition of its own, which is false there"),
]


OPEN = []


def found(table, result):
    for file, kind, part, words in table:
        if result["file"] == file and kind in ("", result["kind"]) and \
                part in result["name"]:
            return words
    return ""


def reason(result):
    return found(REASONS, result)


def known(result):
    return found(OPEN, result) or "not looked into"
