/* SPDX-License-Identifier: Apache-2.0 */
/*
 * principal.h - the first three principal components of rows
 *
 * In double precision on one thread, by orthogonal iteration from a fixed
 * start: the same rows give the same bytes.  The sign of a component is such
 * that its entry of largest magnitude is positive.
 */
#ifndef ORIEL_CLI_PRINCIPAL_H
#define ORIEL_CLI_PRINCIPAL_H

#include "oriel.h"

#include <stddef.h>

enum { CLI_COMPONENTS = 3 };

/*
 * scores [n, 3] become what the rows [n, d], less their mean, have of each
 * component; a component that the rows do not have is 0.  '*share' becomes how
 * much of the variance the three hold, 0 to 1.  ORIEL_ERR_MEMORY, _CANCELLED
 */
oriel_status cli_principal(double *scores, double *share, const float *rows,
                           size_t n, size_t d, oriel_error *err);

#endif /* ORIEL_CLI_PRINCIPAL_H */
