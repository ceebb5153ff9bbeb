#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""like.py OURS VALUES: embeddings within 1e-5 of the reference's, relative L2"""
import json
import struct
import sys

data = open(sys.argv[1], "rb").read()
n, = struct.unpack_from("<Q", data)
begin, end = json.loads(data[8:8 + n])["embeddings"]["data_offsets"]
ours = data[8 + n + begin:8 + n + end]
theirs = open(sys.argv[2], "rb").read()
assert len(ours) == len(theirs), (len(ours), len(theirs))
a, b = (struct.unpack("<%df" % (len(x) // 4), x) for x in (ours, theirs))
error = sum((x - y) ** 2 for x, y in zip(a, b)) / sum(y * y for y in b)
assert error ** 0.5 < 1e-5, error ** 0.5
