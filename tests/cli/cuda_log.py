# SPDX-License-Identifier: Apache-2.0
"""cuda_log.py - what a simulated GPU was asked to do, and in which order

  cuda_log.py LOG overlap DEVICES [BATCHES]
  cuda_log.py rows FOLDER FILE
"""
import json
import os
import sys

COPIES = ("upload", "download", "move")


def read_log(path):
    """A list of dicts with what, device, stream, and of copies bytes, memory."""
    events = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            event = {"what": words[0], "device": int(words[2]),
                     "stream": int(words[4])}
            if words[0] in COPIES:
                event.update(bytes=int(words[6]), memory=words[7])
            events.append(event)
    return events


def check_batch(events, at, follower):
    """The batch whose rows are fetched by event 'at': before they are waited for,
    all of the follower's work is enqueued, which ends with event 'follower'."""
    stream = events[at]["stream"]
    other = events[follower]["stream"]
    waits = [i for i in range(at, len(events))
             if events[i]["what"] == "wait" and events[i]["stream"] == stream]
    assert waits, f"nobody waits for stream {stream}"
    between = [e["what"] for e in events[at:waits[0]] if e["stream"] == other]
    assert "download" in between, \
        f"stream {stream} is waited for, and {other} has no download yet"
    # Pixels are copied by a stream of the encoder's own.
    copied = [e["what"] for e in events[at:waits[0]]
              if e["device"] == events[at]["device"] and
              e["stream"] not in (stream, other)]
    assert "upload" in copied, \
        f"stream {stream} is waited for, and no pixels of {other} were sent"
    assert "kernel" in between or "graph" in between, between


def without_creation(events):
    """An encoder that is made tests what it will use, on a stream of its own that
    begins with a pageable upload: only what comes after is about batches."""
    begun = {}
    for event in events:
        begun.setdefault(event["stream"], event)
    tests = {stream for stream, event in begun.items()
             if event.get("memory") == "pageable"}
    assert len(tests) <= 6, tests
    return [event for event in events if event["stream"] not in tests]


def overlap(events, n_devices, n_batches=None):
    events = without_creation(events)
    pageable = [e for e in events if e.get("memory") == "pageable"]
    assert not pageable, f"pageable copies: {pageable[:3]}"
    downloads = [i for i, e in enumerate(events) if e["what"] == "download"]
    if n_batches:
        assert len(downloads) == n_batches, len(downloads)
    devices = {events[i]["device"] for i in downloads}
    assert devices == set(range(n_devices)), devices
    for device in devices:
        mine = [i for i in downloads if events[i]["device"] == device]
        assert len(mine) > 1, f"device {device} has one batch"
        assert len({events[i]["stream"] for i in mine}) == 2
        for at, follower in zip(mine, mine[1:]):
            assert events[at]["stream"] != events[follower]["stream"]
            check_batch(events, at, follower)


def rows(folder, path):
    """Every picture's rows in the folder are those of the file."""
    def load(name):
        with open(name, "rb") as file:
            data = file.read()
        n = int.from_bytes(data[:8], "little")
        return json.loads(data[8:8 + n]), data[8 + n:]

    def tensor(loaded, name):
        begin, end = loaded[0][name]["data_offsets"]
        return loaded[1][begin:end]

    def ids_and_rows(loaded, ids):
        offsets = tensor(loaded, "offsets")
        offsets = [int.from_bytes(offsets[i:i + 8], "little")
                   for i in range(0, len(offsets), 8)]
        data = tensor(loaded, "embeddings")
        row = len(data) // offsets[-1]
        return {name: data[begin * row:end * row]
                for name, begin, end in zip(ids, offsets, offsets[1:])}

    part = load(os.path.join(folder, "part-00000.safetensors"))
    found = ids_and_rows(part, json.loads(part[0]["__metadata__"]["ids"]))
    plain = load(path)
    sources = json.loads(plain[0]["__metadata__"]["sources"])
    expected = ids_and_rows(plain, sources)
    assert found.keys() == expected.keys(), (found.keys(), expected.keys())
    for name, data in expected.items():
        assert data and found[name] == data, name


def main():
    if sys.argv[1] == "rows":
        rows(sys.argv[2], sys.argv[3])
    else:
        assert sys.argv[2] == "overlap"
        overlap(read_log(sys.argv[1]), *map(int, sys.argv[3:]))


if __name__ == "__main__":
    main()
