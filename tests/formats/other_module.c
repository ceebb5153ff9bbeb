/* SPDX-License-Identifier: Apache-2.0 */
/* other_module.c - a library in the place of liboriel-formats.so, which has not
   its entry */
extern int oriel_other;

__attribute__((visibility("default"))) int oriel_other = 1;
