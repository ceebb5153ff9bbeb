/* SPDX-License-Identifier: Apache-2.0 */
/* photo.h - one image file on its way to the encoder */
#ifndef ORIEL_CLI_PHOTO_H
#define ORIEL_CLI_PHOTO_H

#include "cli/settings.h"

enum { CLI_PADDED_BYTES = 560 }; /* a message of the library, and more */

typedef struct cli_photo {
    const char *name;
    char *bytes; /* the file, until it is decoded; NULL: to be read again */
    size_t n_bytes;
    bool is_member;      /* of an archive: the bytes cannot be read again */
    size_t decode_bytes; /* that decoding takes besides the picture */
    unsigned char *rgb;  /* then the picture */
    size_t rgb_bytes;
    oriel_item item;
    int64_t patches;
    /* Why a part of the picture is missing, with --truncated pad; else empty. */
    char padded[CLI_PADDED_BYTES];
    oriel_error err; /* status ORIEL_OK: good so far */
} cli_photo;

/* The two halves of cli_photo_measure: the file's bytes, then what they will
   cost.  Threads: any. */
void cli_photo_read(cli_photo *photo, const cli_settings *settings);
void cli_photo_look(cli_photo *photo, const cli_settings *settings);

/* Whether its bytes begin as some picture does, so that all of them were read. */
bool cli_photo_has_head(const cli_photo *photo);

/* Read the file and find out what it will cost.  A large one is let go of, and
   read again when it is decoded, so that files that wait take little memory.
   Threads: any. */
void cli_photo_measure(cli_photo *photo, const cli_settings *settings);

/* Decode it, and let go of the file.  Threads: any. */
void cli_photo_decode(cli_photo *photo, const cli_settings *settings);

/* Whether the failure is the picture's own, so that others can go on. */
bool cli_photo_is_at_fault(const cli_photo *photo);

void cli_photo_free(cli_photo *photo);

/*
 * Width, height, format and orientation of a file, nothing kept.  For plan,
 * which decodes nothing.
 */
oriel_status cli_photo_probe(const char *name, const cli_settings *settings,
                             oriel_image_info *info, oriel_error *err);

#endif /* ORIEL_CLI_PHOTO_H */
