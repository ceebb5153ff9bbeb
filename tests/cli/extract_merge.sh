# SPDX-License-Identifier: Apache-2.0
# extract_merge.sh - jobs of oriel extract, joined to what one run writes
. "$(dirname "$0")/lib.sh"
python=${ORIEL_PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || {
    echo "skipped: $python has no numpy"
    exit 77
}

folder()
{
    "$python" "$here/extract.py" "$@" || fail "extract.py $* ($command_line)"
}

same()
{
    diff -r "$1" "$2" >difference || {
        fail "$1 and $2 differ ($command_line)"
        cat difference
    }
}

run 0 synth --config tiny --seed 1 model
folder make
for format in "" "--pool mean --format npy"; do
    rm -rf one job-* joined repacked
    # shellcheck disable=SC2086
    {
        run 1 extract f list.jsonl clip -o one --model model --device cpu \
            --shard-bytes 2000 $format
        for i in 0 1 2; do
            run 1 extract f list.jsonl clip -o job-$i --model model \
                --device cpu --shard-bytes 2000 --shard $i/3 $format
        done
    }
    # The index that a list gives is beyond those of the clip: sorted by index.
    run 2 merge job-0 job-1 job-2 -o joined
    says "is there twice, or out of order"
    rm -rf one job-* joined
    # shellcheck disable=SC2086
    {
        run 1 extract f clip -o one --model model --device cpu \
            --shard-bytes 2000 $format
        for i in 0 1 2; do
            run $((i != 0)) extract f clip -o job-$i --model model \
                --device cpu --shard-bytes 2000 --shard $i/3 $format
        done
    }
    run 0 merge job-0 job-1 job-2 -o joined
    folder folder joined
    check test "$(stat -c %h joined/part-00000.*)" -eq 2
    check cmp <(sed 's/"shard":[^,]*,"row_begin":[^,]*,"row_end":[^,]*//' \
        one/manifest.jsonl) <(sed \
        's/"shard":[^,]*,"row_begin":[^,]*,"row_end":[^,]*//' \
        joined/manifest.jsonl)
    # Linked parts hold the rows of one run, and so do links to links.
    "$python" - "$here" <<'PYTHON' || fail "joined rows"
import sys
sys.path.insert(0, sys.argv[1])
import extract
a, b = extract.all_rows("one"), extract.all_rows("joined")
assert len(a) == len(b) > 0
assert all(x.tobytes() == y.tobytes() for x, y in zip(a, b))
PYTHON
    # Written anew they are the very files of one run, from either.
    run 0 merge job-0 job-1 job-2 -o repacked --repack
    same one repacked
    rm -r repacked
    run 0 merge joined -o repacked --repack
    same one repacked
done

# A job that is missing is said; what does not belong together is refused.
run 0 merge job-0 job-2 -o two
says "indices below the largest are in none of the folders"
run 0 merge job-0 job-2 -o events --json
json lines err
run 2 merge job-0 job-0 -o x
says "is there twice"
run 2 merge job-0 job-1 -o one
says "one: is not empty"
run 2 merge
says "merge needs folders and -o FOLDER"
run 2 merge f -o y
says "f: has no run.json"
run 0 extract f -o other --model model --device cpu --dtype f32 --shard 0/3 \
    --shard-bytes 2000
run 2 merge job-1 other -o y
says "other: was made with another options."
sed -i 's/"complete"/"incomplete"/' job-1/run.json
run 2 merge job-0 job-1 job-2 -o y
says "job-1: is not complete"
sed -i 's/"incomplete"/"complete"/' job-1/run.json
rm job-1/part-00000.*
run 4 merge job-0 job-1 job-2 -o y --repack
says "job-1/part-00000"
finish
