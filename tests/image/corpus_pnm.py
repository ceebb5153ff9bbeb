# SPDX-License-Identifier: Apache-2.0
"""PBM, PGM and PPM files for make_corpus.py."""
import struct


def files(rng):
    for name, data in all_files(rng):
        yield ("PNM, " + name, data, None)


def all_files(rng):
    for width, height in ((1, 1), (7, 5), (16, 3)):
        size = b"%d %d" % (width, height)
        yield ("P4 %s" % size.decode(), b"P4 " + size + b"\n" +
               rng.randbytes((width + 7) // 8 * height))
        digits = [b"01"[i:i + 1] for i in (rng.randrange(2) for _ in range(
            width * height))]
        yield ("P1 %s" % size.decode(), b"P1\n" + size + b"\n" +
               b"".join(digits))
        yield ("P1 spaced %s" % size.decode(), b"P1\n" + size + b"\n" +
               b" \n".join(digits) + b"\n")
        for kind, bands in ((5, 1), (6, 3)):
            n = width * height * bands
            for top in (1, 2, 15, 100, 254, 255, 256, 257, 1000, 40000, 65534,
                        65535):
                code = "B" if top < 256 else ">H"
                values = [rng.randrange(min(top + 20, 256 if top < 256
                                            else 65536)) for _ in range(n)]
                head = b"P%d\n%s\n%d\n" % (kind, size, top)
                data = b"".join(struct.pack(code, v) for v in values)
                yield ("P%d of %d, %s" % (kind, top, size.decode()),
                       head + data)
                yield ("P%d of %d, %s, truncated" % (kind, top, size.decode()),
                       head + data[:-1])
                yield ("P%d of %d, %s, surplus" % (kind, top, size.decode()),
                       head + data + b"abc")
                values = [rng.randrange(top + 1) for _ in range(n)]
                text = b" ".join(b"%d" % v for v in values)
                head = b"P%d\n%s\n%d\n" % (kind - 3, size, top)
                yield ("P%d of %d, %s" % (kind - 3, top, size.decode()),
                       head + text)
                yield ("P%d of %d, %s, surplus" % (kind - 3, top,
                                                   size.decode()),
                       head + text + b" 1 2 3\n")
    grey = bytes(range(6))
    for name, data in (
            ("comments", b"P5#1\n2 3 255\n" + grey),
            ("comment after the kind", b"P5 # 1\n2 3 255\n" + grey),
            ("comment in a number", b"P5 2#x\n 3 25#y\r5\n" + grey),
            ("comment to the end", b"P5 2 3 255#abc"),
            ("every space", b"P5\t\x0b2\x0c3\r\n255\r" + grey),
            ("no space", b"P52 3 255 " + grey),
            ("sign", b"P5 +2 3 255 " + grey),
            ("minus", b"P5 -2 3 255 " + grey),
            ("underscores", b"P5 2 3 2_5_5 " + grey),
            ("two underscores", b"P5 2 3 2__55 " + grey),
            ("underscore first", b"P5 2 3 _255 " + grey),
            ("underscore last", b"P5 2 3 255_ " + grey),
            ("leading zeros", b"P5 0000000002 3 255 " + grey),
            ("11 characters", b"P5 00000000002 3 255 " + grey),
            ("width 0", b"P5 0 3 255 " + grey),
            ("height 0", b"P5 2 0 255 " + grey),
            ("top 0", b"P5 2 3 0 " + grey),
            ("top 65536", b"P5 2 3 65536 " + grey + grey),
            ("top below 0", b"P5 2 3 -1 " + grey),
            ("letters", b"P5 2 x 255 " + grey),
            ("hexadecimal", b"P5 0x2 3 255 " + grey),
            ("too many pixels", b"P5 178956971 1 255 " + grey),
            ("far too many", b"P5 9999999999 9999999999 255 " + grey),
            ("end in the header", b"P5 2 3"), ("end at once", b"P5"),
            ("end after the header", b"P5 2 3 255"),
            ("two bytes", b"P6"), ("P7", b"P7 2 3 255 " + grey),
            ("P8", b"P8 2 3 255 " + grey),
            ("plain: minus", b"P2 2 3 255 1 2 3 -4 5 6"),
            ("plain: minus zero", b"P2 2 3 255 1 2 3 -0 5 6"),
            ("plain: plus", b"P2 2 3 255 1 2 3 +4 5 6"),
            ("plain: underscore", b"P2 2 3 255 1 2 3 1_4 5 6"),
            ("plain: too large", b"P2 2 3 25 1 2 3 26 5 6"),
            ("plain: letters", b"P2 2 3 255 1 2 3 x 5 6"),
            ("plain: few", b"P2 2 3 255 1 2 3 4 5"),
            ("plain: comments", b"P2 2 3 255 1 2#3\n3 #\n4 5#\r 6"),
            ("plain: comment at the end", b"P2 2 3 255 1 2 3 4 5 6#abc"),
            ("plain: comment in a number", b"P2 2 3 255 1 2 3 4 5 6#a\n7"),
            ("plain: comment for the last", b"P2 2 3 255 1 2 3 4 5 #6"),
            ("plain: letters after", b"P2 2 3 255 1 2 3 4 5 6 abc "),
            ("plain: long word after",
             b"P2 2 3 255 1 2 3 4 5 6 abcdefghijklmnop "),
            ("plain: long word at the end",
             b"P2 2 3 255 1 2 3 4 5 6 abcdefghijklmnop"),
            ("plain: 10 letters at the end",
             b"P2 2 3 255 1 2 3 4 5 6 abcdefghij"),
            ("plain: long number", b"P2 2 3 255 1 2 3 00000000004 5 6"),
            ("plain: 10 digits", b"P2 2 3 255 1 2 3 0000000004 5 6"),
            ("plain: control character", b"P2 2 3 255 1 2 3 4\x1c5 6 7"),
            ("plain: no pixels", b"P2 2 3 255"),
            ("bits: letters", b"P1 2 3 1010x1"),
            ("bits: letters after", b"P1 2 3 101011x"),
            ("bits: surplus", b"P1 2 3 10101111111"),
            ("bits: few", b"P1 2 3 10101"),
            ("bits: comments", b"P1 2 3 10#1\n1011#\n"),
            ("bits: truncated", b"P4 9 2 abc")):
        yield (name, data)


def rare_files(rng):
    """What no file above has: comments longer than what is read at once."""
    note = b"#" + b"x" * (1100 << 10) + b"\n"
    yield ("rare: a comment of 1.1 MiB",
           b"P2 2 3 255 1 2 3 " + note + b"4 5 6")
    yield ("rare: a comment of 1.1 MiB without an end",
           b"P2 2 3 255 1 2 3 4 5 6 " + note[:-1])


def rare(rng):
    for name, data in rare_files(rng):
        yield ("PNM, " + name, data, None)
