# SPDX-License-Identifier: Apache-2.0
"""Every shell command of the documents is run by a test.

documents.py PROJECT BUILD TOOL

The table below says where each command is run: by a test of ctest, by a check of
.ci/run, on demand, or here.  A command that no line of the
table knows fails, and so does a line that knows none.
"""
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path

PROJECT, BUILD, TOOL = (Path(word).resolve() for word in sys.argv[1:4])
NAME = "Qwen/Qwen2.5-VL-7B-Instruct"


def commands():
    """(document, command) of each fenced block of the shell."""
    documents = [PROJECT / name for name in (
        "README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md",
        "python/README.md", "sim/README.md", "tests/README.md")]
    for path in documents + sorted((PROJECT / "docs").glob("*.md")):
        for block in re.findall(r"^```sh\n(.*?)^```$", path.read_text(),
                                re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                line = re.sub(r"\s+# .*$|^#.*$", "", line).strip()
                if line:
                    yield str(path.relative_to(PROJECT)), line


def shell(command, expected=0, **environment):
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True,
        env={**os.environ, "PATH": f"{TOOL.parent}:{os.environ['PATH']}",
             **environment})
    assert done.returncode == expected, (command, done.stdout, done.stderr)
    return done.stdout


def install(command):
    """Into a folder that stands for the root."""
    assert command.split()[2] == "build/release"
    shell(command.replace("build/release", f"'{BUILD}'"),
          DESTDIR=f"{os.getcwd()}/root")
    shell("root/usr/local/bin/oriel version")


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub of one model: what huggingface_hub asks of it."""

    COMMIT = "0123456789abcdef0123456789abcdef01234567"
    folder = Path("hub")

    def answer(self, data, **headers):
        self.send_response(200)
        for key, value in {"Content-Length": len(data), **headers}.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
        names = sorted(file.name for file in self.folder.iterdir())
        if path.startswith(f"/api/models/{NAME}/tree/"):
            self.answer(json.dumps([
                {"type": "file", "path": name, "oid": "0" * 40,
                 "size": (self.folder / name).stat().st_size}
                for name in names]).encode(), Content_Type="application/json")
        elif path.startswith(f"/api/models/{NAME}"):
            self.answer(json.dumps({
                "id": NAME, "sha": self.COMMIT,
                "siblings": [{"rfilename": name} for name in names],
            }).encode(), Content_Type="application/json")
        elif path.startswith(f"/{NAME}/resolve/") and path.split("/")[-1] in names:
            name = path.split("/")[-1]
            self.answer((self.folder / name).read_bytes(),
                        ETag=f'"{name}"', X_Repo_Commit=self.COMMIT)
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def make_hub():
    """The tiny model in the layout of the published one: its tower is in the
    first of two shards."""
    shell("oriel synth --config tiny --seed 1 -q tiny")
    shell("oriel pack tiny -o tower.safetensors -q")
    Hub.folder.mkdir()
    for path in Path("tiny").glob("*config.json"):
        shutil.copy(path, Hub.folder)
    data = Path("tower.safetensors").read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    first, second = (f"model-0000{i}-of-00002.safetensors" for i in (1, 2))
    (Hub.folder / first).write_bytes(data)
    (Hub.folder / second).write_bytes(b"language model")
    (Hub.folder / "model.safetensors.index.json").write_text(json.dumps({
        "metadata": {}, "weight_map": {
            **{name: first for name in header if name != "__metadata__"},
            "lm_head.weight": second}}))
    (Hub.folder / "README.md").write_text("a model card")


def download(command):
    """From a hub on this machine, by huggingface_hub's own tool."""
    pythons = [sys.executable, *os.environ.get("ORIEL_TEST_PYTHONS", "").split()]
    tools = [shutil.which("hf")] + [
        str(Path(python).parent / "hf") for python in pythons]
    hf = next((tool for tool in tools if tool and os.path.exists(tool)), None)
    if hf is None:
        return "no hf here (ORIEL_TEST_PYTHONS names Pythons that have it)"
    make_hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"{os.getcwd()}/hf"
    shell(command, HF_HOME=home, HF_HUB_DISABLE_XET="1",
          HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
          PATH=f"{Path(hf).parent}:{os.environ['PATH']}")
    server.shutdown()
    found = {path.name for path in Path(home).rglob("snapshots/*/*")}
    assert "model-00002-of-00002.safetensors" not in found, found
    shell(f"oriel inspect {NAME}", HF_HOME=home)
    return None


def conform(command):
    """By the Python package of the build folder; the dumps are Oriel's rows."""
    try:
        import numpy  # noqa: F401
    except ImportError:
        return "this Python has no numpy"
    if " check " in command:
        os.makedirs("dumps", exist_ok=True)
        python("""
import json, numpy as np, oriel
cases = json.load(open("kit/cases.json"))
with oriel.Encoder("kit/model", device="cpu", precision="fp32") as encoder:
    for name, case in cases.items():
        rows = encoder.encode([["kit/" + f for f in item] if case["video"]
                               else "kit/" + item[0] for item in case["items"]])
        np.save(f"dumps/{name}.rows.npy", np.asarray(rows.embeddings))
""")
    shell(command.replace("python ", f"'{sys.executable}' ", 1),
          PYTHONPATH=str(BUILD / "python"))
    return None


def python(program):
    subprocess.run([sys.executable, "-c", program], check=True,
                   env={**os.environ, "PYTHONPATH": str(BUILD / "python")})


@functools.cache
def tests():
    return {name for path in BUILD.rglob("CTestTestfile.cmake")
            for name in re.findall(r"^add_test\((?:\[=\[)?(\w+)",
                                   path.read_text(), re.MULTILINE)}


def by_test(name, _):
    assert name in tests(), f"no test is called {name}"


def by_demo(_):
    if BUILD != PROJECT / "build/release":
        return "only build/release has its test"
    return by_test("demo", _)


def by_check(text, _):
    """A check of .ci/run has these words."""
    files = [PROJECT / name for name in (".ci/run", "test.sh")]
    assert any(text in path.read_text() for path in files), text


def on_demand(script, _):
    assert (PROJECT / script).exists(), script


# Of which documents, which commands, and what runs them.
TABLE = (
    (r"README\.md", r"\./demo\.sh", by_demo),
    (r"README\.md|CONTRIBUTING\.md", r"\./test\.sh",
     functools.partial(by_check, "./test.sh --all")),
    (r"README\.md", r"cmake --preset release && cmake --build --preset release",
     functools.partial(by_check, "cmake --build --preset release")),
    (r"README\.md", r"cmake --install .*", install),
    (r"README\.md", r"hf download .*", download),
    (r"README\.md|docs/extract\.md", r"oriel .*",
     functools.partial(by_test, "tool_extract_docs")),
    (r"docs/verify\.md", r"oriel doctor --verify.*",
     functools.partial(by_test, "tool_verify")),
    (r"README\.md|docs/python\.md", r"pip wheel .* && pip install .*",
     functools.partial(by_test, "python_wheel")),
    (r"CONTRIBUTING\.md", r"\.ci/run( format tidy)?",
     functools.partial(by_check, 'ALL="licence format')),
    (r"CONTRIBUTING\.md", r"PYTHONPATH=build/release/python .* encode",
     functools.partial(by_test, "python_encode")),
    (r"docs/conformance\.md", r"python -m oriel.conformance transformers.*",
     functools.partial(on_demand, "scripts/test_torch.sh")),
    (r"docs/conformance\.md", r"python -m oriel.conformance vllm",
     functools.partial(on_demand, "scripts/test_serving.sh")),
    (r"docs/conformance\.md",
     r"python -m oriel.conformance (oriel|files kit|check kit dumps)", conform),
    (r"sim/README\.md", r".*", functools.partial(by_test, "sim_readme")),
)


def main():
    used = set()
    for document, command in commands():
        row = next((row for row in TABLE if re.fullmatch(row[0], document)
                    and re.fullmatch(row[1], command)), None)
        assert row, f"{document}: nothing runs: {command}"
        used.add(row)
        skipped = row[2](command)
        if skipped:
            print(f"not tested: {command}: {skipped}")
    for row in TABLE:
        assert row in used, f"no document has {row[1]}"
    print(f"{len(used)} kinds of commands")


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    main()
    os.chdir(PROJECT)
