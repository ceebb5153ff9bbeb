/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - opening what cannot be opened */
#include "model/refusal.h"

#include "model/alloc_counter.h"
#include "support/suite.h"

#include <string.h>

void
check_refused(const char *folder, int at, oriel_status status,
              const char *const says[3])
{
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model = (oriel_model *)&l;
    oriel_error err;

    options.hooks = &hooks;
    ck_assert_msg(oriel_model_open(&model, folder, &options, &err) == status,
                  "case %d: status %d: %s", at, err.status, err.message);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(err.status, status);
    ck_assert_ptr_null(strchr(err.message, '\n'));
    for (int i = 0; i < 3 && says[i]; i++)
        ck_assert_msg(strstr(err.message, says[i]) != NULL,
                      "case %d: %s\nlacks %s", at, err.message, says[i]);
    ck_assert_int_eq(l.live, 0);
    ck_assert_uint_le(l.largest, 8 << 20);
}

void
check_spoilt(const spoilt_tower *tower, int at)
{
    checkpoint_builder *b =
        builder_create("visual.", "BF16", 0, tower->n_shards);
    char *folder;

    tower->spoil(b);
    folder = temp_checkpoint(b);
    check_refused(folder, at, tower->status, tower->says);
    temp_remove(folder);
    builder_free(b);
}
