# SPDX-License-Identifier: Apache-2.0
"""The items of a stream: decoded ahead, in groups, and put in order again."""
from __future__ import annotations

import concurrent.futures
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import _calls, errors
from ._features import Features
from ._pictures import Item

_GROUP_ITEMS = 4096  # of a group, where they fail or cost next to nothing

# What an item's sender may be told of; the rest ends a stream.
_ITEM_FAULTS = (errors.InputError, errors.UnsupportedError, errors.CapacityError,
                errors.NotFoundError, errors.ReadError)


def groups(stream: Iterable[Any], token_budget: int, threads: int,
           decode: Callable[[Any], tuple[Item, int]], call: _calls.Call
           ) -> Iterator[list[Item | Exception]]:
    """Decoded items and failures in order, as groups that fit the budget.

    decode opens one item and tells its tokens; it runs on 'threads' threads.
    """
    group: list[Item | Exception] = []
    tokens = 0
    for item, cost in _decoded(stream, threads, decode, call):
        over = tokens > 0 and tokens + cost > token_budget
        if over or len(group) >= _GROUP_ITEMS:
            yield group
            group, tokens = [], 0
        group.append(item)
        tokens += cost
    if group:
        yield group


def _decoded(stream: Iterable[Any], threads: int,
             decode: Callable[[Any], tuple[Item, int]], call: _calls.Call
             ) -> Iterator[tuple[Item | Exception, int]]:
    """The stream's items in order with their tokens, decoded ahead.  What
    fails takes its place, the stream itself included."""

    def try_decode(index: int, value: Any) -> tuple[Item | Exception, int]:
        try:
            return decode(value)
        except errors.Error as error:
            error.item = index
            return error, 0

    ahead: deque[concurrent.futures.Future[tuple[Item | Exception, int]]]
    ahead = deque()
    failed: Exception | None = None
    values = iter(stream)
    pool = concurrent.futures.ThreadPoolExecutor(threads, "oriel-decode")
    try:
        for index in itertools.count():
            try:
                value = next(values)
            except StopIteration:
                break
            except Exception as error:  # whatever the caller's code raises
                failed = error
                break
            ahead.append(pool.submit(try_decode, index, value))
            if len(ahead) > 2 * threads:
                yield _calls.wait(ahead.popleft(), call.cancel)
        while ahead:
            yield _calls.wait(ahead.popleft(), call.cancel)
        if failed is not None:
            yield failed, 0
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_order(group: Sequence[Item | Exception], features: Features | None,
             on_error: str) -> Iterator[Features | errors.Error]:
    """A group's results and failures, each in its place."""
    done = 0
    for item in group:
        if isinstance(item, Item):
            assert features is not None
            yield features[done]
            done += 1
        elif on_error == "return" and isinstance(item, _ITEM_FAULTS):
            yield item
        else:
            raise item
