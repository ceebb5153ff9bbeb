# SPDX-License-Identifier: Apache-2.0
"""Why a mutant that no test kills changes nothing (REASONS), or what is known of
one that changes something (OPEN): (file, kind, part of its name, words)."""
STRICTER = "the slow way, byte by byte, loads the same where the fast one may not"
REASONS = [
    ("gemm.cuh", "condition", "s < n_stages -> true",
     "a stage beyond the depth is filled with zeros and never multiplied"),
    ("gemm.cuh", "comparison", "height = tall - first < SWATH",
     "where both sides are equal either is chosen"),
    ("attention.cuh", "comparison", "j < KEY_GROUPS; j += 2) { -> <= #1",
     "the next line leaves the loop there: no more groups than KEY_GROUPS"),
    ("attention.cuh", "literal", "shuffle_xor(sum, uint32_t{2}); -> 3",
     "lanes 1 apart hold the same sum by then: 2 or 3 away is the same value"),
    ("rms_norm.cu", "literal", "16 in for (uint32_t distance = 16",
     "17, 8, 4, 2, 1 bring every lane in once too: another order, same error"),
    ("patch_embed.cu", "literal", "0 in uint4 values = {0, 0, 0, 0}; -> 1",
     "a finite value, where rows are not stored and weights are zeros"),
    ("store_rows.cu", "operator", "column += THREADS * VALUES",
     "shorter strides store the same values more than once"),
    ("resample.cu", "condition", "holds_words(from, 1) -> false", STRICTER),
    ("resample.cu", "condition", "holds_words(from, count / PIXELS) -> false",
     STRICTER),
    ("resample.cu", "", "return at >= 0 && at + fours * BYTES + 4 <= bytes; "
     "-> <", STRICTER),
    ("resample.cu", "literal", "0 in return at >= 0", STRICTER),
    ("resample.cu", "", "job.across.source, 0}; -> 2", STRICTER),
    ("resample.cu", "", "3 * (int64_t)job.across.source, -> +", STRICTER),
    ("resample.cu", "comparison", "i < BYTES; i++) -> <=",
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
