/* SPDX-License-Identifier: Apache-2.0 */
/* ptx.cuh - what kernels include, when g++ compiles them for the simulator */
#pragma once

#include "../ptx_sim.hpp"
