/* SPDX-License-Identifier: Apache-2.0 */
/* bind.h - tensors of the files to places of the network, all checked */
#ifndef ORIEL_MODEL_BIND_H
#define ORIEL_MODEL_BIND_H

#include "model/checkpoint.h"
#include "model/config.h"

/*
 * Fill network (its geometry), bindings, n_tensors, weight_dtype and
 * weight_bytes from files, prefix and configuration.  'config_name' is what
 * messages call config.json.  A contradiction names both sides; a tensor that
 * is missing or of a wrong shape is ORIEL_ERR_MODEL; one that is no plain float
 * ORIEL_ERR_UNSUPPORTED.  Blocks beyond the configured depth and tensors that
 * are not of this network are left out, as the reference does.  May be called
 * again when more files are open.
 */
oriel_status oriel_checkpoint_bind(oriel_checkpoint *checkpoint,
                                   const oriel_config *config,
                                   const char *config_name, oriel_error *err);

/* Notes on what binding left out. */
oriel_status oriel_checkpoint_note(oriel_checkpoint *checkpoint,
                                   const oriel_config *config,
                                   const char *config_name, oriel_error *err);

/* Without a configuration: whether the shapes are those that the published
   sizes have in common.  ORIEL_ERR_NOT_FOUND: the configuration is. */
oriel_status oriel_checkpoint_check_published(
    const oriel_checkpoint *checkpoint, oriel_error *err);

#endif /* ORIEL_MODEL_BIND_H */
