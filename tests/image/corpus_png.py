# SPDX-License-Identifier: Apache-2.0
"""PNG files for make_corpus.py, written byte by byte."""
import struct
import zlib

MODES = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3),
         (2, 3), (4, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)]
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
         (1, 0, 2, 2), (0, 1, 1, 2)]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, crc=None):
    if crc is None:
        crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def ihdr(width, height, depth, colour, compression=0, method=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour,
                                      compression, method, interlace))


def rows(rng, width, height, depth, colour, interlace=0, filters=range(5)):
    """Random rows, ready to compress: any bytes are valid filtered ones."""
    bits = depth * SAMPLES[colour]
    out = b""
    for x, y, dx, dy in ADAM7 if interlace else [(0, 0, 1, 1)]:
        columns = (width - x + dx - 1) // dx if width > x else 0
        lines = (height - y + dy - 1) // dy if height > y else 0
        for _ in range(lines if columns else 0):
            out += bytes([rng.choice(filters)])
            out += rng.randbytes((columns * bits + 7) // 8)
    return out


def png(width, height, depth, colour, raw, before=b"", after=b"", interlace=0,
        idat=None, end=chunk(b"IEND", b"")):
    """'idat': the compressed stream in chunks, else one of all of 'raw'."""
    if idat is None:
        idat = chunk(b"IDAT", zlib.compress(raw))
    return (SIGNATURE + ihdr(width, height, depth, colour, 0, 0, interlace) +
            before + idat + after + end)


def palette(rng, n=256):
    return chunk(b"PLTE", rng.randbytes(3 * n))


def tiff(value, order=">", kind=3, count=1, data=None, tag=274, extra=b"",
         n_extra=0):
    """A TIFF directory with one entry more than 'extra' has."""
    head = b"MM\0*" if order == ">" else b"II*\0"
    n = 1 + n_extra
    outside = b""
    if data is None:
        data = struct.pack(order + {3: "HH", 4: "I"}[kind],
                           *((value, 0) if kind == 3 else (value,)))
    if len(data) > 4:
        outside = data
        data = struct.pack(order + "I", 8 + 2 + 12 * n + 4)
    return (head + struct.pack(order + "IH", 8, n) + extra +
            struct.pack(order + "HHI", tag, kind, count) +
            data.ljust(4, b"\0") + struct.pack(order + "I", 0) + outside)


def xmp(value, element=False):
    inner = ("<tiff:Orientation>%d</tiff:Orientation>" if element
             else ' tiff:Orientation="%d"') % value
    return ("<x:xmpmeta><rdf:RDF" + inner + "/></x:xmpmeta>").encode()


def itxt(text, keyword=b"XML:com.adobe.xmp", compressed=0, method=0,
         language=b"", translated=b""):
    if compressed:
        text = zlib.compress(text)
    return chunk(b"iTXt", keyword + bytes([0, compressed, method]) + language +
                 b"\0" + translated + b"\0" + text)


def raw_profile(exif):
    text = exif.hex()
    lines = [text[i:i + 71] for i in range(0, len(text), 71)]
    return ("\nexif\n%8d\n" % len(exif) + "\n".join(lines) + "\n").encode()


def modes(rng):
    for depth, colour in MODES:
        for interlace in (0, 1):
            for width, height in ((1, 1), (3, 2), (7, 9), (33, 10), (5, 40)):
                raw = rows(rng, width, height, depth, colour, interlace)
                before = palette(rng) if colour == 3 else b""
                yield ("%d bits, colour %d, interlace %d, %dx%d" %
                       (depth, colour, interlace, width, height),
                       png(width, height, depth, colour, raw, before,
                           interlace=interlace))


def wide(rng):
    """Rows longer than a portion of compressed data, or than many turned."""
    line = rng.randbytes(60)
    for width, height, depth, colour, interlace in (
            (30000, 3, 8, 2, 0), (20001, 9, 8, 0, 1), (3, 20000, 8, 6, 0),
            (40000, 2, 16, 6, 0), (65537, 1, 1, 0, 0)):
        n = (width * depth * SAMPLES[colour] + 7) // 8
        raw = b"".join(bytes([y % 5]) + (line * (n // 60 + 1))[:n]
                       for y in range(height))
        if interlace:
            raw = rows(rng, width, height, depth, colour, 1)
            raw = bytes(len(raw))
        for value in (1, 6):
            yield ("wide: %dx%d of %d bits, colour %d, interlace %d, turned %d"
                   % (width, height, depth, colour, interlace, value),
                   png(width, height, depth, colour, raw,
                       chunk(b"eXIf", tiff(value)), interlace=interlace))


def keys(rng):
    for depth, colour in MODES:
        if colour not in (0, 2):
            continue
        # Filter 0, and few values, so that keys meet pixels.
        for key in (0, 1, 0x55, 0x80, 0xff, 0x0155, 0x0180, 0xff00, 0xffff):
            n = SAMPLES[colour]
            line = 1 + (11 * depth * n + 7) // 8
            raw = b"".join(b"\0" + bytes(rng.choices(
                (0, 1, 0x55, 0x80, 0xff), k=line - 1)) for _ in range(12))
            if n == 3 and rng.random() < 0.9:
                # Grey pixels, so that all three samples can match.
                sample = depth // 8
                raw = b"".join(
                    b"\0" + b"".join(3 * bytes(rng.choices(
                        (0, 1, 0x55, 0x80, 0xff), k=sample))
                        for _ in range(11)) for _ in range(12))
            trns = chunk(b"tRNS", struct.pack(">H", key) * n)
            for interlace in (0, 1):
                yield ("key %04x of %d bits, colour %d, interlace %d" %
                       (key, depth, colour, interlace),
                       png(11, 12, depth, colour, raw, trns) if not interlace
                       else png(11, 12, depth, colour,
                                rows(rng, 11, 12, depth, colour, 1, [0]), trns,
                                interlace=1))
        yield ("key after the pixels, %d bits, colour %d" % (depth, colour),
               png(11, 12, depth, colour, raw, after=trns))
        yield ("short key, %d bits, colour %d" % (depth, colour),
               png(11, 12, depth, colour, raw, chunk(b"tRNS", b"\0")))


def palettes(rng):
    raw = b"".join(b"\0" + rng.randbytes(9) for _ in range(7))

    def p(name, before, depth=8, **more):
        data = raw
        if depth < 8:
            data = rows(rng, 9, 7, depth, 3, 0)
        return ("palette: " + name, png(9, 7, depth, 3, data, before, **more))
    full = palette(rng)
    yield p("none", b"")
    yield p("3 colours", palette(rng, 3), 2)
    yield p("3 colours, all indexes", palette(rng, 3))
    yield p("257 colours", palette(rng, 257))
    yield p("770 bytes", chunk(b"PLTE", rng.randbytes(770)))
    yield p("771 bytes", chunk(b"PLTE", rng.randbytes(771)))
    yield p("7 bytes", chunk(b"PLTE", rng.randbytes(7)))
    yield p("empty", chunk(b"PLTE", b""))
    yield p("twice", palette(rng) + full)
    yield p("after the pixels", b"", after=full)
    for name, alphas in (
            ("one entry", b"\xff\xff\0\xff"), ("first entry", b"\0"),
            ("one entry and a line feed", b"\xff\0\xff\n"),
            ("two entries", b"\xff\0\0"), ("partial", b"\x80"),
            ("all opaque", b"\xff\xff"), ("none", b""),
            ("all", rng.randbytes(256)), ("257", rng.randbytes(257)),
            ("300 with one clear", b"\xff" * 290 + b"\0" + b"\xff" * 9),
            ("300 with an early one clear", b"\0" + b"\xff" * 299)):
        yield p("alphas: " + name, full + chunk(b"tRNS", alphas))
        yield p("alphas, no palette: " + name, chunk(b"tRNS", alphas))
        yield p("alphas of 4 bits: " + name,
                palette(rng, 16) + chunk(b"tRNS", alphas), 4)
        yield p("alphas after: " + name, full, after=chunk(b"tRNS", alphas))


def orientations(rng):
    def f(name, before=b"", after=b"", depth=8, colour=2, interlace=0):
        raw = rows(rng, 37, 35, depth, colour, interlace)
        return ("orientation: " + name,
                png(37, 35, depth, colour, raw, before, after, interlace))
    for value in range(10):
        exif = tiff(value)
        yield f("%d" % value, chunk(b"eXIf", exif))
        yield f("%d, little-endian" % value, chunk(b"eXIf", tiff(value, "<")))
        yield f("%d, after the pixels" % value, after=chunk(b"eXIf", exif))
        yield f("%d, interlaced" % value, chunk(b"eXIf", exif), interlace=1,
                depth=1, colour=0)
        yield f("%d, raw profile" % value, chunk(
            b"tEXt", b"Raw profile type exif\0" +
            raw_profile(b"Exif\0\0" + exif)), colour=6)
        yield f("%d, raw profile in zTXt" % value, chunk(
            b"zTXt", b"Raw profile type exif\0\0" +
            zlib.compress(raw_profile(exif))), depth=16, colour=4)
        yield f("%d, XMP" % value, itxt(xmp(value)), depth=16, colour=0)
        yield f("%d, XMP element, compressed, after" % value,
                after=itxt(xmp(value, True), compressed=1))
    yield f("Exif before it", chunk(b"eXIf", b"Exif\0\0" + tiff(6)))
    for head in (b"MM*\0", b"MM\0+", b"II\0*"):
        order = ">" if head[0] == 77 else "<"
        yield f("head %r" % head, chunk(b"eXIf", head + tiff(6, order)[4:]))
    rational = struct.pack(">II", 12, 2)
    for name, kind, count, data in (
            ("LONG", 4, 1, struct.pack(">I", 6)),
            ("BYTE", 1, 1, b"\6"), ("ASCII", 2, 2, b"6\0"),
            ("UNDEFINED", 7, 1, b"\6"), ("SBYTE", 6, 1, b"\6"),
            ("SSHORT", 8, 1, struct.pack(">h", 6)),
            ("SLONG", 9, 1, struct.pack(">i", 6)),
            ("SLONG below 0", 9, 1, struct.pack(">i", -6)),
            ("RATIONAL", 5, 1, rational),
            ("RATIONAL over 0", 5, 1, struct.pack(">II", 6, 0)),
            ("RATIONAL not whole", 5, 1, struct.pack(">II", 13, 2)),
            ("SRATIONAL", 10, 1, struct.pack(">ii", -12, -2)),
            ("FLOAT", 11, 1, struct.pack(">f", 6)),
            ("FLOAT not whole", 11, 1, struct.pack(">f", 6.5)),
            ("DOUBLE", 12, 1, struct.pack(">d", 6)),
            ("IFD", 13, 1, struct.pack(">I", 6)),
            ("LONG8", 16, 1, struct.pack(">Q", 6)),
            ("type 14", 14, 1, struct.pack(">I", 6)),
            ("no value", 3, 0, b""), ("two values", 3, 2, b"\0\6\0\3"),
            ("three values", 3, 3, b"\0\6\0\3\0\1")):
        exif = tiff(0, kind=kind, count=count, data=data)
        yield f("type " + name, chunk(b"eXIf", exif) + itxt(xmp(3)))
    outside = struct.pack(">HHII", 270, 2, 20, 200)  # ends the directory
    too_long = struct.pack(">HHII", 270, 2, 2000, 8)  # is skipped
    for name, extra in (("outside", outside), ("too long", too_long)):
        yield f("after an entry " + name, chunk(
            b"eXIf", tiff(6, extra=extra, n_extra=1).ljust(
                230 if name == "too long" else 0, b"\0")))
    yield f("cut directory", chunk(b"eXIf", tiff(6)[:16]))
    yield f("first of two tags", chunk(b"eXIf", tiff(
        6, extra=struct.pack(">HHIHH", 274, 3, 1, 8, 0), n_extra=1)))
    yield f("another tag, and XMP", chunk(b"eXIf", tiff(6, tag=275)) +
            itxt(xmp(6)))
    yield f("1 beside XMP", chunk(b"eXIf", tiff(1)) + itxt(xmp(6)))
    yield f("empty EXIF, and XMP", chunk(b"eXIf", b"") + itxt(xmp(6)))
    yield f("EXIF beside a raw profile", chunk(b"eXIf", tiff(6)) + chunk(
        b"tEXt", b"Raw profile type exif\0" + raw_profile(tiff(3))))
    yield f("EXIF as text", chunk(b"tEXt", b"exif\0" + tiff(6)))
    yield f("XMP that is not UTF-8", itxt(xmp(6) + b"\xff"))
    yield f("XMP with a broken stream", itxt(xmp(6))[:-12] + b"")
    yield f("XMP of method 1", itxt(xmp(6), compressed=1, method=1))
    yield f("XMP as tEXt", chunk(b"tEXt", b"XML:com.adobe.xmp\0" + xmp(6)))
    yield f("XMP with two digits", itxt(b'tiff:Orientation="66"'))
    yield f("XMP, second one counts", itxt(
        b'tiff:Orientation="x" tiff:Orientation>8'))


def broken_exif(rng):
    raw = rows(rng, 5, 4, 8, 2)
    for name, exif in (("garbage", b"garbage garbage"), ("short", b"MM\0*"),
                       ("BigTIFF", b"II+\0" + bytes(20))):
        yield ("broken EXIF: " + name,
               png(5, 4, 8, 2, raw, chunk(b"eXIf", exif)))
    yield ("broken EXIF: raw profile that is no hexadecimal", png(
        5, 4, 8, 2, raw, chunk(b"tEXt", b"Raw profile type exif\0\n\n\n4d4")))


def damage(rng):
    raw = rows(rng, 23, 19, 8, 2)
    packed = zlib.compress(raw)
    text = chunk(b"tEXt", b"Comment\0some text")
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))

    def split(data, *cuts):
        cuts = (0,) + cuts + (len(data),)
        return b"".join(chunk(b"IDAT", data[a:b])
                        for a, b in zip(cuts, cuts[1:]))

    def f(name, before=b"", after=b"", idat=chunk(b"IDAT", packed), **more):
        return (name, png(23, 19, 8, 2, raw, before, after, idat=idat, **more))
    good = f("", gamma + text, text, split(packed, 0, 100, 100, 500))[1]
    for cut in list(range(0, 120, 9)) + list(range(120, len(good), 61)) + list(
            range(len(good) - 60, len(good), 3)):
        yield ("cut at %d" % cut, good[:cut])
    for kind in (b"gAMA", b"tEXt", b"abcd", b"ABCD", b"pHYs", b"zTXt"):
        bad = chunk(kind, bytes(20), 12345)
        yield f("wrong CRC of %s before" % kind.decode(), bad)
        yield f("wrong CRC of %s after" % kind.decode(), b"", bad)
        yield f("unknown or odd %s" % kind.decode(), chunk(kind, bytes(20)),
                chunk(kind, bytes(20)))
        whole = chunk(kind, bytes(20))
        yield f("%s cut after the pixels" % kind.decode(), b"", whole[:15],
                end=b"")
        yield f("%s without CRC after the pixels" % kind.decode(), b"",
                whole[:-4], end=b"")
    yield f("wrong CRC of IDAT", idat=chunk(b"IDAT", packed, 1))
    yield f("no end", end=b"")
    yield f("end with data", end=chunk(b"IEND", b"abc"))
    yield f("bytes after the end", end=chunk(b"IEND", b"") + b"garbage")
    yield f("not a chunk after the pixels", b"", b"\0\0\0\0\1\2\3\4")
    yield f("not a chunk before the pixels", b"\0\0\0\0\1\2\3\4\0\0\0\0")
    yield f("an underscore in a name", chunk(b"a_1Z", b""))
    yield f("end before the pixels", chunk(b"IEND", b""))
    yield f("no pixels", idat=b"")
    yield f("second set of pixels", b"", text + chunk(b"IDAT", packed))
    yield f("cut second set of pixels", b"",
            text + chunk(b"IDAT", packed)[:60], end=b"")
    yield f("empty chunks", idat=split(packed, 0, 0, 7, 7))
    yield f("a byte a chunk", idat=split(packed, *range(1, len(packed))))
    yield f("text between pixels", idat=chunk(b"IDAT", packed[:500]) + text +
            chunk(b"IDAT", packed[500:]))
    yield f("DDAT", idat=chunk(b"IDAT", packed[:500]) +
            chunk(b"DDAT", packed[500:]))
    yield f("DDAT only", idat=chunk(b"DDAT", packed))
    yield f("huge chunk before", struct.pack(">I", 0xffffffff) + b"abcd")
    yield f("huge chunk after", b"", struct.pack(">I", 0xffffffff) + b"abcd")
    yield f("huge IDAT", idat=struct.pack(">I", 0xffffffff) + b"IDAT" + packed)
    # The stream itself.
    line = 1 + 23 * 3
    for name, stream in (
            ("surplus rows", zlib.compress(raw + rows(rng, 23, 4, 8, 2))),
            ("few rows", zlib.compress(raw[:10 * line])),
            ("few and a half rows", zlib.compress(raw[:10 * line + 30])),
            ("no rows", zlib.compress(b"")),
            ("wrong Adler", packed[:-1] + bytes([packed[-1] ^ 1])),
            ("no Adler", packed[:-4]), ("half an Adler", packed[:-2]),
            ("after the stream", packed + b"garbage"),
            ("no header", packed[2:]),
            ("a dictionary", b"\x78\xbb\0\0\0\1" + packed[2:]),
            ("bad filter", zlib.compress(raw[:9 * line] + b"\5" +
                                         raw[9 * line + 1:])),
            ("bad first filter", zlib.compress(b"\xff" + raw[1:])),
            ("stored", zlib.compress(raw, 0)),
            ("damaged in the middle", packed[:300] + bytes(8) + packed[308:]),
            ("small window", zlib.compressobj(9, 8, 9).compress(raw))):
        yield f("stream: " + name, idat=chunk(b"IDAT", stream))
        for back in (1, 3, 4, 5, 6, 12):
            yield f("stream: %s, split %d before its end" % (name, back),
                    idat=split(stream, max(len(stream) - back, 0)))
    # Headers.
    body = chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    for name, head in (
            ("filter method 1", ihdr(23, 19, 8, 2, 0, 1)),
            ("interlace 7", ihdr(23, 19, 8, 2, 0, 0, 7)),
            ("no width", ihdr(0, 19, 8, 2)), ("no height", ihdr(23, 0, 8, 2)),
            ("depth 3", ihdr(23, 19, 3, 2)), ("colour 1", ihdr(23, 19, 8, 1)),
            ("depth 16 of a palette", ihdr(23, 19, 16, 3)),
            ("12 bytes", chunk(b"IHDR", bytes(12))),
            ("14 bytes", chunk(b"IHDR", struct.pack(
                ">IIBBBBBB", 23, 19, 8, 2, 0, 0, 0, 9))),
            ("none", b""), ("twice", ihdr(1, 1, 8, 2) + ihdr(23, 19, 8, 2)),
            ("second of no mode", ihdr(1, 1, 8, 2) + ihdr(23, 19, 7, 7)),
            ("after pixels", chunk(b"IDAT", packed) + ihdr(23, 19, 8, 2)),
            ("after text", text + ihdr(23, 19, 8, 2)),
            ("too many pixels", ihdr(178956971, 1, 8, 0)),
            ("most pixels", ihdr(1, 178956970, 8, 0)),
            ("a long line", ihdr(33554425, 1, 16, 6)),
            ("2^32 - 1 squared", ihdr(0xffffffff, 0xffffffff, 8, 2))):
        yield ("header: " + name, SIGNATURE + head + body)
    yield ("signature only", SIGNATURE)
    yield ("signature with line ends", SIGNATURE.replace(b"\r\n", b"\n") + body)


def short_chunks(rng):
    raw = rows(rng, 5, 4, 8, 2)
    for kind, least in ((b"gAMA", 4), (b"cHRM", 32), (b"sRGB", 1),
                        (b"pHYs", 9), (b"acTL", 8), (b"fcTL", 26),
                        (b"fdAT", 4), (b"tRNS", 6), (b"iCCP", 3),
                        (b"sBIT", 1), (b"tIME", 7), (b"bKGD", 6)):
        for n in (0, least - 1, least, least + 1):
            c = chunk(kind, bytes(n))
            yield ("%s of %d bytes before" % (kind.decode(), n),
                   png(5, 4, 8, 2, raw, c))
            yield ("%s of %d bytes after" % (kind.decode(), n),
                   png(5, 4, 8, 2, raw, b"", c))


def texts(rng):
    raw = rows(rng, 5, 4, 8, 2)
    mega = 1024 * 1024

    def z(n):
        return zlib.compress(bytes(n), 9)
    parts = [("zTXt of %d" % n, chunk(b"zTXt", b"k\0\0" + z(n)))
             for n in (mega - 1, mega, mega + 1)]
    parts += [("iTXt of %d" % n, chunk(b"iTXt", b"k\0\1\0\0\0" + z(n)))
              for n in (mega, mega + 1)]
    parts += [("iCCP of %d" % n, chunk(b"iCCP", b"k\0\0" + z(n)))
              for n in (mega, mega + 1)]
    parts += [
        ("zTXt of method 1", chunk(b"zTXt", b"k\0\1" + z(5))),
        ("zTXt without body", chunk(b"zTXt", b"k\0")),
        ("zTXt without zero", chunk(b"zTXt", b"keyword")),
        ("zTXt broken", chunk(b"zTXt", b"k\0\0garbage")),
        ("zTXt cut", chunk(b"zTXt", b"k\0\0" + z(500)[:-3])),
        ("iCCP of method 1", chunk(b"iCCP", b"k\0\1" + z(5))),
        ("iCCP broken", chunk(b"iCCP", b"k\0\0garbage")),
        ("iCCP without zero", chunk(b"iCCP", b"keyword")),
        ("iCCP ends in its name", chunk(b"iCCP", b"k\0")),
        ("iTXt of little", chunk(b"iTXt", b"k\0\0")),
        ("iTXt without language", chunk(b"iTXt", b"k\0\0\0abc")),
        ("iTXt broken", chunk(b"iTXt", b"k\0\1\0\0\0garbage")),
        ("tEXt empty", chunk(b"tEXt", b"")),
        ("65 MiB of texts", chunk(b"zTXt", b"k\0\0" + z(mega)) * 65),
        ("64 MiB of texts", chunk(b"zTXt", b"k\0\0" + z(mega)) * 64)]
    for name, c in parts:
        yield (name + " before", png(5, 4, 8, 2, raw, c))
        if "MiB" not in name:
            yield (name + " after", png(5, 4, 8, 2, raw, b"", c))


def animations(rng):
    def fctl(number, width, height, left=0, top=0):
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height,
                                          left, top, 1, 10, 0, 0))

    def fdat(number, width, height):
        return chunk(b"fdAT", struct.pack(">I", number) + zlib.compress(
            rows(rng, width, height, 8, 2)))

    def actl(n):
        return chunk(b"acTL", struct.pack(">II", n, 0))

    def f(name, before, after=b"", width=9, height=8, interlace=0, **more):
        return ("animation: " + name, png(
            9, 8, 8, 2, rows(rng, width, height, 8, 2, interlace), before,
            after, interlace, **more))
    exif = chunk(b"eXIf", tiff(6))
    yield f("two frames", actl(2) + fctl(0, 9, 8), fctl(1, 9, 8) +
            fdat(2, 9, 8))
    yield f("a default picture", actl(2), fctl(0, 9, 8) + fdat(1, 9, 8) +
            fctl(2, 9, 8) + fdat(3, 9, 8))
    yield f("a part", actl(2) + fctl(0, 4, 3, 2, 1), width=4, height=3)
    yield f("a part without acTL", fctl(0, 4, 3, 2, 1), width=4, height=3)
    yield f("an interlaced part", fctl(0, 4, 3, 2, 1), width=4, height=3,
            interlace=1)
    yield f("a part, turned", fctl(0, 4, 3, 2, 1) + exif, width=4, height=3)
    yield f("a part with a key", fctl(0, 4, 3, 2, 1) +
            chunk(b"tRNS", bytes(6)), width=4, height=3)
    yield f("an empty part", fctl(0, 0, 3, 2, 1), width=4, height=3)
    yield f("a part outside", fctl(0, 4, 3, 6, 1), width=4, height=3)
    yield f("a part of 2^32", fctl(0, 0xffffffff, 3, 6, 1), width=4, height=3)
    yield f("numbers from 1", actl(2) + fctl(1, 9, 8))
    yield f("a number missing, unread", actl(2) + fctl(0, 9, 8),
            fctl(2, 9, 8) + fdat(3, 9, 8))
    yield f("a number missing, one frame", actl(1) + fctl(0, 9, 8),
            fctl(2, 9, 8) + fdat(3, 9, 8))
    yield f("one frame and more", actl(1) + fctl(0, 9, 8),
            fctl(1, 9, 8) + fdat(2, 9, 8) + exif)
    yield f("two frames, EXIF after", actl(2) + fctl(0, 9, 8),
            fctl(1, 9, 8) + fdat(2, 9, 8) + exif)
    yield f("no frames", actl(0) + fctl(0, 9, 8), fctl(1, 9, 8) + exif)
    yield f("acTL twice", actl(2) + actl(2) + fctl(0, 9, 8), fctl(1, 9, 8) +
            exif)
    yield f("fdAT without fcTL", b"", fdat(0, 9, 8))
    yield f("fdAT at once", actl(2) + fctl(0, 9, 8), fdat(1, 9, 8))
    yield f("fdAT first", actl(2) + fctl(0, 9, 8) + fdat(1, 9, 8))
    yield f("fdAT in place of IDAT", fctl(0, 9, 8), idat=fdat(1, 9, 8))
    packed = zlib.compress(rows(rng, 9, 8, 8, 2))
    for number in (1, 2):
        yield f("pixels go on in fdAT %d" % number, fctl(0, 9, 8),
                idat=chunk(b"IDAT", packed[:50]) +
                chunk(b"fdAT", struct.pack(">I", number) + packed[50:]))


def files(rng):
    for source in (modes, wide, keys, palettes, orientations, damage, short_chunks,
                   texts, animations):
        for name, data in source(rng):
            yield ("PNG, " + name, data, None)
    for name, data in broken_exif(rng):
        yield ("PNG, " + name, data, "unturned")
    raw = rows(rng, 5, 4, 8, 2)
    yield ("PNG, compression method 1", SIGNATURE +
           ihdr(5, 4, 8, 2, 1) + chunk(b"IDAT", zlib.compress(raw)) +
           chunk(b"IEND", b""), "refused")


def rare(rng):
    """What no file above has: Apple's variant, texts of other keywords."""
    raw = rows(rng, 5, 4, 8, 2)
    bare = zlib.compressobj(wbits=-15)
    yield ("PNG, rare: Apple's", SIGNATURE + chunk(
        b"CgBI", b"\x50\0\x20\6") + png(5, 4, 8, 2, raw, idat=chunk(
            b"IDAT", bare.compress(raw) + bare.flush()))[8:], None)
    for name, before in (
            ("more frames than a number has",
             chunk(b"acTL", struct.pack(">II", 1 << 31, 0))),
            ("a lower frame first",
             chunk(b"acTL", struct.pack(">II", 1, 0)) +
             chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 5, 3, 0, 0, 1, 1, 0,
                                        0))),
            ("no pixels in the first IDAT", chunk(b"IDAT", b"")),
            ("a keyword as long as exif", chunk(b"tEXt", b"text\0" + tiff(6))),
            ("a keyword as long as XMP's", chunk(
                b"tEXt", b"Xml:com.adobe.xmp\0" + xmp(6))),
            ("iTXt that ends at its method", chunk(b"iTXt", b"Comment\0\0")),
            ("iTXt of no method", chunk(b"iTXt", b"Comment\0")),
            ("raw profile of two lines", chunk(
                b"tEXt", b"Raw profile type exif\0\nexif\n")),
            ("raw profile, lines within bytes", chunk(
                b"tEXt", b"Raw profile type exif\0" + raw_profile(
                    tiff(6)).replace(b"4", b"4\n")))):
        yield ("PNG, rare: " + name, png(5, 4, 8, 2, raw, before), None)
    # Broken EXIF, which refuses nothing here.
    for name, before in (
            ("exif in zTXt",
             chunk(b"zTXt", b"exif\0\0" + zlib.compress(tiff(6)))),
            ("raw profile with other letters", chunk(
                b"tEXt", b"Raw profile type exif\0\nexif\n 4\nz0{0\n")),
            ("raw profile that ends within a byte", chunk(
                b"tEXt", b"Raw profile type exif\0\nexif\n 1\n4d4\n")),
            ("raw profile that ends with a digit", chunk(
                b"tEXt", b"Raw profile type exif\0\nexif\n 1\n4d4"))):
        yield ("PNG, rare: " + name, png(5, 4, 8, 2, raw, before), "unturned")
    yield ("PNG, rare: a key beside alpha",
           png(5, 4, 8, 6, rows(rng, 5, 4, 8, 6), chunk(b"tRNS", b"\0" * 6)), None)
    for alphas in (b"\0\xff\7\xff", b"\xff\0\xff\7\n", b"\0\n"):
        yield ("PNG, rare: alphas %s" % alphas.hex(),
               png(5, 4, 8, 3, rows(rng, 5, 4, 8, 3, filters=[0]),
                   palette(rng) + chunk(b"tRNS", alphas)), None)
    yield ("PNG, rare: much after the pixels",
           png(5, 4, 8, 2, raw, idat=chunk(
               b"IDAT", zlib.compress(raw) + bytes(200000))), None)
