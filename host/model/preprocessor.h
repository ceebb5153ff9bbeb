/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preprocessor.h - the image processor's configuration
 *
 * Sources, in the reference's order: "image_processor" in
 * processor_config.json (what transformers 5 saves), then
 * preprocessor_config.json.  A file without limits has the reference's class
 * default, 3136 .. 1003520 pixels.  Without any file (one .safetensors, or a
 * model from memory) the limits are those that every published checkpoint
 * carries, 3136 .. 12845056, as in the presets.
 *
 * The limits of videos come from "video_processor" in processor_config.json,
 * then from video_preprocessor_config.json, then from preprocessor_config.json,
 * which is all that published checkpoints have; the class default is 100352 ..
 * 602112 pixels a frame.  Everything else of a video is done as for images.
 */
#ifndef ORIEL_MODEL_PREPROCESSOR_H
#define ORIEL_MODEL_PREPROCESSOR_H

#include "base/memory.h"
#include "base/network.h"
#include "model/notes.h"
#include "oriel.h"

#include <stdbool.h>

/* What the published checkpoints say, into the fields of that section. */
void oriel_preprocessor_published(oriel_network *network);

/*
 * Read a file's text, which is what Python's json reads, into 'network', whose
 * patch, merge and temporal sizes are already set and must agree.  'nested':
 * the text is a processor_config.json; '*found' says whether it holds an image
 * processor.  What cannot be honoured (another resample, do_resize false, ...)
 * is refused by name.  Limits are those that the reference's smart_resize
 * takes: any number, also a fraction, and the smaller one may be the larger.
 * Flags of steps that this image processor has not are noted.
 */
oriel_status oriel_preprocessor_parse(oriel_network *network, const char *text,
                                      size_t bytes, const char *file,
                                      bool nested, bool *found,
                                      oriel_notes *notes,
                                      const oriel_hooks *hooks,
                                      oriel_error *err);

/* The same for videos: only their limits are read, by the same rules. */
oriel_status oriel_video_preprocessor_parse(
    oriel_network *network, const char *text, size_t bytes, const char *file,
    bool nested, bool *found, const oriel_hooks *hooks, oriel_error *err);

#endif /* ORIEL_MODEL_PREPROCESSOR_H */
