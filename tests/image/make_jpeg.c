/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_jpeg.c - JPEGs of the kinds that Pillow cannot write, for make_corpus.py
 *
 * make_jpeg WIDTH HEIGHT SPACE HxV ARITHMETIC PROGRESSIVE RESTART > file
 * SPACE: rgb (stored as such), ycc, ycck, cmyk, grey.  HxV: sampling of the
 * first component against the others.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

int
main(int argc, char **argv)
{
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    int h = 1, v = 1;

    if (argc != 8 || sscanf(argv[4], "%dx%d", &h, &v) != 2)
        return 2;
    const char *space = argv[3];
    int components = !strcmp(space, "grey")                           ? 1
                     : !strcmp(space, "rgb") || !strcmp(space, "ycc") ? 3
                                                                      : 4;
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_compress(&cinfo);
    jpeg_stdio_dest(&cinfo, stdout);
    cinfo.image_width = (JDIMENSION)atoi(argv[1]);
    cinfo.image_height = (JDIMENSION)atoi(argv[2]);
    cinfo.input_components = components;
    cinfo.in_color_space = components == 1   ? JCS_GRAYSCALE
                           : components == 3 ? JCS_RGB
                                             : JCS_CMYK;
    jpeg_set_defaults(&cinfo);
    jpeg_set_quality(&cinfo, 85, TRUE);
    jpeg_set_colorspace(&cinfo, !strcmp(space, "rgb")    ? JCS_RGB
                                : !strcmp(space, "ycck") ? JCS_YCCK
                                : !strcmp(space, "cmyk") ? JCS_CMYK
                                : components == 1        ? JCS_GRAYSCALE
                                                         : JCS_YCbCr);
    cinfo.comp_info[0].h_samp_factor = h;
    cinfo.comp_info[0].v_samp_factor = v;
    if (components == 4) {
        cinfo.comp_info[3].h_samp_factor = h;
        cinfo.comp_info[3].v_samp_factor = v;
    }
    cinfo.arith_code = atoi(argv[5]) ? TRUE : FALSE;
    cinfo.restart_interval = (unsigned)atoi(argv[7]);
    if (atoi(argv[6]))
        jpeg_simple_progression(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    uint8_t *row = malloc((size_t)cinfo.image_width * (size_t)components);
    uint32_t noise = 12345;
    while (row && cinfo.next_scanline < cinfo.image_height) {
        for (size_t i = 0; i < cinfo.image_width * (size_t)components; i++) {
            noise = noise * 1664525u + 1013904223u;
            row[i] = (uint8_t)(i * 3 + cinfo.next_scanline * 5 +
                               (i % (size_t)components) * 60 + (noise >> 28));
        }
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    free(row);
    return 0;
}
