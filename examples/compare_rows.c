/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_rows.c - hold what `oriel encode` wrote against transformers' rows
 *
 *   compare_rows examples/photos/expected_rows.safetensors out.safetensors
 *
 * Prints the cosine and the relative L2 error of every row that the first file
 * holds.  Also an example of reading Oriel's output: a safetensors file is
 * eight bytes with the length of a JSON header, the header, and the tensors.
 * Exit status: 0, or 1 when a row is further away than it may be: 1e-5 for
 * fp32, for bf16 a quarter more than transformers' own bf16 result is, both by
 * the root mean square over the rows; and a cosine below 0.999 never.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((size_t)1 << 30)
#define MAX_HEADER_BYTES ((size_t)1 << 25)

typedef struct tensor_file {
    const char *path;
    uint8_t *bytes;
    size_t n_bytes;
    json_t *header;
    const uint8_t *data; /* after the header */
    size_t data_bytes;
} tensor_file;

static int
complain(const char *path, const char *what)
{
    fprintf(stderr, "compare_rows: %s: %s\n", path, what);
    return -1;
}

/* ---- Reading a safetensors file ---------------------------------------- */

static int
read_all(tensor_file *file)
{
    FILE *stream = fopen(file->path, "rb");
    long size = -1;

    if (stream && fseek(stream, 0, SEEK_END) == 0)
        size = ftell(stream);
    if (size >= 8 && (size_t)size <= MAX_FILE_BYTES)
        file->bytes = malloc((size_t)size);
    if (file->bytes) {
        rewind(stream);
        file->n_bytes = fread(file->bytes, 1, (size_t)size, stream);
    }
    if (stream)
        fclose(stream);
    if (file->n_bytes < 8 || file->n_bytes != (size_t)size)
        return complain(file->path, "cannot be read");
    return 0;
}

static int
open_file(tensor_file *file, const char *path)
{
    uint64_t header_bytes = 0;

    file->path = path;
    if (read_all(file))
        return -1;
    for (int i = 7; i >= 0; i--)
        header_bytes = header_bytes << 8 | file->bytes[i];
    if (header_bytes > MAX_HEADER_BYTES || header_bytes > file->n_bytes - 8)
        return complain(path, "not a safetensors file");
    file->header =
        json_loadb((const char *)file->bytes + 8, (size_t)header_bytes,
                   JSON_REJECT_DUPLICATES, NULL);
    if (!file->header)
        return complain(path, "its header is not JSON");
    file->data = file->bytes + 8 + header_bytes;
    file->data_bytes = file->n_bytes - 8 - (size_t)header_bytes;
    return 0;
}

static void
close_file(tensor_file *file)
{
    json_decref(file->header);
    free(file->bytes);
}

/* A tensor [rows, columns] (a vector: 1 column) of this type, copied. */
static void *
read_tensor(const tensor_file *file, const char *name, const char *dtype,
            size_t width, size_t *rows, size_t *columns)
{
    const char *stored = NULL;
    json_int_t begin = 0, end = 0, shape[2] = {0, 1};
    json_t *dimensions = NULL;
    void *copy = NULL;

    if (json_unpack(json_object_get(file->header, name), "{s:s, s:o, s:[I, I]}",
                    "dtype", &stored, "shape", &dimensions, "data_offsets",
                    &begin, &end) ||
        json_array_size(dimensions) < 1 || json_array_size(dimensions) > 2) {
        fprintf(stderr, "compare_rows: %s: no tensor %s\n", file->path, name);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(dimensions); i++)
        shape[i] = json_integer_value(json_array_get(dimensions, i));
    if (strcmp(stored, dtype) != 0) {
        fprintf(stderr, "compare_rows: %s: %s is %s, wanted %s%s\n", file->path,
                name, stored, dtype,
                strcmp(name, "embeddings") != 0 ? "" : " (--dtype f32)");
        return NULL;
    }
    if (begin < 0 || end < begin || (size_t)end > file->data_bytes ||
        shape[0] < 1 || shape[1] < 1 || shape[0] > (1 << 24) ||
        shape[1] > (1 << 24) ||
        (size_t)(end - begin) != (size_t)(shape[0] * shape[1]) * width) {
        fprintf(stderr, "compare_rows: %s: %s is malformed\n", file->path,
                name);
        return NULL;
    }
    *rows = (size_t)shape[0];
    *columns = (size_t)shape[1];
    copy = malloc((size_t)(end - begin));
    if (copy)
        memcpy(copy, file->data + begin, (size_t)(end - begin));
    return copy;
}

static const char *
metadata(const tensor_file *file, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(file->header, "__metadata__"), key));
}

/* ---- Comparing --------------------------------------------------------- */

typedef struct rows_table {
    float *rows;     /* [n, columns] */
    int64_t *starts; /* the output's offsets, or the expectation's places */
    size_t n, columns, n_starts, start_columns;
    int64_t *grids; /* [photos, 3] */
    size_t photos;
    json_t *names; /* [photos] */
} rows_table;

static int
read_table(rows_table *table, const tensor_file *file, const char *rows,
           const char *starts, const char *names)
{
    const char *list = metadata(file, names);
    size_t three = 0;

    table->rows = read_tensor(file, rows, "F32", sizeof(float), &table->n,
                              &table->columns);
    table->starts = read_tensor(file, starts, "I64", sizeof(int64_t),
                                &table->n_starts, &table->start_columns);
    table->grids = read_tensor(file, "image_grid_thw", "I64", sizeof(int64_t),
                               &table->photos, &three);
    table->names = list ? json_loads(list, 0, NULL) : NULL;
    if (!table->rows || !table->starts || !table->grids)
        return -1;
    if (three != 3 || json_array_size(table->names) != table->photos)
        return complain(file->path, "lists other photographs than it holds");
    return 0;
}

static void
free_table(rows_table *table)
{
    free(table->rows);
    free(table->starts);
    free(table->grids);
    json_decref(table->names);
}

/* Where the photograph of that file name is in the output, or -1. */
static long
find_photo(const rows_table *output, const char *name)
{
    for (size_t i = 0; name && i < output->photos; i++) {
        const char *source =
            json_string_value(json_array_get(output->names, i));
        const char *slash = source ? strrchr(source, '/') : NULL;

        if (source && strcmp(slash ? slash + 1 : source, name) == 0)
            return (long)i;
    }
    return -1;
}

typedef struct row_error {
    double cosine, relative_l2;
} row_error;

static row_error
compare(const float *got, const float *expected, size_t n)
{
    double gg = 0, ee = 0, ge = 0, dd = 0;

    for (size_t i = 0; i < n; i++) {
        const double g = (double)got[i], e = (double)expected[i];

        gg += g * g;
        ee += e * e;
        ge += g * e;
        dd += (g - e) * (g - e);
    }
    return (row_error){ge / sqrt(gg * ee), sqrt(dd / ee)};
}

/* The row of the output that expectation 'i' speaks of, or NULL. */
static const float *
find_row(const rows_table *expected, const rows_table *output, size_t i,
         const char **name)
{
    const int64_t photo = expected->starts[2 * i];
    const int64_t token = expected->starts[2 * i + 1];
    int64_t first, behind;
    long place;

    if (photo < 0 || (size_t)photo >= expected->photos || token < 0)
        return NULL;
    *name = json_string_value(json_array_get(expected->names, (size_t)photo));
    place = find_photo(output, *name);
    if (place < 0 ||
        memcmp(output->grids + 3 * place, expected->grids + 3 * photo,
               3 * sizeof(int64_t)) != 0)
        return NULL;
    first = output->starts[place];
    behind = output->starts[place + 1];
    if (first < 0 || behind > (int64_t)output->n || token >= behind - first)
        return NULL;
    return output->rows + (size_t)(first + token) * output->columns;
}

typedef struct verdict {
    double ours, theirs; /* root mean square of relative L2 errors */
    double cosine_min;
} verdict;

static int
compare_all(const rows_table *expected, const rows_table *output,
            const float *bf16, verdict *v)
{
    *v = (verdict){0, 0, 1};
    printf("%-16s %6s %12s %12s %18s\n", "photograph", "token", "cosine",
           "rel. error", "transformers bf16");
    for (size_t i = 0; i < expected->n; i++) {
        const char *name = "?";
        const float *row = find_row(expected, output, i, &name);
        row_error e;

        if (!row) {
            fprintf(stderr,
                    "compare_rows: %s: not in the output, or of "
                    "another size\n",
                    name ? name : "?");
            return -1;
        }
        e = compare(row, expected->rows + i * expected->columns,
                    expected->columns);
        printf("%-16s %6lld %12.8f %12.2e %18.2e\n", name,
               (long long)expected->starts[2 * i + 1], e.cosine, e.relative_l2,
               (double)bf16[i]);
        v->ours += e.relative_l2 * e.relative_l2;
        v->theirs += (double)bf16[i] * (double)bf16[i];
        if (!(e.cosine >= v->cosine_min))
            v->cosine_min = e.cosine;
    }
    v->ours = sqrt(v->ours / (double)expected->n);
    v->theirs = sqrt(v->theirs / (double)expected->n);
    return 0;
}

static int
judge(const tensor_file *expected, const tensor_file *output, const verdict *v)
{
    const char *precision = metadata(output, "precision");
    const char *made_with = metadata(expected, "made_with");
    const int fp32 = precision && strcmp(precision, "fp32") == 0;
    const double limit = fp32 ? 1e-5 : 1.25 * v->theirs;
    const int good = v->ours <= limit && v->cosine_min >= 0.999;

    printf("\nagainst %s:\n"
           "  least cosine %.8f, relative error %.2e in %s\n"
           "  (allowed here %.2e; transformers' own bf16: %.2e)\n",
           made_with ? made_with : "?", v->cosine_min, v->ours,
           precision ? precision : "?", limit, v->theirs);
    printf(good ? "  the rows agree\n" : "  THE ROWS DO NOT AGREE\n");
    return good ? 0 : -1;
}

static int
run(tensor_file files[2], rows_table tables[2])
{
    size_t n = 0, one = 0;
    float *bf16 = NULL;
    verdict v;
    int result = -1;

    if (read_table(&tables[0], &files[0], "rows", "places", "photos") ||
        read_table(&tables[1], &files[1], "embeddings", "offsets", "sources"))
        return -1;
    bf16 = read_tensor(&files[0], "bf16_relative_l2", "F32", sizeof(float), &n,
                       &one);
    if (!bf16)
        return -1;
    if (tables[0].n_starts != tables[0].n || tables[0].start_columns != 2 ||
        n * one != tables[0].n)
        complain(files[0].path, "rows and places differ in number");
    else if (tables[1].n_starts != tables[1].photos + 1 ||
             tables[0].columns != tables[1].columns)
        complain(files[1].path, "not of this network");
    else if (!compare_all(&tables[0], &tables[1], bf16, &v))
        result = judge(&files[0], &files[1], &v);
    free(bf16);
    return result;
}

int
main(int argc, char **argv)
{
    tensor_file files[2] = {{0}, {0}};
    rows_table tables[2] = {{0}, {0}};
    int result = -1;

    if (argc != 3) {
        fprintf(stderr, "usage: compare_rows EXPECTED OUTPUT\n");
        return 2;
    }
    if (!open_file(&files[0], argv[1]) && !open_file(&files[1], argv[2]))
        result = run(files, tables);
    for (int i = 0; i < 2; i++) {
        free_table(&tables[i]);
        close_file(&files[i]);
    }
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
