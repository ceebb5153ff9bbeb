# SPDX-License-Identifier: Apache-2.0
"""What Prometheus reads of the encode worker."""
from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
_TOKENS = (64, 256, 1024, 2048, 4096, 8192, 16384, 65536)


class Metrics:
    """The series of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def histogram(name: str, text: str, buckets: tuple[float, ...]
                      ) -> Histogram:
            return Histogram(f"oriel_{name}", text, buckets=buckets,
                             registry=self._registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"oriel_{name}", text, labels, registry=self._registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()
                    ) -> Counter:
            return Counter(f"oriel_{name}", text, labels,
                           registry=self._registry)

        self.requests = counter("requests", "Answers to /v1/encode by status",
                                ("status",))
        self.request_seconds = histogram(
            "request_seconds", "From a request's head to its answer", _SECONDS)
        self.in_flight = gauge("requests_in_flight", "Requests being served")
        self.queue_tokens = gauge(
            "queue_tokens", "Tokens that wait or are encoded")
        self.wait_seconds = histogram(
            "wait_seconds", "From admission to the begin of the encode, decoding "
            "included", _SECONDS)
        self.found = counter(
            "ec_found", "Answers whose file lay in the EC directory already")
        self.images = counter("images", "Images encoded")
        self.tokens = counter("tokens", "Tokens encoded")
        self._encode_seconds = histogram(
            "encode_seconds", "Of a batch", _SECONDS)
        self._batch_images = histogram("batch_images", "Of a batch", _COUNTS)
        self._batch_tokens = histogram("batch_tokens", "Of a batch", _TOKENS)
        self.ready = gauge("ready", "1 while requests are taken")
        self._info = gauge("build", "1, with what serves",
                           ("version", "device", "precision", "model"))

    def batch(self, images: int, tokens: int, seconds: float) -> None:
        """Count a batch that was encoded."""
        self.images.inc(images)
        self.tokens.inc(tokens)
        self._encode_seconds.observe(seconds)
        self._batch_images.observe(images)
        self._batch_tokens.observe(tokens)

    def build(self, version: str, device: str, precision: str,
              model: str) -> None:
        """Say what serves; ``model`` is the network's digest."""
        self._info.labels(version, device, precision, model).set(1)

    def text(self) -> bytes:
        """The exposition format."""
        return bytes(generate_latest(self._registry))
