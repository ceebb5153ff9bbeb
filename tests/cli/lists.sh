# SPDX-License-Identifier: Apache-2.0
# lists.sh - names from lists of any editor, and inputs that fail alone
. "$(dirname "$0")/lib.sh"

for name in a b c @2x "#1" "über"; do
    picture "$name.ppm" 64 48 "$name"
done

# listed SOURCES...: the command line so far succeeds with exactly these
listed()
{
    local expected=$1 command=$2
    shift 2
    # shellcheck disable=SC2086
    run "$expected" preprocess $command -o out.safetensors -f -q
    json sources out.safetensors "$@"
}

# ---- Text -------------------------------------------------------------------

printf 'a.ppm\r\nb.ppm\r\n\r\n' >crlf
listed 0 @crlf a.ppm b.ppm
printf 'a.ppm\r\nb.ppm' >crlf_without_end
listed 0 @crlf_without_end a.ppm b.ppm
printf '\357\273\277a.ppm\nb.ppm\n' >bom
listed 0 @bom a.ppm b.ppm
printf '\357\273\277' >bom_alone
run 2 preprocess @bom_alone -o x.safetensors -q
one_line
# Python's own encoders make the UTF-16.
python3 - <<'PYTHON'
names = "über.ppm\r\n# 図\r\na.ppm\r\n\U0001f600.ppm\r\n"
open("\U0001f600.ppm", "wb").write(open("b.ppm", "rb").read())
for name, mark, codec in (("little", b"\xff\xfe", "utf-16-le"),
                          ("big", b"\xfe\xff", "utf-16-be")):
    open(name, "wb").write(mark + names.encode(codec))
open("unmarked", "wb").write(names.encode("utf-16-le"))
open("odd", "wb").write(b"\xff\xfe" + names.encode("utf-16-le") + b"a")
# A high surrogate with no low one: at the end, and before another character.
for name, text in (("half_at_end", "a\ud83d"), ("half", "\ud83da.ppm"),
                   ("low_alone", "a\ude00b")):
    open(name, "wb").write(b"\xff\xfe" + text.encode("utf-16-le",
                                                     "surrogatepass"))
PYTHON
grin=$'\xf0\x9f\x98\x80.ppm'
listed 0 @little "über.ppm" a.ppm "$grin"
listed 0 @big "über.ppm" a.ppm "$grin"
"$oriel" preprocess - -o out.safetensors -f -q <little 2>err || fail "UTF-16 on stdin"
json sources out.safetensors "über.ppm" a.ppm "$grin"
for bad in unmarked odd half_at_end half low_alone; do
    listed 1 "@$bad c.ppm" c.ppm
    one_line
    json failed out.safetensors "@$bad"
done
run 1 preprocess @odd c.ppm -o out.safetensors -f -q
says "@odd: the list is UTF-16 of "
run 1 preprocess @half c.ppm -o out.safetensors -f -q
says "half a surrogate pair at byte 2"

# Comments; names that begin with # are files where they are, and with ./
printf '# a.ppm\n#b.ppm\n c.ppm\na.ppm\n#\n#1.ppm\n./#1.ppm\n' >comments
cp c.ppm " c.ppm"
listed 0 @comments " c.ppm" a.ppm "#1.ppm" "./#1.ppm"
cp a.ppm "#b.ppm"
listed 0 @comments "#b.ppm" " c.ppm" a.ppm "#1.ppm" "./#1.ppm"
printf '   \n\t\n  # a.ppm\n\t#\na.ppm\n' >blanks
listed 0 @blanks a.ppm
cp b.ppm "  # a.ppm"
listed 0 @blanks "  # a.ppm" a.ppm
# With --null every byte is the name's own.
printf '# a.ppm\0a.ppm\r\0#1.ppm\0' >nulls
cp a.ppm $'a.ppm\r'
listed 1 "--null @nulls" $'a.ppm\r' "#1.ppm"
json failed out.safetensors "# a.ppm"

# ---- Names that begin with @ ---------------------------------------------------

listed 0 "a.ppm @2x.ppm" a.ppm @2x.ppm
printf 'c.ppm\n' >2x.ppm.list
printf 'c.ppm\n' >both
printf 'no picture' >@both
listed 1 "a.ppm @both" a.ppm
json failed out.safetensors @both
rm @both
listed 0 "a.ppm @both" a.ppm c.ppm
mkdir @eaDir
cp a.ppm @eaDir/thumb.ppm
listed 1 "b.ppm @eaDir @eaDir/thumb.ppm" b.ppm @eaDir/thumb.ppm
json failed out.safetensors @eaDir
printf '@2x.ppm\n@nowhere\n' >with_at
listed 1 "@with_at" @2x.ppm
json failed out.safetensors @nowhere

# ---- Items fail alone ------------------------------------------------------------

listed 1 "a.ppm @missing b.ppm @2x.jpg" a.ppm b.ppm
json failed out.safetensors @missing @2x.jpg
check test "$(wc -l <err)" -eq 2
check test "$(grep -c 'cannot be opened: No such file or directory' err)" -eq 2
run 1 preprocess a.ppm "" b.ppm -o out.safetensors -f -q
one_line
says "an input without a name"
json sources out.safetensors a.ppm b.ppm
json failed out.safetensors ""
run 1 preprocess a.ppm @missing -o out.safetensors -f --json
json lines err
grep -q '"event":"failed","source":"@missing"' err || fail "no event"
run 1 plan --json 448x448 @missing
json values out total.inputs 1 failed.0.source '"@missing"'
one_line
# Without any input the list's failure is the command's, as before.
run 4 preprocess @missing -o x.safetensors -q
one_line
run 4 plan @missing
one_line

mkfifo fifo written
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind("socket")'
cat a.ppm >written &
SECONDS=0
listed 1 "fifo socket /dev/null /dev/zero b.ppm written" b.ppm written
check test $SECONDS -lt 20
check test "$(wc -l <err)" -eq 4
says "fifo: is a pipe that no process writes to"
says "socket: is a socket, expected a file"
says "/dev/null: is a device, expected a file"
says "/dev/zero: is a device, expected a file"
json failed out.safetensors fifo socket /dev/null /dev/zero

# ---- Names of outputs --------------------------------------------------------------

for name in x.npy x.NPZ x.pt x.json x.csv x.parquet x.h5 x.bin d.dir/x.png; do
    run 2 preprocess a.ppm -o $name -q
    one_line
    says "only safetensors files are written"
    absent $name
    run 2 encode a.ppm --model model -o $name -q
    one_line
done
mkdir -p folder.npy
for name in x x.st embeddings.out folder.npy/x; do
    run 0 preprocess a.ppm -o $name -q
done
finish
