/* SPDX-License-Identifier: Apache-2.0 */
/* hopper_list.h - the files of kernels for sm_90a alone, as list.h lists the others */
#ifndef ORIEL_KERNELS_HOPPER_LIST_H
#define ORIEL_KERNELS_HOPPER_LIST_H

#define ORIEL_HOPPER_KERNELS(X) \
    X(hopper_linear) \
    X(hopper_linear_swiglu) \
    X(hopper_linear_gelu) \
    X(hopper_linear_rows) \
    X(hopper_full_attention)

#endif /* ORIEL_KERNELS_HOPPER_LIST_H */
