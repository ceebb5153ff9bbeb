# SPDX-License-Identifier: Apache-2.0
# extract_damage.sh - lists, archives and folders of oriel extract that are damaged,
# and file systems that cannot do what is asked
. "$(dirname "$0")/lib.sh"
python=${ORIEL_PYTHON:-python3}
preload=$5

# extract STATUS FOLDER ARGUMENT...
extract()
{
    run "$1" extract "${@:3}" -o "$2" --model model --device cpu -q
}

# reason FOLDER TEXT: an input that failed says it
reason()
{
    grep -qF -- "$2" "$1/failed.jsonl" || {
        fail "$command_line: no input failed with \"$2\":"
        cat "$1/failed.jsonl"
    }
}

# edit FILE CODE: 'd' is a JSON file, or the list of a manifest's lines
edit()
{
    "$python" - "$1" "$2" <<'PYTHON' || fail "edit $*"
import json, sys
name, code = sys.argv[1:]
lines = name.endswith(".jsonl")
with open(name) as file:
    d = [json.loads(x) for x in file] if lines else json.load(file)
exec(code)
with open(name, "w") as file:
    for x in d if lines else [d]:
        file.write(json.dumps(x) + "\n")
PYTHON
}

run 0 synth --config tiny --seed 1 model
for name in a b c d; do
    picture $name.ppm 64 48 "$name"
done

# ---- Lists ------------------------------------------------------------------

cat >odd.jsonl <<'LIST'
{"path": "a.ppm"}
{"path": "b.ppm", "id": [1]}
{"path": "b.ppm", "index": -1}
{"path": "b.ppm", "index": "2"}
{"path": ""}
LIST
extract 1 odd odd.jsonl
reason odd '"\"id\" of a JSON line: expected a string or an integer"'
reason odd '"\"index\" of a JSON line: expected an integer from 0 on"'
reason odd 'a JSON line without \"path\", expected a string'
check test "$(wc -l <odd/failed.jsonl)" -eq 4

# An id of 4096 bytes is one, and a longer one is not.
"$python" - <<'PYTHON'
import json
with open("ids.jsonl", "w") as file:
    for n in (4096, 4097):
        file.write(json.dumps({"path": "a.ppm", "id": "x" * n}) + "\n")
# Names far beyond the first block that is read, and a whole list in UTF-16.
with open("long", "w") as file:
    file.write("# " + "x" * 200000 + "\nb.ppm\n")
with open("wide", "w", encoding="utf-16") as file:
    file.write("# " + "x" * 200000 + "\nb.ppm\n")
with open("endless", "w") as file:
    file.write("x" * ((16 << 20) + 1))
PYTHON
extract 1 ids ids.jsonl
reason ids "its id has 4097 bytes, expected at most 4096"
check test "$(grep -c '"ok"' ids/manifest.jsonl)" -eq 1
for list in long wide; do
    extract 0 from-$list @$list
    grep -q '"b.ppm"' from-$list/manifest.jsonl || fail "@$list: no b.ppm"
done
extract 8 endless-out @endless
reason endless-out "the list has a name of more than 16777216 bytes"

# Standard input that is no file.
"$oriel" extract - -o folder-out --model model --device cpu -q <model 2>err
check test $? -ne 0
command_line="oriel extract - <model"
says "cannot be read: Is a directory"

# ---- Archives ---------------------------------------------------------------

"$python" - <<'PYTHON'
import io, tarfile
picture = open("a.ppm", "rb").read()
def put(tar, name, data, size=None):
    info = tarfile.TarInfo(name)
    info.size = len(data) if size is None else size
    tar.addfile(info, io.BytesIO(data)) if size is None else \
        tar.fileobj.write(info.tobuf(tarfile.GNU_FORMAT) + data)
with tarfile.open("many.tar", "w") as tar:
    put(tar, "first.ppm", picture)
    for i in range(1025):
        put(tar, f"s.{i}.ppm", b"P6 1 1 255\n123")
with tarfile.open("large.tar", "w") as tar:
    put(tar, "first.ppm", picture)
    put(tar, "vast.ppm", picture, 2 << 30)
with tarfile.open("good.tar", "w") as tar:
    put(tar, "first.ppm", picture)
    put(tar, "second.ppm", picture)
PYTHON
extract 1 many many.tar
says "a sample of more than 1024 pictures"
extract 1 large large.tar
reason large "has 2147483648 bytes, expected at most"
check test "$(grep -c '"ok"' large/manifest.jsonl)" -eq 1

if ! grep -q '__[at]san_init' "$oriel"; then
    # The library that reads them is not there, or is none.
    mkdir damaged foreign
    echo "no library" >damaged/libarchive.so.13
    zlib=$(ldd "$oriel" | sed -n 's/.*=> \(.*libz\.so[^ ]*\) .*/\1/p' | head -1)
    [ -z "$zlib" ] || cp -L "$zlib" foreign/libarchive.so.13
    export LD_LIBRARY_PATH=$work/damaged
    extract 4 no-library good.tar
    says "archives are read by libarchive.so.13, which cannot be loaded"
    if [ -n "$zlib" ]; then
        export LD_LIBRARY_PATH=$work/foreign
        extract 4 no-function good.tar
        says "libarchive.so.13 lacks archive_read_new"
    fi
    unset LD_LIBRARY_PATH
fi

# ---- Videos -----------------------------------------------------------------

mkdir clip
cp a.ppm b.ppm c.ppm d.ppm clip
extract 0 video clip --frames
head -c 3000 a.ppm >clip/c.ppm
extract 8 cut clip --frames
reason cut "frame clip/c.ppm: PNM: truncated"
extract 0 cut-padded clip --frames --truncated pad
grep -q '"padded"' cut-padded/manifest.jsonl || fail "no frame was padded"

# ---- Folders that are joined ------------------------------------------------

# jobs FLAG...: two jobs of two pictures each, a part a picture
jobs()
{
    rm -rf job-0 job-1 joined
    for i in 0 1; do
        extract 0 job-$i a.ppm b.ppm c.ppm d.ppm --shard $i/2 \
            --shard-bytes 1000 "$@"
    done
}

jobs
cp -r job-0 kept
damage()
{
    rm -rf job-0 joined
    cp -r kept job-0
    edit "job-0/$1" "$2"
}
head -c 100 kept/run.json >job-0/run.json
run 2 merge job-0 job-1 -o joined
says 'job-0/run.json: expected "format": "oriel.extract"'
damage run.json 'del d["options"]'
run 2 merge job-0 job-1 -o joined
says "job-0: its run.json has no options"
damage run.json 'd["options"]["columns"] = 0'
run 2 merge job-0 -o joined
says "job-0: its run.json has no columns or shard_bytes"
damage manifest.jsonl 'd[1]["shard"] = "part-00009.safetensors"'
run 4 merge job-0 job-1 -o joined
says "job-0: its manifest names the part part-00009.safetensors, which its run.json"
damage manifest.jsonl 'd[1]["row_end"] += 7'
run 4 merge job-0 job-1 -o joined --repack
says "job-0/part-00001.safetensors: has no row "
damage manifest.jsonl 'd[1]["row_begin"] = "x"'
run 4 merge job-0 job-1 -o joined
says "job-0/manifest.jsonl: line 2 is no line of a manifest"
damage run.json 'd["options"]["dtype"] = "f32"'
run 4 merge job-0 -o joined --repack
says "job-0/part-00000.safetensors: expected embeddings F32 [rows, "
# More operations than a number holds are the most that it holds.
damage manifest.jsonl 'd[0]["flops"] = d[1]["flops"] = 2**63 - 1'
run 0 merge job-0 job-1 -o joined
json values joined/run.json totals.flops 9223372036854775807
rm -r kept

# A job that had nothing to do has no parts.
rm -rf job-0 job-1 joined
extract 0 job-0 a.ppm --shard 0/2
extract 0 job-1 a.ppm --shard 1/2
run 0 merge job-1 job-0 -o joined
json values joined/run.json totals.inputs 1 totals.parts 1

jobs --format npy --pool mean
truncate -s -1 job-0/part-00000.npy
run 4 merge job-0 job-1 -o joined --repack
says "job-0/part-00000.npy: "
says " bytes, expected whole rows"

# A file system without links: the same bytes, copied.  EPERM 1, EXDEV 18, EIO 5.
if ! grep -q '__[at]san_init' "$oriel"; then
    jobs
    run 0 merge job-0 job-1 -o joined
    for error in 1 18; do
        LD_PRELOAD=$preload FAIL_CALL=link FAIL_ERRNO=$error \
            run 0 merge job-0 job-1 -o anew
        says " 4 parts, not all could be linked"
        check test "$(stat -c %h anew/part-00000.safetensors)" -eq 1
        check diff -r joined anew
        rm -r anew
    done
    # A part that goes while it is joined is named.  ENOENT 2.
    LD_PRELOAD=$preload FAIL_CALL=link FAIL_ERRNO=2 \
        run 4 merge job-0 job-1 -o anew
    says "job-0/part-00000.safetensors: No such file or directory"
    rm -r anew
    # A folder whose lock cannot be made.  EROFS 30.
    LD_PRELOAD=$preload FAIL_CALL=open FAIL_NAME=.oriel.lock FAIL_ERRNO=30 \
        extract 4 unlocked a.ppm
    says "unlocked/.oriel.lock: cannot be locked: Read-only file system"
fi

# ---- Folders that are gone on with ------------------------------------------

mkdir empty
extract 2 empty a.ppm missing.ppm --retry-failed
says "empty: is empty: --retry-failed is for a run that ended"
extract 1 done a.ppm b.ppm missing.ppm --shard-bytes 1000
cp -r done kept
damaged()
{
    rm -r done
    cp -r kept done
    edit "done/$1" "$2"
    extract 4 done a.ppm b.ppm missing.ppm --shard-bytes 1000 --retry-failed
}
damaged manifest.jsonl 'd[0]["shard"] = "pert-00000.safetensors"'
says "done: no part is called pert-00000.safetensors"
damaged manifest.jsonl 'd[1]["row_end"] -= 1'
says "done/part-00001.safetensors: has "
says " rows, but the manifest lists "
damaged manifest.jsonl 'd[1]["row_begin"] = None'
says "done/manifest.jsonl: line 2 is no line of a manifest"

# Another process writes into it: who, if its note says so.
"$python" - <<'PYTHON' &
import fcntl, time
file = open("done/.oriel.lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
open("locked", "w").close()
while True:
    time.sleep(1)
PYTHON
holder=$!
while [ ! -e locked ]; do sleep 0.1; done
extract 2 done a.ppm b.ppm missing.ppm --shard-bytes 1000 --retry-failed
says "done: another process is writing into it"
kill $holder
finish
