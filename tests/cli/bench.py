#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""For bench.sh: made-up runs, and whether the files of a run agree.

    bench.py make                    old.json, now.json and broken ones, here
    bench.py files JSON CSV HTML     of one run
"""
import collections
import csv
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

COLUMNS = ("size,step,op,by,cache,a_call,rows,columns,depth,bytes,flops,"
           "median_s,p10_s,p90_s,samples,bytes_per_s,flops_per_s,of_roofline,"
           "predicted_s,sm_mhz,throttled").split(",")
VOID = {"meta"}  # elements of HTML without an end; the page closes them anyway


def row(op, median, low=0.99, high=1.01, n=9, by="oriel"):
    return {"size": "448x448", "step": "MLP_IN", "op": op, "by": by,
            "a_call": 32, "rows": 1024, "columns": 8, "depth": 8,
            "bytes": 1000, "flops": 2000, "cache": "hot",
            "seconds": {"median": median, "p10": low * median,
                        "p90": high * median, "n": n}}


def run(*rows):
    return {"format": "oriel bench 1", "version": "0.1.0",
            "device": {"kind": "cpu", "name": "made up"},
            "roofline": {"bytes_per_s": 1e9, "bytes_by": "a triad",
                         "flops_per_s": 1e12, "flops_by": "oneDNN"},
            "rows": list(rows), "wrong": 0}


def make():
    old = run(row("slow", 1e-3), row("fast", 1e-3),
              row("spread", 1e-3, 0.8, 1.3), row("near", 1e-3, 1, 1),
              row("few", 1e-3, n=4), row("peer", 1e-3, by="onednn"))
    now = run(row("slow", 1.5e-3), row("fast", 0.5e-3),
              row("spread", 1.2e-3, 0.9, 1.1), row("near", 1.01e-3, 1, 1),
              row("few", 2e-3), row("peer", 3e-3, by="onednn"),
              row("new", 1e-3))
    made = {"old": old, "now": now, "other": {"rows": []},
            "unordered": run(row("a", 1e-3, 1.1)),
            "unprintable": run(row("a\x1b[2J", 1e-3))}
    for name, value in made.items():
        Path(name + ".json").write_text(json.dumps(value))


class Page(HTMLParser):
    """Fails on an element that is not closed, and on what needs a network."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name not in ("src", "href"), (tag, name, value)
            assert "http" not in (value or ""), value
            assert "nan" not in (value or "").split(",")[0], (tag, value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


def files(json_path, csv_path, html_path):
    made = json.loads(Path(json_path).read_text())
    assert made["format"] == "oriel bench 1" and made["wrong"] == 0
    assert made["roofline"]["bytes_per_s"] > 1e8, made["roofline"]
    with open(csv_path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines[0] == COLUMNS, lines[0]
    assert len(lines) == 1 + len(made["rows"])
    for line, entry in zip(lines[1:], made["rows"]):
        got = dict(zip(COLUMNS, line, strict=True))
        for key in ("size", "step", "op", "by", "cache"):
            assert got[key] == entry[key], (key, got)
        median = entry["seconds"]["median"]
        assert abs(float(got["median_s"]) / median - 1) < 1e-6
        if entry["flops"]:
            rate = float(got["flops_per_s"])
            assert abs(rate / (entry["flops"] / median) - 1) < 1e-6, got
            roof = made["roofline"]
            least = max(entry["bytes"] / roof["bytes_per_s"],
                        entry["flops"] / roof["flops_per_s"])
            assert abs(float(got["of_roofline"]) * median / least - 1) < 1e-5
    page = Page()
    page.feed(Path(html_path).read_text(encoding="utf-8"))
    page.close()
    assert not page.open, page.open
    rows = sum(1 for tag in page.seen if tag == "tr") - 1
    assert rows == len(made["rows"]), rows
    own = [entry for entry in made["rows"]
           if entry["by"] == "oriel" and entry["flops"]]
    assert page.seen.count("circle") == len(own)
    # An encode's bar, and a block's of each kind: so often is each op in them.
    model, bars = made["model"], collections.Counter()
    windows = model["depth"] - model["full_attention_blocks"]
    for entry in own:
        count = {"attend windows": windows, "embed": 1, "merge": 1,
                 "attend frames": model["full_attention_blocks"]}[entry["op"]]
        bars[f"{entry['op']}, {count} times"] += 1
        if entry["step"] == "ATTEND":
            bars[f"{entry['op']}, 1 times"] += 1
    shown = re.findall(r"([\w ]+, \d+ times) [\d.]+ [mu]?s", "|".join(page.text))
    assert collections.Counter(shown) == bars, (shown, bars)
    text = "".join(page.text)
    assert made["device"]["name"] in text
    for entry in made["rows"]:
        assert entry["op"] in text and entry["by"] in text, entry


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    elif len(sys.argv) == 5 and sys.argv[1] == "files":
        files(*sys.argv[2:])
    else:
        sys.exit(__doc__)
