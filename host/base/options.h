/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - public structs whose caller may be older or newer than we are
 */
#ifndef ORIEL_BASE_OPTIONS_H
#define ORIEL_BASE_OPTIONS_H

#include "oriel.h"

/*
 * Copy a caller's struct over zeroed 'to' of 'to_bytes', struct_size first.
 * 'from' NULL leaves zeros.  Smaller than 'least' (the struct's size in the
 * first version) is ORIEL_ERR_ARGUMENT; a non-zero byte beyond 'to_bytes' is
 * ORIEL_ERR_UNSUPPORTED.  'name' is the struct's name for the message.
 */
oriel_status oriel_options_load(void *to, size_t to_bytes, size_t least,
                                const void *from, const char *name,
                                oriel_error *err);

/*
 * Fill a caller's _info struct: min(its struct_size, 'from_bytes') bytes of
 * 'from', struct_size kept; what it has beyond is zeroed.
 */
oriel_status oriel_info_store(void *to, const void *from, size_t from_bytes,
                              size_t least, const char *name, oriel_error *err);

/*
 * A reserved field must be zero, so that it can be given a meaning one day:
 * else ORIEL_ERR_UNSUPPORTED.  'field' is "oriel_input.reserved".
 */
oriel_status oriel_reserved_check(int64_t value, const char *field,
                                  oriel_error *err);

#endif /* ORIEL_BASE_OPTIONS_H */
