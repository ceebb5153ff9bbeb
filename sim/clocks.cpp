/* SPDX-License-Identifier: Apache-2.0 */
#include "clocks.hpp"

#include <algorithm>

namespace sim
{

Clocks::Clocks(uint32_t n_threads)
    : now_(n_threads, 1),
      known_(n_threads, std::make_shared<const Knowledge>(n_threads, 0))
{
}

void
Clocks::join(const uint32_t *threads, uint32_t n)
{
    auto joined = std::make_shared<Knowledge>(*known_[threads[0]]);
    const Knowledge *last = known_[threads[0]].get();

    for (uint32_t i = 1; i < n; i++) {
        const Knowledge *other = known_[threads[i]].get();
        if (other == last)
            continue; /* most often all share one */
        last = other;
        for (size_t j = 0; j < joined->size(); j++)
            (*joined)[j] = std::max((*joined)[j], (*other)[j]);
    }
    for (uint32_t i = 0; i < n; i++)
        (*joined)[threads[i]] = now_[threads[i]]++;
    for (uint32_t i = 0; i < n; i++)
        known_[threads[i]] = joined;
}

} // namespace sim
