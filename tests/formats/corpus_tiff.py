# SPDX-License-Identifier: Apache-2.0
"""TIFF files: every kind of pixel by hand, every compression by Pillow."""
import io
import struct

import numpy as np
from PIL import Image

import pictures

SHORT, LONG, LONG8, BYTE = 3, 4, 16, 1
SIZES = {SHORT: 2, LONG: 4, LONG8: 8, BYTE: 1}
CODES = {SHORT: "H", LONG: "I", LONG8: "Q", BYTE: "B"}


def tiff(tags, blocks, order="<", big=False, tiled=False):
    """A directory of 'tags', {tag: (type, values)}, and blocks of pixels."""
    word = LONG8 if big else LONG
    offsets, counts = (324, 325) if tiled else (273, 279)
    tags = dict(tags)
    tags[offsets] = (word, [0] * len(blocks))
    tags[counts] = (word, [len(b) for b in blocks])
    head = 16 if big else 8
    entry = 20 if big else 12
    extra_at = (head + (8 if big else 2) + entry * len(tags)
                + (8 if big else 4))
    extra = b""
    places = {}
    for tag in sorted(tags):
        kind, values = tags[tag]
        n = SIZES[kind] * len(values)
        if n > (8 if big else 4):
            places[tag] = extra_at + len(extra)
            extra += b"\0" * (n + n % 2)
    at = extra_at + len(extra)
    starts = []
    for block in blocks:
        starts.append(at)
        at += len(block)
    tags[offsets] = (word, starts)
    out = b"II" if order == "<" else b"MM"
    out += (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big
            else struct.pack(order + "HI", 42, 8))
    out += struct.pack(order + ("Q" if big else "H"), len(tags))
    extra = bytearray(extra)
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(order + CODES[kind] * len(values), *values)
        if tag in places:
            where = places[tag] - extra_at
            extra[where:where + len(data)] = data
            data = struct.pack(order + ("Q" if big else "I"), places[tag])
        out += struct.pack(order + "HH" + ("Q" if big else "I"), tag, kind,
                           len(values))
        out += data.ljust(8 if big else 4, b"\0")
    out += b"\0" * (8 if big else 4)
    return out + bytes(extra) + b"".join(blocks)


def tags_of(width, height, bits, samples, photometric, **more):
    tags = {256: (LONG, [width]), 257: (LONG, [height]),
            258: (SHORT, [bits] * samples), 259: (SHORT, [1]),
            262: (SHORT, [photometric]), 277: (SHORT, [samples])}
    if "extra" in more:
        tags[338] = (SHORT, more["extra"])
    if "form" in more:
        tags[339] = (SHORT, [more["form"]] * samples)
    if photometric == 3:
        tags[320] = (SHORT, [(i * 7919 + c * 20011) % 65536
                             for c in range(3) for i in range(1 << bits)])
    tags.update(more.get("tags", {}))
    return tags


def pixels(rng, n_bytes):
    return rng.randbytes(n_bytes)


def strips(data, line, rows):
    return [data[i:i + line * rows] for i in range(0, len(data), line * rows)]


def kinds():
    """bits, samples, photometric, and what else."""
    for bits in (1, 2, 4, 8):
        for photometric in (0, 1, 3):
            yield bits, 1, photometric, {}
    yield 16, 1, 0, {}
    yield 16, 1, 1, {}
    yield 12, 1, 1, {}
    yield 16, 1, 1, {"form": 2}
    yield 8, 1, 1, {"form": 2}
    for form in (1, 2, 3):
        yield 32, 1, 1, {"form": form}
    yield 32, 1, 0, {"form": 3}
    for extra in (0, 2):
        yield 8, 2, 1, {"extra": [extra]}
        yield 8, 2, 3, {"extra": [extra]}
    yield 8, 3, 2, {}
    yield 8, 4, 2, {}
    for first in (0, 1, 2, 999):
        yield 8, 4, 2, {"extra": [first]}
    for first in (0, 1, 2):
        yield 8, 5, 2, {"extra": [first, 0]}
        yield 8, 6, 2, {"extra": [first, 0, 0]}
        yield 16, 4, 2, {"extra": [first]}
    yield 16, 3, 2, {}
    yield 16, 4, 2, {}
    yield 8, 4, 5, {}
    yield 8, 5, 5, {"extra": [0]}
    yield 8, 6, 5, {"extra": [0, 0]}
    yield 16, 4, 5, {}
    yield 8, 3, 6, {"tags": {530: (SHORT, [1, 1])}}
    # Kinds that are refused.
    yield 8, 2, 1, {}
    yield 8, 3, 1, {}
    yield 3, 1, 1, {}
    yield 24, 1, 1, {}
    yield 64, 1, 1, {"form": 3}
    yield 8, 3, 2, {"form": 3}
    yield 4, 3, 2, {}
    yield 8, 7, 2, {"extra": [0, 0, 0, 0]}
    yield 8, 1, 4, {}
    yield 8, 3, 99, {}


def hand_files(rng):
    for bits, samples, photometric, more in kinds():
        for order in "<>":
            # Kinds that the reference has in one order only.
            if order == ">" and (bits == 12 or (bits, photometric) == (16, 0)
                                 or (bits == 32 and more["form"] == 1)):
                continue
            line = (13 * bits * samples + 7) // 8
            data = pixels(rng, line * 9)
            if bits == 32 and more["form"] == 3:
                data = np.array([rng.uniform(-40, 300) for _ in range(13 * 9)],
                                order + "f4").tobytes()
            elif bits in (16, 32) and samples == 1:
                low, high = (-99, 400) if more.get("form") == 2 else (0, 400)
                data = np.array([rng.randrange(low, high)
                                 for _ in range(13 * 9)]).astype(
                    order + "i%d" % (bits // 8)).tobytes()
            name = "TIFF, %s %dx%d bits, photometric %d %s" % (
                order, samples, bits, photometric, more)
            yield name, tiff(tags_of(13, 9, bits, samples, photometric, **more)
                             | {278: (LONG, [4])}, strips(data, line, 4), order)
    line = 13 * 3
    data = pixels(rng, line * 9)
    rgb = tags_of(13, 9, 8, 3, 2)
    for orientation in range(0, 10):
        yield ("TIFF, orientation %d" % orientation,
               tiff(rgb | {274: (SHORT, [orientation])}, [data]))
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    yield "TIFF, orientation in XMP", tiff(
        rgb | {700: (BYTE, list(xmp))}, [data])
    yield "TIFF, orientation 1 and XMP", tiff(
        rgb | {700: (BYTE, list(xmp)), 274: (SHORT, [1])}, [data])
    yield "TIFF, big", tiff(rgb, [data], big=True)
    yield "TIFF, rows a strip without end", tiff(
        rgb | {278: (LONG, [0xffffffff])}, [data])
    yield "TIFF, a strip a row", tiff(rgb | {278: (LONG, [1])},
                                      strips(data, line, 1))
    yield "TIFF, the last strip missing", tiff(
        rgb | {278: (LONG, [4])}, strips(data, line, 4)[:2])
    yield "TIFF, bits of the first sample alone", tiff(
        rgb | {258: (SHORT, [8])}, [data])
    yield from plane_files(rng)
    yield from tile_files(rng)
    whole = tiff(rgb, [data])
    for cut in (4, 8, 20, 100, len(whole) - line, len(whole) - 1):
        yield "TIFF, cut after %d" % cut, whole[:cut]
    yield "TIFF, no pixels", tiff(rgb, [b""])
    yield "TIFF, a bomb", tiff(tags_of(60000, 60000, 8, 3, 2), [data])
    yield "TIFF, no width", tiff({k: v for k, v in rgb.items() if k != 256},
                                 [data])
    yield "TIFF, compression 77", tiff(rgb | {259: (SHORT, [77])}, [data])


def plane_files(rng):
    for bits, samples, photometric, more in (
            (8, 3, 2, {}), (8, 4, 2, {"extra": [2]}), (8, 4, 5, {})):
        line = 13 * bits // 8
        planes = [pixels(rng, line * 9) for _ in range(samples)]
        tags = tags_of(13, 9, bits, samples, photometric, **more)
        tags[284] = (SHORT, [2])
        yield ("TIFF, planes, %dx%d bits, photometric %d %s" %
               (samples, bits, photometric, more),
               tiff(tags | {278: (LONG, [4])},
                    [s for p in planes for s in strips(p, line, 4)]))


def tile_files(rng):
    for bits, samples, photometric in ((8, 3, 2), (8, 1, 1), (8, 1, 3),
                                       (1, 1, 1), (8, 4, 5)):
        for width, height in ((40, 37), (16, 16), (5, 33)):
            tags = tags_of(width, height, bits, samples, photometric)
            tags |= {322: (LONG, [16]), 323: (LONG, [32])}
            n = (width + 15) // 16 * ((height + 31) // 32)
            tiles = [pixels(rng, 16 * 32 * samples * bits // 8)
                     for _ in range(n)]
            yield ("TIFF, tiles, %dx%d bits, photometric %d, %dx%d" %
                   (samples, bits, photometric, width, height),
                   tiff(tags, tiles, tiled=True))
            yield ("TIFF, tiles, turned, %dx%d bits, photometric %d, %dx%d" %
                   (samples, bits, photometric, width, height),
                   tiff(tags | {274: (SHORT, [6])}, tiles, tiled=True))


def save(image, **options):
    out = io.BytesIO()
    image.save(out, "TIFF", **options)
    return out.getvalue()


def packed_files():
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate",
                        "packbits", "lzma", "zstd"):
        for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "LA"):
            yield ("TIFF, %s, mode %s" % (compression, mode),
                   save(pictures.image(mode, 40, 30),
                        compression=compression))
        yield ("TIFF, %s, strips of 7" % compression,
               save(pictures.image("RGB", 40, 30), compression=compression,
                    tiffinfo={278: 7}))
    for predictor in (2,):
        for compression in ("tiff_lzw", "tiff_adobe_deflate"):
            for mode in ("L", "RGB", "RGBA"):
                yield ("TIFF, %s, predictor %d, mode %s" %
                       (compression, predictor, mode),
                       save(pictures.image(mode, 40, 30),
                            compression=compression,
                            tiffinfo={317: predictor}))
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield ("TIFF, %s" % compression,
               save(pictures.image("1", 40, 30), compression=compression))
    for mode in ("L", "RGB", "CMYK", "YCbCr"):
        yield ("TIFF, jpeg, mode %s" % mode,
               save(Image.fromarray(
                   pictures.smooth(40, 30, {"L": 1, "CMYK": 4}.get(mode, 3))
                   .squeeze(), mode), compression="jpeg", quality=90))
        yield ("TIFF, jpeg, rows of 16, mode %s" % mode,
               save(Image.fromarray(
                   pictures.smooth(40, 50, {"L": 1, "CMYK": 4}.get(mode, 3))
                   .squeeze(), mode), compression="jpeg", quality=90,
                   tiffinfo={278: 16}))
    yield "TIFF, raw, mode YCbCr", save(pictures.image("YCbCr", 40, 30))
    yield ("TIFF, two pictures",
           save(pictures.image("RGB", 40, 30), save_all=True,
                compression="tiff_lzw",
                append_images=[pictures.image("L", 20, 20)]))
    for orientation in (3, 6, 8):
        yield ("TIFF, tiff_lzw, orientation %d" % orientation,
               save(pictures.image("RGB", 40, 30), compression="tiff_lzw",
                    tiffinfo={274: orientation}))
    for mode in ("I;16", "I;16B", "I", "F"):
        array = np.arange(600).reshape(20, 30) - 40
        kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
        made = Image.fromarray(np.clip(array, 0 if "16" in mode else -99, 999)
                               .astype(kind))
        for compression in (None, "tiff_lzw"):
            if mode == "I;16B" and compression:
                continue
            yield ("TIFF, mode %s, %s" % (mode, compression),
                   save(made, compression=compression))
    whole = save(pictures.image("RGB", 40, 30), compression="tiff_lzw")
    for cut in (1000, len(whole) - 300):
        yield "TIFF, tiff_lzw, cut after %d" % cut, whole[:cut]


def files(rng):
    yield from hand_files(rng)
    yield from packed_files()
