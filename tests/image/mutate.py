# SPDX-License-Identifier: Apache-2.0
"""Damage for the files of a corpus; by the seed alone."""


def mutate(rng, data):
    """Change a few bytes of data, cut some out or put some in."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) or 1)
        data = data or bytearray(1)
        what = rng.randrange(8)
        if what == 0:
            del data[at:at + rng.randrange(1, 9)]
        elif what == 1:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif what == 2:
            data[at] ^= 1 << rng.randrange(8)
        else:
            data[at] = rng.randrange(256)
    return bytes(data)
