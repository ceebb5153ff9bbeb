/* SPDX-License-Identifier: Apache-2.0 */
/* includes_hpp.cpp - a second file of a program that includes oriel.hpp: nothing
   of it may be defined twice */
#include "oriel.hpp"
