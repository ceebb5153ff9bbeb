/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - the version as text, made from oriel.h's three numbers */
#ifndef ORIEL_BASE_VERSION_H
#define ORIEL_BASE_VERSION_H

#include "oriel.h"

#define ORIEL_STRINGIFY_(x) #x
#define ORIEL_STRINGIFY(x) ORIEL_STRINGIFY_(x)
#define ORIEL_VERSION_STRING \
    ORIEL_STRINGIFY(ORIEL_VERSION_MAJOR) \
    "." ORIEL_STRINGIFY(ORIEL_VERSION_MINOR) "." ORIEL_STRINGIFY( \
        ORIEL_VERSION_PATCH)

#endif /* ORIEL_BASE_VERSION_H */
