/* SPDX-License-Identifier: Apache-2.0 */
#include "clocks.hpp"

#include <algorithm>

namespace sim
{
namespace
{

void
merge(Knowledge &into, const Knowledge &from)
{
    if (into.size() < from.size())
        into.resize(from.size(), 0);
    for (size_t i = 0; i < from.size(); i++)
        into[i] = std::max(into[i], from[i]);
}

} // namespace

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
        merge(*joined, *other);
    }
    for (uint32_t i = 0; i < n; i++)
        (*joined)[threads[i]] = now_[threads[i]]++;
    for (uint32_t i = 0; i < n; i++)
        known_[threads[i]] = joined;
}

uint32_t
Clocks::add_agent()
{
    return static_cast<uint32_t>(now_.size()) + n_agents_++;
}

void
Clocks::release(uint32_t thread, Known &into)
{
    auto all = std::make_shared<Knowledge>(*known_[thread]);

    if (into)
        merge(*all, *into);
    (*all)[thread] = now_[thread]++;
    into = all;
}

/* The lanes of a warp often know the same and learn the same: they share it. */
void
Clocks::acquire(uint32_t thread, const Known &from)
{
    Known &known = known_[thread];

    if (!from || known == from)
        return;
    for (const Merged &m : merged_)
        if (m.before == known && m.from == from) {
            known = m.after;
            return;
        }
    auto all = std::make_shared<Knowledge>(*known);
    merge(*all, *from);
    merged_[next_merged_++ % merged_.size()] = {known, from, all};
    known = all;
}

void
Clocks::learn(uint32_t first, uint32_t n, uint32_t agent, Time time)
{
    Known before, after;

    for (uint32_t i = first; i < first + n; i++) {
        if (known_[i] != before) {
            auto all = std::make_shared<Knowledge>(*known_[i]);

            if (all->size() <= agent)
                all->resize(agent + 1, 0);
            (*all)[agent] = std::max((*all)[agent], time);
            before = known_[i];
            after = all;
        }
        known_[i] = after;
    }
}

} // namespace sim
