/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_hook.h - encoders with ORIEL_CHECKS_ON, and a hook before each step
 *
 * The hook sees the backend's own context, so a test can spoil what it likes.
 */
#ifndef TESTS_CUDA_STEP_HOOK_H
#define TESTS_CUDA_STEP_HOOK_H

#include "cuda/context.h"
#include "cuda/cuda_fixture.h"

/* 'block' as oriel_cuda_begin_step has it.  Before START the context has no job;
   before PATCHIFY its parts are listed. */
typedef void step_hook(oriel_backend_context *context, oriel_step step,
                       int32_t block);

/* From now on, of all encoders made here; NULL: none. */
extern step_hook *step_hook_before;
/* The step that was entered last. */
extern oriel_step step_hook_step;
extern int32_t step_hook_block;

/* Kernels are fixture_kernels; 'hooks' may be NULL.  It owns a workspace. */
oriel_encoder *checked_encoder(const cuda_fixture *r, const oriel_hooks *hooks);

/* Index of a part by its name; fails the test when there is none. */
int part_index(const oriel_backend_context *context, const char *name);

#endif /* TESTS_CUDA_STEP_HOOK_H */
