/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c - oriel doctor: what this machine offers */
#include "base/fail.h"
#include "base/processor.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/doctor_verify.h"
#include "cli/exits.h"
#include "cli/limits.h"
#include "cli/report.h"
#include "cli/text.h"
#include "files/json_text.h"
#include "model/probe_model.h"
#include "oriel.h"
#include "oriel_image.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <jconfig.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Libraries worth a line in a bug report, by the beginning of their name. */
static const char *const libraries[] = {
    "liboriel.so",     "liboriel-image.so",
    "liboriel-cpu.so", "liboriel-cuda.so",
    "libdnnl.so",      "liboriel-onednn.so",
    "libgomp.so",      "libjansson",
    "libjpeg",         "libpng",
    "libz.so",         "libwebp",
    "libcuda.so",      "libcublasLt.so",
    "libcudnn",        "liboriel-formats.so",
    "libgif.so",       "libtiff.so",
    "libavif.so",      "libheif.so",
    "libdav1d.so",     "libaom.so",
    "libyuv.so",       "libde265.so",
    "libc.so",
};

static bool
is_of_interest(const char *name)
{
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
        if (strncmp(name, libraries[i], strlen(libraries[i])) == 0)
            return true;
    return false;
}

/* For dl_iterate_phdr: add the library's real path to the JSON array. */
static int
add_library(struct dl_phdr_info *info, size_t bytes, void *data)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    char *path;
    json_t **list = data;

    (void)bytes;
    if (!slash || !is_of_interest(slash + 1))
        return 0;
    /* The link leads to the version: libpng16.so.16.39.0. */
    path = realpath(info->dlpi_name, NULL);
    *list =
        oriel_json_append(*list, cli_text_name(path ? path : info->dlpi_name));
    free(path);
    return 0;
}

/*
 * Pictures that libjpeg-turbo 3 decodes otherwise than its predecessors.  Which
 * of them is loaded shows in a function that came with 3.0.
 */
static json_t *
jpeg_json(void)
{
    bool is_3 = dlsym(RTLD_DEFAULT, "jpeg12_read_scanlines") != NULL;

    return json_pack(
        "{s:s, s:s, s:b, s:s}", "version", is_3 ? "3.0 or later" : "before 3.0",
        "built_with", ORIEL_STRINGIFY(LIBJPEG_TURBO_VERSION), "reads_lossless",
        is_3, "differences",
        is_3 ? "none known from Pillow 13's"
             : "lossless JPEG is refused; where scans of a progressive JPEG "
               "are missing, up to 11 levels off Pillow 13's");
}

/* The module for GIF, BMP, TIFF, AVIF and HEIC, loaded by a file of its kind;
   without it, the reason. */
static json_t *
formats_json(void)
{
    static const char bmp[] = "BM";
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;
    oriel_status status =
        oriel_image_probe(bmp, sizeof(bmp) - 1, NULL, &info, &err);

    if (status == ORIEL_ERR_UNSUPPORTED)
        return json_pack("{s:b, s:s}", "present", 0, "error", err.message);
    return json_pack("{s:b}", "present", 1);
}

static json_t *
device_json(const char *name, int32_t device, int32_t index)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    oriel_error err;

    if (oriel_device_get_info(device, index, &info, &err))
        return json_pack("{s:s, s:i, s:b, s:s}", "device", name, "index", index,
                         "present", 0, "error", err.message);
    return json_pack(
        "{s:s, s:i, s:b, s:s, s:s, s:i, s:I}", "device", name, "index", index,
        "present", 1, "description", info.description, "precision",
        info.precision == ORIEL_PRECISION_BF16 ? "bf16" : "fp32", "threads",
        info.threads, "memory_bytes", (json_int_t)info.memory_bytes);
}

/* The line in which an encoder tells what the driver loaded. */
typedef struct kernels_line {
    char text[512];
} kernels_line;

static void
keep_kernels_line(void *user, int32_t level, const char *line)
{
    kernels_line *kept = user;

    (void)level;
    if (strstr(line, " kernels: "))
        snprintf(kept->text, sizeof(kept->text), "%s", line);
}

/* Which image each kernel is: an encoder of a tiny model loads them. */
static void
add_kernels(json_t *of, int32_t device, int32_t index)
{
    kernels_line line = {0};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_probe_model probe;
    oriel_encoder *encoder = NULL;
    oriel_error err;
    oriel_status status = oriel_probe_model_open(&probe, &err);

    hooks.log = keep_kernels_line;
    hooks.user = &line;
    options.device = device;
    options.device_index = index;
    options.hooks = &hooks;
    if (!status)
        status = oriel_encoder_create(&encoder, probe.model, &options, &err);
    oriel_encoder_destroy(encoder);
    oriel_probe_model_close(&probe);
    if (status || line.text[0])
        json_object_set_new(of, "kernels",
                            json_string(status ? err.message : line.text));
}

static json_t *
devices_json(void)
{
    enum { GPUS_MAX = 64 };
    json_t *list = json_array();

    list = oriel_json_append(list, device_json("cpu", ORIEL_DEVICE_CPU, 0));
    for (int32_t i = 0; i < GPUS_MAX; i++) {
        json_t *device = device_json("cuda", ORIEL_DEVICE_CUDA, i);
        bool present = json_is_true(json_object_get(device, "present"));

        if (present) {
            add_kernels(device, ORIEL_DEVICE_CUDA, i);
            cli_doctor_occupancy(device, i);
        }
        /* The first absent one tells why there is none. */
        if (present || i == 0)
            list = oriel_json_append(list, json_incref(device));
        json_decref(device);
        if (!present)
            break;
    }
    return list;
}

static json_t *
processor_json(void)
{
    cli_limits limits = cli_limits_read();

    return json_pack("{s:s, s:b, s:i, s:f, s:i, s:I, s:I}", "code_variant",
                     oriel_isa_name(oriel_processor_isa()), "amx_bf16",
                     oriel_processor_has_amx_bf16(), "cores", limits.cores,
                     "cgroup_cores", limits.quota_cores, "threads",
                     limits.threads, "memory_bytes",
                     (json_int_t)oriel_processor_memory_bytes(),
                     "cgroup_memory_bytes", (json_int_t)limits.memory_bytes);
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "?";
}

static bool
is_present(const json_t *device)
{
    return json_is_true(json_object_get(device, "present"));
}

/* 'text' without the name that stands at the head of its line. */
static const char *
without_name(const char *text, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(text, name, n) != 0)
        return text;
    if (strncmp(text + n, ": ", 2) == 0)
        return text + n + 2;
    return text[n] == ' ' ? text + n + 1 : text;
}

/* What to do about a GPU that is missing, or why nothing helps. */
static const char *
advice(const char *why)
{
    if (strstr(why, "NVIDIA driver"))
        return "install NVIDIA driver 580 or later";
    if (strstr(why, "no cuda backend"))
        return "install liboriel-cuda.so beside liboriel.so";
    return without_name(why, "cuda");
}

/* In one line: what encode would run on now, or what to do. */
static json_t *
verdict_json(const json_t *devices)
{
    const json_t *cpu = json_array_get(devices, 0);
    const json_t *cuda = json_array_get(devices, 1);

    if (!is_present(cpu) && !is_present(cuda))
        return json_string("not ready: install liboriel-cpu.so of this version "
                           "beside liboriel.so");
    if (!is_present(cpu))
        return json_sprintf("ready on the GPU in %s; not on the CPU: install "
                            "liboriel-cpu.so of this version beside "
                            "liboriel.so",
                            text_of(cuda, "precision"));
    if (!is_present(cuda))
        return json_sprintf("ready on the CPU in %s; no GPU: %s",
                            text_of(cpu, "precision"),
                            advice(text_of(cuda, "error")));
    return json_sprintf("ready on the GPU in %s and on the CPU in %s",
                        text_of(cuda, "precision"), text_of(cpu, "precision"));
}

static json_t *
libraries_json(void)
{
    json_t *found = json_array();

    dl_iterate_phdr(add_library, &found);
    return found;
}

static json_t *
examine(void)
{
    json_t *devices = devices_json(); /* loads the backends */
    json_t *formats = formats_json(); /* loads the module */

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tool",
                     ORIEL_VERSION_STRING, "library", oriel_version(), "build",
                     json_loads(oriel_build_info(), 0, NULL), "processor",
                     processor_json(), "devices", devices, "libjpeg_turbo",
                     jpeg_json(), "formats_module", formats, "libraries",
                     libraries_json(), "verdict", verdict_json(devices));
}

static int64_t
number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void
print_processor(const json_t *p)
{
    double quota = json_real_value(json_object_get(p, "cgroup_cores"));
    uint64_t memory = (uint64_t)number_of(p, "cgroup_memory_bytes");

    printf("processor  code variant %s%s\n", text_of(p, "code_variant"),
           json_is_true(json_object_get(p, "amx_bf16")) ? ", AMX bf16" : "");
    printf("cores      %" PRId64 " of the affinity mask",
           number_of(p, "cores"));
    if (quota > 0)
        printf(", %.2f of the control group", quota);
    printf(": %" PRId64 " threads by default\n", number_of(p, "threads"));
    printf("memory     %s",
           cli_text_bytes((uint64_t)number_of(p, "memory_bytes")).text);
    if (memory > 0)
        printf(", the control group allows %s", cli_text_bytes(memory).text);
    putchar('\n');
}

static void
print_device(const json_t *d)
{
    const char *name = text_of(d, "device");

    if (!is_present(d)) {
        printf("%-10s %s\n", name, without_name(text_of(d, "error"), name));
        return;
    }
    printf("%-10s %s; auto precision is %s, %s\n", name,
           without_name(text_of(d, "description"), name),
           text_of(d, "precision"),
           cli_text_bytes((uint64_t)number_of(d, "memory_bytes")).text);
    if (json_object_get(d, "kernels"))
        printf("%-10s %s\n", "kernels", text_of(d, "kernels"));
    cli_doctor_print_occupancy(d);
}

static void
print_pictures(const json_t *jpeg, const json_t *formats)
{
    printf("%-10s libjpeg-turbo %s (built with %s): %s\n", "jpeg",
           text_of(jpeg, "version"), text_of(jpeg, "built_with"),
           text_of(jpeg, "differences"));
    if (json_is_true(json_object_get(formats, "present")))
        printf("%-10s GIF, BMP, TIFF, AVIF, HEIC\n", "formats");
    else
        printf("%-10s no GIF, BMP, TIFF, AVIF, HEIC: %s\n", "formats",
               text_of(formats, "error"));
}

static void
print_all(const json_t *document)
{
    const json_t *list;
    size_t i;
    json_t *entry;

    printf("oriel      %s, liboriel %s\n", text_of(document, "tool"),
           text_of(document, "library"));
    print_processor(json_object_get(document, "processor"));
    list = json_object_get(document, "devices");
    json_array_foreach(list, i, entry) print_device(entry);
    print_pictures(json_object_get(document, "libjpeg_turbo"),
                   json_object_get(document, "formats_module"));
    list = json_object_get(document, "libraries");
    json_array_foreach(list, i, entry)
        printf("%-10s %s\n", i ? "" : "libraries",
               ORIEL_QUOTE(json_string_value(entry)));
    puts(text_of(document, "verdict"));
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    json_t *document;
    int failed;

    (void)operands;
    if (n_operands > 0)
        return cli_report_error(CLI_USAGE, "doctor takes no argument");
    if (options->device && !options->verify)
        return cli_report_error(CLI_USAGE, "--device is for doctor --verify");
    document = examine();
    if (!document)
        return cli_report_memory("the examination");
    failed = is_present(json_array_get(json_object_get(document, "devices"), 0))
                 ? CLI_DONE
                 : CLI_DEVICE;
    if (!options->json)
        print_all(document);
    if (options->verify) {
        failed = cli_doctor_verify(options, document);
        /* It may have loaded more. */
        json_object_set_new(document, "libraries", libraries_json());
    }
    if (options->json) {
        const int written = cli_report_document(document);

        return written ? written : failed;
    }
    json_decref(document);
    return failed;
}

const cli_command cli_cmd_doctor = {
    .name = "doctor",
    .usage = "[--verify] [--device cuda:N] [--json]",
    .summary = "what this machine offers: processor, devices, libraries",
    .text =
        "Shows which variant of the code runs here, how many threads and how "
        "much\n"
        "memory the control group leaves, which devices can be used or why "
        "not,\n"
        "which image of each kernel a GPU runs, how pictures are decoded, and "
        "which\n"
        "libraries are loaded from where. The last line says what is ready, or "
        "what to\n"
        "do. Exit status 5 if not even the CPU can be used.\n"
        "With --verify, every instruction, kernel and library that Oriel uses "
        "on a GPU\n"
        "is held against known results there, which takes less than a minute; "
        "exit\n"
        "status 5 if a check fails.\n",
    .examples = "Why does it not take my GPU?\n"
                "oriel doctor\n"
                "For a bug report.\n"
                "oriel doctor --json\n"
                "Does it compute what it should on my second GPU?\n"
                "oriel doctor --verify --device cuda:1\n",
    .flag = CLI_DOCTOR,
    .run = run,
};
