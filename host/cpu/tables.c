/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - angles of rope and levels of each flavour */
#include "cpu/tables.h"

#include "base/fail.h"
#include "base/memory.h"
#include "pixels/pixels.h"
#include "plan/request.h"

#include <math.h>

/*
 * The reference multiplies an fp32 position by an fp32 frequency; the product's
 * cosine is then as good as fp32 can hold.
 */
void
oriel_cpu_make_angles(float *cosine, float *sine, const oriel_network *net,
                      int32_t positions)
{
    int32_t quarter = net->head_dim / 4;

    for (int32_t j = 0; j < quarter; j++) {
        float frequency =
            (float)(1.0 / pow(net->rope_theta, 4.0 * j / net->head_dim));

        for (int32_t p = 0; p < positions; p++) {
            double angle = (double)((float)p * frequency);
            size_t at = (size_t)p * (size_t)quarter + (size_t)j;

            cosine[at] = (float)cos(angle);
            sine[at] = (float)sin(angle);
        }
    }
}

oriel_status
oriel_cpu_tables_make(oriel_cpu_tables *tables, const oriel_network *net,
                      const oriel_hooks *hooks, oriel_error *err)
{
    size_t angles =
        (size_t)ORIEL_CPU_ROPE_POSITIONS * (size_t)(net->head_dim / 4);
    size_t levels = ORIEL_FLAVOURS * sizeof(*tables->levels);

    tables->bytes = levels + 2 * angles * sizeof(float);
    tables->levels = oriel_alloc(hooks, tables->bytes);
    if (!tables->levels)
        return oriel_fail_memory(err, tables->bytes, "tables of a network");
    tables->cosine = (float *)(void *)(tables->levels + ORIEL_FLAVOURS);
    tables->sine = tables->cosine + angles;
    for (int32_t flavour = 0; flavour < ORIEL_FLAVOURS; flavour++)
        oriel_normalise_table(net, flavour, tables->levels[flavour]);
    oriel_cpu_make_angles(tables->cosine, tables->sine, net,
                          ORIEL_CPU_ROPE_POSITIONS);
    return ORIEL_OK;
}

void
oriel_cpu_tables_free(oriel_cpu_tables *tables, const oriel_hooks *hooks)
{
    oriel_free(hooks, tables->levels);
}
