# SPDX-License-Identifier: Apache-2.0
"""The command line of the encode worker."""
from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .. import _options, _plan, errors
from .._options import Preprocessing

_MEBI = 1 << 20
_DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Options:
    """What the worker was started with.  Every limit is checked before the work
    that it bounds."""

    model: str
    host: str = "127.0.0.1"
    port: int = 8080
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    residual: str = "bf16"
    attention: str = "own"
    dtype: str = "float32"
    ec_directory: str | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    max_tokens: int = 0  # of a picture; 0 leaves it to preprocessing
    token_budget: int = _plan.DEFAULT_TOKEN_BUDGET
    queue_tokens: int = 8 * _plan.DEFAULT_TOKEN_BUDGET
    queue_bytes: int = 1024 * _MEBI
    queue_requests: int = 128
    decode_threads: int = 2
    max_bytes: int = 16 * _MEBI
    body_seconds: int = 30
    rate: float = 0.0
    burst: int = 16
    drain_seconds: int = 60

    @classmethod
    def parse(cls, arguments: Sequence[str] | None) -> Options:
        """Options of a command line; a wrong one ends the process with status 2.

        Raises:
            ArgumentError: options that do not go together.
        """
        made = parser().parse_args(arguments)
        if made.max_tokens and made.max_pixels:
            raise errors.ArgumentError("--max-tokens and --max-pixels: expected "
                                       "one of them")
        preprocessing = Preprocessing(
            resample=made.resample, sizing=made.sizing, alpha=made.alpha,
            truncated=made.truncated, exif=made.exif,
            min_pixels=made.min_pixels, max_pixels=made.max_pixels,
            max_source_pixels=made.max_source_pixels)
        dtype = made.dtype or ("bf16" if made.ec_directory else "f32")
        return cls(
            model=made.model, host=made.host, port=made.port,
            device=made.device, precision=made.precision, threads=made.threads,
            residual=made.residual, attention=made.attention,
            dtype=_DTYPES[dtype], ec_directory=made.ec_directory,
            preprocessing=preprocessing, max_tokens=made.max_tokens,
            token_budget=made.token_budget,
            queue_tokens=made.queue_tokens or 8 * made.token_budget,
            queue_bytes=made.queue_mebibytes * _MEBI,
            queue_requests=made.queue_requests,
            decode_threads=made.decode_threads,
            max_bytes=made.max_mebibytes * _MEBI,
            body_seconds=made.body_seconds, rate=made.rate, burst=made.burst,
            drain_seconds=made.drain_seconds)


def parser() -> argparse.ArgumentParser:
    """The parser of ``oriel serve``."""
    made = argparse.ArgumentParser(
        prog="oriel serve", allow_abbrev=False,
        description="Answer POST /v1/encode: an image in, its embeddings out.")
    made.add_argument("--model", required=True, metavar="MODEL",
                      help="checkpoint, or a name in the Hugging Face cache")
    made.add_argument("--host", default="127.0.0.1",
                      help="address to listen on; default 127.0.0.1. There is no "
                           "authentication: other addresses belong behind a "
                           "proxy")
    made.add_argument("--port", type=_number(0, 65535), default=8080,
                      help="default 8080; 0 takes a free one and prints it")
    _add_encoder(made.add_argument_group("encoder"))
    _add_pictures(made.add_argument_group("pictures"))
    _add_limits(made.add_argument_group("limits"))
    return made


def _add_encoder(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", default="auto",
                       help="auto (default), cpu, cuda or cuda:N")
    group.add_argument("--precision", default="auto",
                       choices=tuple(_options.PRECISION))
    group.add_argument("--threads", type=_number(0, 4096), default=0,
                       help="of the CPU backend; default: every core")
    group.add_argument("--residual", default="bf16",
                       choices=tuple(_options.RESIDUAL),
                       help="as of oriel encode; default %(default)s")
    group.add_argument("--attention", default="own",
                       choices=tuple(_options.ATTENTION),
                       help="as of oriel encode; default %(default)s")
    group.add_argument("--dtype", choices=tuple(_DTYPES),
                       help="of the embeddings; default f32, and bf16 with "
                            "--ec-directory")
    group.add_argument("--ec-directory", type=_folder, metavar="DIR",
                       help="write embeddings here, for vLLM's "
                            "ECExampleConnector")
    group.add_argument("--token-budget", type=_number(1, 1 << 22),
                       default=_plan.DEFAULT_TOKEN_BUDGET, metavar="N",
                       help="tokens that are encoded together; default "
                            "%(default)s")


def _add_pictures(group: argparse._ArgumentGroup) -> None:
    for name, table, default in (
            ("resample", _options.RESAMPLE, Preprocessing.resample),
            ("sizing", _options.SIZING, Preprocessing.sizing),
            ("alpha", _options.ALPHA, Preprocessing.alpha),
            ("truncated", _options.TRUNCATED, Preprocessing.truncated)):
        group.add_argument(f"--{name}", choices=tuple(table), default=default,
                           help="as of oriel encode; default %(default)s")
    group.add_argument("--no-exif", dest="exif", action="store_false",
                       help="do not rotate by EXIF or XMP orientation")
    for name in ("min-pixels", "max-pixels", "max-tokens"):
        group.add_argument(f"--{name}", type=_number(1, 1 << 40), default=0,
                           metavar="N", help="as of oriel encode")
    group.add_argument("--max-source-pixels", type=_number(1, 1 << 40),
                       default=0, metavar="N",
                       help="refuse larger pictures; default 178956970")


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--max-mebibytes", type=_number(1, 1 << 20), default=16,
                       metavar="N", help="of a picture's file; more is status "
                                         "413; default %(default)s")
    group.add_argument("--queue-requests", type=_number(1, 1 << 20), default=128,
                       metavar="N", help="at once; more is status 503; default "
                                         "%(default)s")
    group.add_argument("--queue-tokens", type=_number(1, 1 << 30), default=0,
                       metavar="N", help="that wait or are encoded; default 8 "
                                         "times --token-budget")
    group.add_argument("--queue-mebibytes", type=_number(1, 1 << 20),
                       default=1024, metavar="N",
                       help="of decoded pixels; default %(default)s")
    group.add_argument("--decode-threads", type=_number(1, 1024), default=2,
                       metavar="N", help="default %(default)s")
    group.add_argument("--body-seconds", type=_number(1, 86400), default=30,
                       metavar="N", help="for a request to arrive, else status "
                                         "408, and for its answer to leave; "
                                         "default %(default)s")
    group.add_argument("--rate", type=_rate, default=0.0, metavar="N",
                       help="requests a second of one address; more is status "
                            "429; default 0, any number")
    group.add_argument("--burst", type=_number(1, 1 << 20), default=16,
                       metavar="N", help="requests of one address that may come "
                                         "at once, with --rate; default "
                                         "%(default)s")
    group.add_argument("--drain-seconds", type=_number(1, 86400), default=60,
                       metavar="N", help="for requests in flight after TERM; "
                                         "default %(default)s")


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 19
                and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(
                f"{text!r}: expected a whole number from {low} to {high}")
        return int(text)

    return parse


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to "
                                         "1000000")
    return value


def _folder(text: str) -> str:
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a folder that "
                                         "exists")
    return text
