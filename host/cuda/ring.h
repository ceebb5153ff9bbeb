/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - bytes on their way from the host to the device
 *
 * A ring of slots of pinned memory, each guarded by an event: a slot is filled,
 * its copy enqueued, its event recorded after the copy.  When all slots are on
 * their way, whoever wants the next waits for the oldest.
 *
 * Without a ring the bytes travel as arguments of a kernel (store_bytes.cu), and up
 * to 15 zeros follow the last of them.  So do a plan's records, which are few, and
 * everything in a capture: a replay would read a slot again, and a graph keeps the
 * arguments of its kernels.
 */
#ifndef ORIEL_CUDA_RING_H
#define ORIEL_CUDA_RING_H

#include "oriel.h"

#include "ops.h"

#include <stdbool.h>

enum { ORIEL_RING_SLOTS_MOST = 8 };

typedef struct oriel_cuda_ring {
    char *memory; /* [n_slots, slot_bytes], pinned */
    size_t slot_bytes;
    int32_t n_slots, next;
    cudaEvent_t events[ORIEL_RING_SLOTS_MOST];
    bool sent[ORIEL_RING_SLOTS_MOST]; /* the event has been recorded */
    const oriel_hooks
        *call; /* asked before a slot is waited for; may be NULL */
} oriel_cuda_ring;

/* On the current device.  'slot_bytes' is a multiple of 256. */
oriel_status oriel_cuda_ring_create(oriel_cuda_ring *ring, int32_t n_slots,
                                    size_t slot_bytes, oriel_error *err);
/* Waits for copies on their way; a zeroed or half-made ring is fine. */
void oriel_cuda_ring_destroy(oriel_cuda_ring *ring);

/* Whether the next 'n' slots could be taken at once; no more than there are. */
oriel_status oriel_cuda_ring_is_free(bool *free, const oriel_cuda_ring *ring,
                                     int32_t n, oriel_error *err);

/* Wait until nothing is on its way.  ORIEL_ERR_CANCELLED, and a failed device's */
oriel_status oriel_cuda_ring_wait(oriel_cuda_ring *ring, oriel_error *err);

/* One stretch of device memory, written from front to back. */
typedef struct oriel_cuda_upload {
    oriel_cuda_ring *ring; /* NULL: as arguments */
    cudaStream_t stream;
    char *to;            /* where the slot's first byte goes */
    size_t width, pitch; /* rows of the destination; 0: tight */
    char *slot;          /* being filled; NULL: none */
    size_t filled, written;
    cudaError_t error; /* the first failure; nothing is done after it */
    const char *call;
    bool cancelled; /* the same */
    char carried[ORIEL_CUDA_STORE_BYTES];
} oriel_cuda_upload;

/* 'ring' NULL: as arguments of kernels. */
void oriel_cuda_upload_begin(oriel_cuda_upload *upload, oriel_cuda_ring *ring,
                             cudaStream_t stream, void *to);

/*
 * From here on what is written comes in rows of 'width' bytes that lie 'pitch'
 * apart on the device; what is between them stays as it is.
 */
void oriel_cuda_upload_rows(oriel_cuda_upload *upload, size_t width,
                            size_t pitch);

/* Room for 'bytes' more, whole rows and at most a slot; NULL after a failure. */
void *oriel_cuda_upload_space(oriel_cuda_upload *upload, size_t bytes);

/* Any number of bytes, tight. */
void oriel_cuda_upload_put(oriel_cuda_upload *upload, const void *from,
                           size_t bytes);

/* From here on to 'to', tight.  A gap that only aligns is filled with zeros, so
   that neighbours travel together. */
void oriel_cuda_upload_move(oriel_cuda_upload *upload, void *to);

/* Zeros up to 'written' bytes in all. */
void oriel_cuda_upload_pad(oriel_cuda_upload *upload, size_t written);

/* Send what is left.  The status of all of it; ORIEL_ERR_CANCELLED where a slot
   had to be waited for and the ring's hooks said no. */
oriel_status oriel_cuda_upload_end(oriel_cuda_upload *upload, oriel_error *err);

#endif /* ORIEL_CUDA_RING_H */
