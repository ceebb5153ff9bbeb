/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_hopper.cuh - what Hopper's kernels include, when g++ compiles them */
#pragma once

#include "../ptx_hopper_sim.hpp"
