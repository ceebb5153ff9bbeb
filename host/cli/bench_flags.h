/* SPDX-License-Identifier: Apache-2.0 */
/* bench_flags.h - rows of the table of flags: those of bench alone */
#ifndef ORIEL_CLI_BENCH_FLAGS_H
#define ORIEL_CLI_BENCH_FLAGS_H

#define CLI_BENCH_FLAG(field_, name_, kind_, group_, argument_, help_) \
    { \
        .name = (name_), .group = CLI_GROUP_##group_, .kind = CLI_##kind_, \
        .argument = (argument_), .commands = CLI_BENCH, \
        .offset = FIELD(field_), .low = 1, .high = 200, .help = (help_) \
    }

#define CLI_BENCH_CHOICE(field_, name_, group_, choices_, help_) \
    { \
        .name = (name_), .group = CLI_GROUP_##group_, .kind = CLI_CHOICE, \
        .choices = (choices_), .commands = CLI_BENCH, .offset = FIELD(field_), \
        .help = (help_) \
    }

/* Of flag_table.c, whose FIELD this is. */
#define CLI_BENCH_FLAGS \
    CLI_BENCH_FLAG(list, "list", SWITCH, INPUT, NULL, \
                   "only say which ops there are, and how often one encode " \
                   "runs each"), \
        CLI_BENCH_FLAG(op, "op", TEXT, INPUT, "REGEX", \
                       "run ops whose step or name matches, such as qkv or " \
                       "MLP; letters of either case"), \
        CLI_BENCH_FLAG(model, "model", FILE, INPUT, "3b|7b|32b|72b|DIR", \
                       "take the widths from this model; default 7b"), \
        CLI_BENCH_FLAG(size, "size", TEXT, SIZE, "[Nx]WxH[,...]", \
                       "pictures of these sizes, multiples of a token; " \
                       "default 448x448, and on a GPU also 1036x1036 and " \
                       "64x448x448"), \
        CLI_BENCH_FLAG(rows, "rows", TEXT, SIZE, "N[,...]", \
                       "pictures of so many patches, as near to a square as " \
                       "there are"), \
        CLI_BENCH_FLAG(hot, "hot", SWITCH, COMPUTE, NULL, \
                       "only with operands in the caches; a GPU's default is " \
                       "hot and cold, the CPU's hot"), \
        CLI_BENCH_FLAG(cold, "cold", SWITCH, COMPUTE, NULL, \
                       "only after the caches were swept"), \
        CLI_BENCH_CHOICE(precision, "precision", COMPUTE, cli_precisions, \
                         "compute in this format on the CPU; auto is bf16"), \
        CLI_BENCH_CHOICE(kernels, "kernels", GPU, cli_kernels, \
                         "time Oriel's own kernels, those for compute " \
                         "capability 9.0, or cuBLASLt's products; auto times " \
                         "all that can run"), \
        CLI_BENCH_FLAG(repeats, "repeats", NUMBER, COMPUTE, "N", \
                       "take N samples of each op; default: what fits 0.3 s " \
                       "on the CPU, 0.12 s on a GPU"), \
        CLI_BENCH_FLAG(once, "once", SWITCH, COMPUTE, NULL, \
                       "run each op once, unchecked and untimed, for a " \
                       "profiler such as ncu"), \
        CLI_BENCH_FLAG(python, "python", FILE, COMPUTE, "PYTHON|none", \
                       "also time torch of this interpreter, if it has one; " \
                       "default python3"), \
        CLI_BENCH_FLAG(json_file, "json", FILE, OUTPUT, "FILE", \
                       "write the run, for --compare and to be shown again"), \
        CLI_BENCH_FLAG(csv, "csv", FILE, OUTPUT, "FILE", \
                       "write a line an op"), \
        CLI_BENCH_FLAG(html, "html", FILE, OUTPUT, "FILE", \
                       "write one page with roofline, a block's time, peers " \
                       "and table; it needs no network"), \
        CLI_BENCH_FLAG(compare, "compare", FILE, OUTPUT, "OLD.json", \
                       "say which ops are faster or slower than in that run; " \
                       "exit status 1 if any of Oriel's is slower")

#endif /* ORIEL_CLI_BENCH_FLAGS_H */
