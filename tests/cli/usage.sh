# SPDX-License-Identifier: Apache-2.0
# usage.sh - help, flags and their mistakes, completion, man page
. "$(dirname "$0")/lib.sh"

commands="encode preprocess plan heatmap inspect pack synth doctor bench completion version help"
run 0 --help
for command in $commands; do
    prints "$command "
done
for later in compare verify; do
    ! grep -qw "  $later" out || fail "advertises $later, which does not exist"
done

# Every help teaches: what for, flags, examples; no line is too long.
for command in $commands; do
    run 0 help "$command"
    cp out help
    run 0 "$command" --help
    check cmp -s out help
    prints "usage: oriel $command"
    prints "Examples:"
    prints "--help"
    check awk 'length($0) > 80 && !/^  [a-z]/ { exit 1 }' out
    run 0 "$command" -h
done

# encode's flags in groups, in this order, and each once.
run 0 encode --help
check test "$(grep ' flags:$' out | paste -sd' ')" = \
    "Input flags: Size flags: Compute flags: GPU flags: Output flags:"
check test -z "$(grep -o '^  .*--[a-z-]*' out | grep -v oriel | sort | uniq -d)"
for flag in "Input flags:--pipeline" "Size flags:--max-tokens" \
    "Compute flags:--precision" "GPU flags:--graphs" "Output flags:--dtype"; do
    awk -v group="${flag%:*}:" -v flag="  ${flag#*:}" '
        / flags:$/ { inside = $0 == group }
        inside && index($0, flag) == 1 { found = 1 }
        END { exit !found }' out || fail "${flag#*:} is not among ${flag%:*}"
done
run 0 version --help
prints "Flags:"
# A flag's help says what it does: it begins with no genitive.
for command in $commands; do
    run 0 "$command" --help
    ! grep -A1 '^  .*--' out | grep -qE "^        (of|whose|the [a-z]+'s) " ||
        fail "oriel $command --help: a text begins with a genitive"
done

# Mistakes: one line, exit status 2, and the way out.
mistake()
{
    run 2 "${@:2}"
    one_line
    says "$1"
}
mistake "no command given"
mistake "unknown command encod, did you mean oriel encode?" encod
mistake "unknown command prepocess, did you mean oriel preprocess?" prepocess
mistake "unknown command xyzzy" xyzzy
mistake "serve is a command of the Python package: python3 -m oriel serve" \
    serve --model x
mistake "python3 -m oriel parquet" help parquet
mistake "unknown command xyzzy" help xyzzy
mistake "unknown flag --foo, did you mean --force?" encode --foo
mistake "unknown flag --presicion, did you mean --precision?" encode --presicion x
mistake "unknown flag --device-name" encode --device-name=cpu
mistake "unknown flag --xyzzyxyzzy (oriel" encode --xyzzyxyzzy
mistake "unknown flag -z" encode -z
mistake "unknown flag -z" encode -qz
mistake "unknown flag --digest" encode --digest
# Beginnings of flags would stop working with the next flag.
mistake "unknown flag --dev, did you mean --device?" encode --dev cpu
mistake "unknown flag --dev, did you mean --device?" encode --dev=cpu
mistake "unknown flag --forc, did you mean --force?" encode --forc a.png
mistake "--output needs a value" encode a.png -o
mistake "--output needs a value" encode a.png --output
mistake "--force takes no value" encode --force=yes
mistake "--output \"\": expected a name" encode a.png -o ""
mistake "--threads 0: expected a whole number from 1 to 4096" encode --threads 0
mistake "--threads 2x: expected" encode --threads 2x
mistake "--threads  2: expected" encode --threads " 2"
mistake "--max-pixels -5: expected" plan --max-pixels -5
mistake "--min-pixels 99999999999999999999: expected" plan \
    --min-pixels 99999999999999999999
mistake "--precision fp8: expected auto, bf16 or fp32" encode --precision fp8
mistake "--kernels both: expected auto, own, cublaslt or hopper" plan --kernels both
mistake "--residual fp32: expected bf16 or wide" extract --residual fp32
mistake "--attention flash: expected own or cudnn" encode --attention flash
mistake "--graphs on: expected auto or off" encode --graphs on
mistake "--checks takes no value" encode --checks=on
mistake "--resample bilinear: expected torchvision" plan --resample bilinear
for device in gpu cuda: cuda:x cuda:-1 cuda:12345 cudax; do
    mistake "--device $device: expected auto, cpu, cuda or cuda:N" encode \
        --device $device
done
mistake "needs -o FILE" encode a.png --model x
mistake "needs -o FILE" preprocess a.png
mistake "needs images" encode -o x.safetensors --model x
mistake "needs images" preprocess -o x.safetensors
mistake "oriel synth --config 7b DIR" encode a.png -o x.safetensors
mistake "encode needs images, -o FILE and --model DIR (a Qwen2.5-VL" encode
mistake "encode needs images and --model DIR (a" encode -o x.safetensors
mistake "encode needs -o FILE and --model DIR (a" encode a.png
mistake "preprocess needs images and -o FILE; oriel" preprocess
mistake "synth needs --config 3b, 7b, 32b, 72b or tiny and one folder" synth
mistake "--max-tokens 0: expected a whole number from 1 to" plan --max-tokens 0
mistake "--max-pixels and --max-tokens: expected one of them" plan 10x10 \
    --max-tokens 5 --max-pixels 4000
mistake "--min-pixels and --min-tokens: expected one of them" plan 10x10 \
    --min-tokens 5 --min-pixels 4000
mistake "--pipeline triton: expected transformers, transformers-pil," plan \
    --pipeline triton
mistake "needs images or sizes" plan
mistake "takes none" plan 10x10 --model 7b --config config.json
mistake "--prefix visual: a published size" plan 10x10 --prefix visual
mistake "above max_pixels" plan 10x10 --sizing qwen-vl-utils \
    --min-pixels 5000 --max-pixels 4000
mistake "inspect needs one folder or file" inspect
mistake "inspect needs one folder or file" inspect a b
mistake "heatmap needs an image, -o FILE and --model DIR; oriel" heatmap
mistake "pack needs a checkpoint and -o FILE; oriel" pack
mistake "synth needs --config" synth folder
mistake "synth needs one folder" synth --config tiny
mistake "expected bash or man" completion
mistake "expected bash or man" completion csh
mistake "takes no argument" version x
mistake "takes no argument" doctor x
mistake "takes one command" help a b
# What a shell or a name can hold does not reach the terminal as it is.
mistake '\x1b[31m' encode --$'\e'"[31m"
absent x.safetensors

# The words after -- are names.
picture ./--force 28 28
run 0 plan -- --force
prints "56x56"

# One version everywhere.
version=$(sed -n 's/^#define ORIEL_VERSION_[A-Z]* //p' \
    "$project/include/oriel.h" | paste -sd.)
run 0 version
prints "oriel $version (liboriel $version"
run 0 --version
prints "oriel $version"
run 0 version --json
json values out tool "\"$version\"" \
    library "\"$version\""

# Standard output that cannot be written is an error.
for arguments in version "plan 28x28" "plan --json 28x28" "help encode"; do
    # shellcheck disable=SC2086
    "$oriel" $arguments >/dev/full 2>err
    status=$?
    [ $status -eq 4 ] || fail "$arguments >/dev/full: exit status $status"
    command_line=$arguments
    says "standard output: cannot write: No space left on device"
done

# Descriptors that the caller closed do not end up in a file.
"$oriel" version >&- 2>err && fail "a closed standard output is no error"
picture closed.ppm 28 28
"$oriel" preprocess missing.ppm closed.ppm -o closed.safetensors \
    <&- >&- 2>&-
check test $? -eq 1
json table closed.safetensors
json failed closed.safetensors missing.ppm

# The committed man page is the tool's own.
run 0 completion man
check cmp out "$project/docs/oriel.1.scd"
if command -v scdoc >/dev/null; then
    scdoc <out >oriel.1 || fail "scdoc refuses the man page"
    # A backslash that reaches troff here takes the brackets' words with it.
    check test -z "$(grep '^\.S[HS].*\\\[' oriel.1)"
    if command -v man >/dev/null; then
        man --warnings -E UTF-8 -l -Tutf8 -Z oriel.1 >/dev/null 2>warnings
        check test ! -s warnings
    fi
else
    echo "skipped: scdoc is not installed, the man page was not compiled"
fi

# Completion, as bash would ask for it.
run 0 completion bash
complete_words()
{
    bash -c '. ./out
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _oriel
        echo "${COMPREPLY[*]}"' bash "$@"
}
check test "$(complete_words oriel enc)" = encode
check test "$(complete_words oriel encode a.png --prec)" = --precision
check test "$(complete_words oriel encode --precision "")" = "auto bf16 fp32"
check test "$(complete_words oriel encode --device "")" = "auto cpu cuda"
check test "$(complete_words oriel synth --config 3)" = "3b 32b"
check test "$(complete_words oriel encode --model "")" = ""
check test "$(complete_words oriel completion "")" = "bash man"
finish
