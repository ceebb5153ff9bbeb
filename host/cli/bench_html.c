/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_html.c - a run as one page: roofline, a block's time, peers, table
 *
 * Everything is inside the page: no script, no font, no network.
 */
#include "cli/bench_charts.h"

#include <stdlib.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\"/>\n<title>Oriel: single ops</title>\n<style>\n"
    ":root { color-scheme: light dark; --ink: #1c2127; --soft: #626b76; "
    "--line: #d8dde3; --paper: #ffffff; --a: #2563a8; --b: #b4581b; --c: "
    "#2f7d4f; --d: #7a4ea3; --e: #a83254; --f: #58707f; --g: #8a7a1f; --h: "
    "#1f8489; --i: #8f4a35; --j: #4d56b0; --k: #64812a; --l: #96508a; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e3e7ec; --soft: "
    "#9aa5b1; --line: #343c46; --paper: #14181d; --a: #6fa8e0; --b: #e39a62; "
    "--c: #74c393; --d: #b795dd; --e: #e07f9b; --f: #94adbc; --g: #cbbb63; "
    "--h: #63c3c8; --i: #d29a86; --j: #9aa2ee; --k: #a9c56f; --l: #d797cb; } "
    "}\n"
    "body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); "
    "background: var(--paper); max-width: 62rem; margin: 2.5rem auto; "
    "padding: 0 1.2rem; }\n"
    "h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: "
    "2.4rem 0 .4rem; } h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }\n"
    "p { margin: .3rem 0; color: var(--soft); }\n"
    "table { border-collapse: collapse; width: 100%; font-size: .82rem; "
    "font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: .22rem .5rem; border-bottom: 1px solid var(--line); "
    "text-align: right; white-space: nowrap; }\n"
    "th { color: var(--soft); font-weight: 600; } .t { text-align: left; }\n"
    ".wide { overflow-x: auto; } .key { font-size: .82rem; } .key span { "
    "margin-right: 1rem; white-space: nowrap; } .key i { display: "
    "inline-block; width: .7em; height: .7em; margin-right: .35em; }\n"
    "svg { display: block; width: 100%; height: auto; }\n"
    "svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } "
    "svg .s { fill: var(--soft); } svg .g { stroke: var(--line); } "
    "svg .r { stroke: var(--ink); fill: none; stroke-width: 1.5; }\n"
    "</style>\n</head>\n<body>\n";

/* ---- The table ------------------------------------------------------------------------------- */

static void
put_cell(FILE *to, double value, int digits, const char *unit)
{
    if (value > 0)
        fprintf(to, "<td>%.*f%s</td>", digits, value, unit);
    else
        fputs("<td>-</td>", to);
}

static void
put_seconds(FILE *to, double seconds)
{
    fprintf(to, "<td>%s</td>",
            seconds > 0 ? cli_bench_seconds(seconds).text : "-");
}

static void
put_row(FILE *to, const cli_bench_row *row)
{
    const char *const texts[] = {row->size, row->step, row->op, row->by,
                                 row->cache};

    fputs("<tr>", to);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        fputs("<td class=\"t\">", to);
        cli_bench_put_escaped(to, texts[i]);
        fputs("</td>", to);
    }
    put_seconds(to, row->median);
    put_seconds(to, row->p10);
    put_seconds(to, row->p90);
    put_cell(to, cli_bench_bytes_per_s(row) * 1e-9, 1, "");
    put_cell(to, cli_bench_flops_per_s(row) * 1e-12, 3, "");
    put_cell(to, row->share * 100, 0, " %");
    put_seconds(to, row->predicted);
    fputs("</tr>\n", to);
}

static void
put_table(FILE *to, const cli_bench_run *run)
{
    fputs("<h2>All rows</h2>\n<div class=\"wide\"><table>\n<thead><tr><th "
          "class=\"t\">size</th><th class=\"t\">step</th><th "
          "class=\"t\">op</th><th class=\"t\">by</th><th "
          "class=\"t\">cache</th><th>median</th><th>p10</th><th>p90</th>"
          "<th>GB/s</th><th>TFLOP/s</th><th>roof</th><th>budget</th></tr>"
          "</thead>\n<tbody>\n",
          to);
    for (size_t i = 0; i < run->n; i++)
        put_row(to, &run->rows[i]);
    fputs("</tbody></table></div>\n", to);
}

/* ---- The page ------------------------------------------------------------------------------------ */

static void
put_fact(FILE *to, const json_t *object, const char *key, const char *before)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_string(value)) {
        fputs(before, to);
        cli_bench_put_escaped(to, json_string_value(value));
    } else if (json_is_integer(value)) {
        fprintf(to, "%s%" JSON_INTEGER_FORMAT, before,
                json_integer_value(value));
    }
}

char *
cli_bench_html(const cli_bench_run *run, size_t *bytes)
{
    const json_t *device = json_object_get(run->json, "device");
    char *out = NULL;
    FILE *to = open_memstream(&out, bytes);

    if (!to)
        return NULL;
    fputs(head, to);
    fputs("<h1>Oriel: single ops</h1>\n<p>", to);
    cli_bench_put_escaped(to, run->name);
    put_fact(to, device, "precision", ", ");
    put_fact(to, device, "threads", ", threads: ");
    put_fact(to, device, "onednn", ", oneDNN ");
    put_fact(to, run->json, "version", "; Oriel ");
    put_fact(to, run->json, "date", "; ");
    fputs(".</p>\n", to);
    cli_bench_draw_rooflines(to, run);
    cli_bench_draw_encode(to, run);
    cli_bench_draw_peers(to, run);
    put_table(to, run);
    fputs("</body>\n</html>\n", to);
    if (fclose(to) == 0)
        return out;
    free(out);
    return NULL;
}
