# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the Hugging Face cache by their name; nothing is downloaded."""
from __future__ import annotations

import os
import re

from . import _abi, errors

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def cache_folder() -> str:
    """Where huggingface_hub keeps models: by its own variables."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return os.path.expanduser(folder)
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return os.path.join(os.path.expanduser(home), "hub")


def locate(name: str | os.PathLike[str], revision: str | None = None) -> str:
    """The path of a checkpoint: a path as it is, or a folder of the cache.

    Raises:
        NotFoundError: neither is there.
    """
    path = os.fspath(name)
    if revision is None and (os.path.exists(path) or not _NAME.fullmatch(path)):
        return path
    if not _NAME.fullmatch(path):
        raise errors.ArgumentError(
            f"revision={revision!r} of {_abi.text(os.fsencode(path))}: expected "
            "the name of a model (ORG/NAME)")
    folder = os.path.join(cache_folder(), "models--" + path.replace("/", "--"))
    if not os.path.isdir(folder):
        raise errors.NotFoundError(
            f"{path}: no such file or folder, and not in the cache "
            f"{cache_folder()}; nothing is downloaded here: run 'hf download "
            f"{path}'")
    if revision is None:
        return folder  # the library takes the snapshot of refs/main
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", revision) or ".." in revision:
        raise errors.ArgumentError(f"revision={revision!r}: expected a branch, "
                                   "a tag or a commit")
    commit = revision
    try:
        with open(os.path.join(folder, "refs", revision)) as file:
            commit = file.read().strip()
    except OSError:
        pass  # a commit has no file there
    snapshot = os.path.join(folder, "snapshots", commit)
    if not os.path.isdir(snapshot):
        raise errors.NotFoundError(f"{path}: revision {revision} is not in the "
                                   f"cache {cache_folder()}")
    return snapshot
