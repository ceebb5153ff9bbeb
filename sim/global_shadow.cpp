/* SPDX-License-Identifier: Apache-2.0 */
#include "global_shadow.hpp"

#include "grid.hpp"
#include "report.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <sys/mman.h>

namespace sim
{
namespace
{

constexpr size_t WORD = 4;
constexpr uint32_t MANY = UINT32_MAX; /* blocks have read, none wrote */
constexpr uint32_t SPLIT =
    UINT32_MAX - 1; /* its bytes have cells of their own */
constexpr Time TIME_MOST = (1u << 22) - 1;

intptr_t
here()
{
    return reinterpret_cast<intptr_t>(&host_violation);
}

std::string
line_of(int32_t place)
{
    return source_line(reinterpret_cast<const void *>(here() + place));
}

/* Zeros that cost nothing until they are touched. */
void *
map_cells(size_t bytes)
{
    void *map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        abort();
    return map;
}

[[noreturn]] void
race_of_blocks(bool write, size_t offset, const void *where, bool wrote,
               uint32_t block, int32_t place)
{
    std::string other =
        block == MANY ? "others" : "block " + std::to_string(block);

    violation("race in global memory: %s offset %zu at %s, which %s of the "
              "same launch %s at %s",
              write ? "writes" : "reads", offset, source_line(where).c_str(),
              other.c_str(), wrote ? "wrote" : "read", line_of(place).c_str());
}

[[noreturn]] void
race_of_threads(bool write, size_t offset, const void *where, bool wrote,
                uint32_t thread, int32_t place)
{
    violation("race in global memory: %s offset %zu at %s, which thread %u of "
              "the same block %s at %s, and no barrier orders them",
              write ? "writes" : "reads", offset, source_line(where).c_str(),
              thread, wrote ? "wrote" : "read", line_of(place).c_str());
}

} // namespace

GlobalTouch
touch_of(const Thread &thread)
{
    const Block &block = *thread.block;

    return {block.launch.device, block.launch.context, block.launch.number,
            block.index,         thread.index,         block.first_thread,
            &block.clocks};
}

GlobalShadow::GlobalShadow(size_t bytes)
    : bytes_(bytes),
      words_(static_cast<Cell *>(map_cells((bytes / WORD + 1) * sizeof(Cell))))
{
}

GlobalShadow::~GlobalShadow()
{
    munmap(words_, (bytes_ / WORD + 1) * sizeof(Cell));
    if (parts_)
        munmap(parts_, (bytes_ / WORD + 1) * WORD * sizeof(Cell));
}

/*
 * Two readers are kept whom no barrier has ordered, of different warps where
 * there are such: a writer who knows of both knows of all, since barriers order
 * whole warps.  (Three warps or more that read, of which named barriers order
 * some with the writer and not others: there a reader may be missed.)
 */
void
GlobalShadow::add_reader(Cell &cell, const GlobalTouch &who, Access mine)
{
    Access &first = cell.readers[0], &second = cell.readers[1];
    auto covers = [&](const Access &reader) {
        return reader.time == 0 ||
               who.clocks->knows(who.first + who.thread,
                                 who.first + reader.thread, reader.time);
    };

    if (covers(first)) {
        first = mine;
        if (second.time && covers(second))
            second.time = 0;
    } else if (covers(second) || first.thread / 32 == second.thread / 32) {
        second = mine;
    }
}

template <bool WRITE>
void
GlobalShadow::note(Cell &cell, const GlobalTouch &who, size_t offset,
                   const void *where)
{
    const Access &writer = cell.writer;
    const bool ours = cell.block == who.block;
    const Time now = who.clocks->now(who.first + who.thread);
    auto unordered = [&](const Access &other) {
        return other.time &&
               !who.clocks->knows(who.first + who.thread,
                                  who.first + other.thread, other.time);
    };

    if (now > TIME_MOST)
        violation("a thread meets others more than %u times", TIME_MOST);
    const Access mine = {
        who.thread & 1023u, now & TIME_MOST,
        static_cast<Place>(reinterpret_cast<intptr_t>(where) - here())};
    if (!ours && writer.time)
        race_of_blocks(WRITE, offset, where, true, cell.block, writer.place);
    if (ours && unordered(writer))
        race_of_threads(WRITE, offset, where, true, writer.thread,
                        writer.place);
    if (!WRITE) {
        if (!ours && cell.readers[0].time)
            cell.block = MANY;
        else
            cell.block = who.block;
        if (cell.block != MANY)
            add_reader(cell, who, mine);
        return;
    }
    for (const Access &reader : cell.readers)
        if (!ours && reader.time)
            race_of_blocks(WRITE, offset, where, false, cell.block,
                           reader.place);
        else if (unordered(reader))
            race_of_threads(WRITE, offset, where, false, reader.thread,
                            reader.place);
    cell = {who.launch, who.block, mine, {}};
}

/* A kernel that has not ended touched these bytes too. */
void
GlobalShadow::check_overlap(size_t word, bool write, size_t offset,
                            const void *where) const
{
    const bool is_split = words_[word].block == SPLIT;
    const Cell *cells = is_split ? parts_ + word * WORD : words_ + word;

    for (size_t i = 0; i < (is_split ? WORD : 1); i++) {
        const Access &writer = cells[i].writer, &reader = cells[i].readers[0];
        const Access &other = writer.time ? writer : reader;

        if (writer.time || (write && reader.time))
            violation(
                "race in global memory: %s offset %zu at %s, which a "
                "kernel that has not ended %s at %s, with no grid_wait "
                "between",
                write ? "writes" : "reads", offset, source_line(where).c_str(),
                writer.time ? "wrote" : "read", line_of(other.place).c_str());
    }
}

void
GlobalShadow::split(size_t word)
{
    if (!parts_)
        parts_ = static_cast<Cell *>(
            map_cells((bytes_ / WORD + 1) * WORD * sizeof(Cell)));
    std::fill_n(parts_ + word * WORD, WORD, words_[word]);
    words_[word].block = SPLIT;
}

template <bool WRITE>
void
GlobalShadow::touch(const GlobalTouch &who, size_t offset, size_t bytes,
                    const void *where)
{
    const size_t end = offset + bytes;

    for (size_t i = offset / WORD; i <= (end - 1) / WORD; i++) {
        Cell &cell = words_[i];
        const size_t from = std::max(offset, i * WORD);
        const size_t to = std::min(end, i * WORD + WORD);

        if (cell.launch != who.launch) {
            if (overlap_now(cell.launch, who.launch))
                check_overlap(i, WRITE, offset, where);
            cell = {who.launch, who.block, {}, {}};
        }
        if (cell.block != SPLIT) {
            if (to - from == WORD) {
                note<WRITE>(cell, who, from, where);
                continue;
            }
            split(i);
        }
        for (size_t b = from; b < to; b++)
            note<WRITE>(parts_[b], who, b, where);
    }
}

void
GlobalShadow::read(const GlobalTouch &who, size_t offset, size_t bytes,
                   const void *where)
{
    touch<false>(who, offset, bytes, where);
}

void
GlobalShadow::write(const GlobalTouch &who, size_t offset, size_t bytes,
                    const void *where)
{
    touch<true>(who, offset, bytes, where);
}

} // namespace sim
