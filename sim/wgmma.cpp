/* SPDX-License-Identifier: Apache-2.0 */
#include "wgmma.hpp"

#include "counters.h"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"
#include "tensor_core.hpp"
#include "wgmma_operand.hpp"

#include <algorithm>
#include <cstring>

namespace sim
{
namespace
{

constexpr uint32_t DEPTH = 16, WARP_ROWS = 16, GROUP_ROWS = 64;
constexpr uint32_t CHUNK_VALUES = 8, CHUNK_BYTES = 16;
constexpr uint32_t ALL_WARPS = (1u << GROUP_WARPS) - 1;

/* What one lane brings to its warp's meeting. */
struct Brought {
    const ProductSaid *said;
    float *d;
    uint32_t *a;
    uint32_t groups_left;
};

float
float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint32_t
poison_word()
{
    return poison_byte() * 0x01010101u;
}

/* The warpgroup of a warp of a block, made when it is first asked for. */
Warpgroup &
group_of(Block &block, uint32_t warp)
{
    const uint32_t number = warp / GROUP_WARPS;

    if ((number + 1) * GROUP_WARPS > block.warps.size())
        violation("warp %u is of no warpgroup: the block has %zu warps", warp,
                  block.warps.size());
    while (block.warpgroups.size() <= number) {
        block.warpgroups.push_back(std::make_unique<Warpgroup>());
        for (Warpgroup::Warp &w : block.warpgroups.back()->warps)
            w.agent = block.clocks.add_agent();
    }
    return *block.warpgroups[number];
}

/* Where lane 'l' has its register 'i' in a fragment. */
struct Place {
    uint32_t row, column;
};

Place
place_of(uint32_t l, uint32_t i)
{
    return {l / 4 + (i >> 1 & 1) * 8, i / 4 * 8 + 2 * (l % 4) + (i & 1)};
}

/* ---- Registers ----------------------------------------------------------- */

/* Those that a product writes: they were under way, or are from now on. */
std::shared_ptr<Accumulators>
accumulators_of(Warpgroup::Warp &w, void **brought, const ProductSaid &said)
{
    auto lane = [&](uint32_t l) {
        return static_cast<Brought *>(brought[l])->d;
    };
    const auto n = static_cast<uint32_t>(said.columns) / 2;

    for (const auto &d : w.d)
        if (d->lanes[0] == lane(0)) {
            if (d->columns != said.columns)
                violation("%s: accumulators of %d columns go on as %d, with no "
                          "wait between",
                          said.site.text().c_str(), d->columns, said.columns);
            return d;
        }
    auto d = std::make_shared<Accumulators>();
    d->columns = said.columns;
    d->values.resize(size_t{WARP_ROWS} * static_cast<uint32_t>(said.columns));
    for (uint32_t l = 0; l < WARP_LANES; l++) {
        d->lanes[l] = lane(l);
        for (uint32_t i = 0; i < n && said.add; i++) {
            const Place at = place_of(l, i);
            d->values[at.row * 2 * n + at.column] = lane(l)[i];
        }
        memset(lane(l), poison_byte(), n * sizeof(float));
    }
    w.d.push_back(d);
    return d;
}

std::shared_ptr<RegisterOperand>
operand_of(Warpgroup::Warp &w, void **brought)
{
    auto lane = [&](uint32_t l) {
        return static_cast<Brought *>(brought[l])->a;
    };

    for (const auto &a : w.a)
        if (a->lanes[0] == lane(0))
            return a;
    auto a = std::make_shared<RegisterOperand>();
    for (uint32_t l = 0; l < WARP_LANES; l++) {
        a->lanes[l] = lane(l);
        memcpy(a->values[l].data(), lane(l), sizeof(a->values[l]));
        memset(lane(l), poison_byte(), sizeof(a->values[l]));
    }
    w.a.push_back(a);
    return a;
}

[[noreturn]] void
touched(uint32_t warp, uint32_t lane, const char *what)
{
    violation("lane %u of warp %u wrote to registers with %s of a wgmma before "
              "its wgmma_wait",
              lane, warp, what);
}

/* Give a warp its registers back, and see that nobody wrote to them. */
void
give_back(const Accumulators &d, uint32_t warp)
{
    const auto n = static_cast<uint32_t>(d.columns) / 2;

    for (uint32_t l = 0; l < WARP_LANES; l++)
        for (uint32_t i = 0; i < n; i++) {
            const Place at = place_of(l, i);
            uint32_t bits;

            memcpy(&bits, d.lanes[l] + i, sizeof(bits));
            if (bits != poison_word())
                touched(warp, l, "accumulators");
            d.lanes[l][i] = d.values[at.row * 2 * n + at.column];
        }
}

void
give_back(const RegisterOperand &a, uint32_t warp)
{
    for (uint32_t l = 0; l < WARP_LANES; l++) {
        for (uint32_t i = 0; i < 4; i++)
            if (a.lanes[l][i] != poison_word())
                touched(warp, l, "an operand");
        memcpy(a.lanes[l], a.values[l].data(), sizeof(a.values[l]));
    }
}

template <class Fragment>
void
give_back_all(std::vector<std::shared_ptr<Fragment>> &fragments, uint32_t warp,
              uint32_t number)
{
    auto finished = [&](const std::shared_ptr<Fragment> &f) {
        if (f->last > number)
            return false;
        give_back(*f, warp);
        return true;
    };

    fragments.erase(
        std::remove_if(fragments.begin(), fragments.end(), finished),
        fragments.end());
}

/* ---- Shared memory ------------------------------------------------------- */

/* Call with (place in shared memory, mn, k) for each chunk of an operand. */
template <class Visit>
void
each_chunk(const Block &block, const WgmmaOperand &operand, uint32_t rows,
           Visit visit)
{
    const uint32_t mn_step = operand.mn_major ? CHUNK_VALUES : 1;
    const uint32_t k_step = operand.mn_major ? 1 : CHUNK_VALUES;

    for (uint32_t k = 0; k < DEPTH; k += k_step)
        for (uint32_t mn = 0; mn < rows; mn += mn_step)
            visit(operand.chunk(mn, k) - block.window(), mn, k);
}

/* 8 chunks make a matrix, as of ldmatrix. */
void
count_operand(const Block &block, const WgmmaOperand &operand, uint32_t rows)
{
    size_t offsets[CHUNK_VALUES];

    for (uint32_t mn = 0; mn < rows; mn += CHUNK_VALUES)
        for (uint32_t k = 0; k < DEPTH; k += CHUNK_VALUES) {
            for (uint32_t i = 0; i < CHUNK_VALUES; i++)
                offsets[i] = (operand.mn_major ? operand.chunk(mn, k + i)
                                               : operand.chunk(mn + i, k)) -
                             block.window();
            count_matrix(offsets, Matrices::OPERANDS);
        }
}

void
check_operand(Block &block, const Product &product, const char *which,
              const WgmmaOperand &operand, uint32_t rows, uint32_t group,
              uint32_t number)
{
    const std::string at = product.said.site.text();
    const std::string trouble = operand.trouble();

    if (!trouble.empty())
        violation("%s: the descriptor of %s %s", at.c_str(), which,
                  trouble.c_str());
    each_chunk(block, operand, rows, [&](uint32_t offset, uint32_t, uint32_t) {
        if (offset > block.launch.shared_bytes - CHUNK_BYTES)
            violation("%s: the descriptor of %s reaches beyond %u bytes of "
                      "shared memory",
                      at.c_str(), which, block.launch.shared_bytes);
        block.shadow.product_read(product.known, group, number, offset,
                                  product.said.where);
    });
    if (counting)
        count_operand(block, operand, rows);
}

/* Its values as floats, [mn_values, DEPTH] for a and [DEPTH, mn_values] for b. */
std::vector<float>
values_of(const Block &block, const WgmmaOperand &operand, uint32_t rows,
          bool depth_first)
{
    std::vector<float> values(size_t{rows} * DEPTH);

    each_chunk(block, operand, rows,
               [&](uint32_t offset, uint32_t mn, uint32_t k) {
                   uint16_t chunk[CHUNK_VALUES];

                   memcpy(chunk, block.shared + offset, sizeof(chunk));
                   for (uint32_t i = 0; i < CHUNK_VALUES; i++) {
                       const uint32_t m = operand.mn_major ? mn + i : mn;
                       const uint32_t d = operand.mn_major ? k : k + i;

                       values[depth_first ? d * rows + m : m * DEPTH + d] =
                           float_of(static_cast<uint32_t>(chunk[i]) << 16);
                   }
               });
    return values;
}

/* ---- Products ------------------------------------------------------------ */

void
operand_values(const RegisterOperand &a, float *values)
{
    for (uint32_t l = 0; l < WARP_LANES; l++)
        for (uint32_t i = 0; i < 4; i++) {
            const uint32_t row = l / 4 + (i & 1) * 8;
            const uint32_t k = 2 * (l % 4) + (i >> 1) * 8;
            const bool swapped =
                planted == Plant::WGMMA_FRAGMENT && (i == 1 || i == 2);
            const uint32_t pair = a.values[l][swapped ? 3 - i : i];

            values[row * DEPTH + k] = float_of(pair << 16);
            values[row * DEPTH + k + 1] = float_of(pair & 0xffff0000u);
        }
}

/* What is planted in an operand a [64, 16]. */
void
spoil_operand(std::vector<float> &a)
{
    constexpr size_t OF_WARP = size_t{WARP_ROWS} * DEPTH;

    for (size_t row = 0; row < GROUP_ROWS && planted == Plant::WGMMA_DEPTH;
         row++)
        a[row * DEPTH + DEPTH - 1] = 0;
    if (planted == Plant::WGMMA_WARP)
        std::copy_n(a.begin() + 2 * OF_WARP, OF_WARP, a.begin() + 3 * OF_WARP);
}

/* In what an instruction says. */
ProductSaid
spoiled(ProductSaid said)
{
    if (planted == Plant::WGMMA_TRANSPOSED)
        said.a_mn_major = said.b_mn_major = false;
    if (planted == Plant::WGMMA_ADDS_NOT)
        said.add = false;
    if (planted == Plant::WGMMA_CLEARS_NOT)
        said.add = true;
    return said;
}

void
multiply(const Block &block, const Product &product)
{
    const ProductSaid &said = product.said;
    const auto columns = static_cast<uint32_t>(said.columns);
    const std::vector<float> b =
        values_of(block, {said.b, said.b_mn_major}, columns, true);
    std::vector<float> a(size_t{GROUP_ROWS} * DEPTH);

    if (!said.a_in_registers)
        a = values_of(block, {said.a, said.a_mn_major}, GROUP_ROWS, false);
    if (said.a_in_registers)
        for (uint32_t w = 0; w < GROUP_WARPS; w++)
            operand_values(*product.a[w],
                           a.data() + size_t{w} * WARP_ROWS * DEPTH);
    spoil_operand(a);
    for (uint32_t w = 0; w < GROUP_WARPS; w++) {
        std::vector<float> &d = product.d[w]->values;

        if (!said.add)
            std::fill(d.begin(), d.end(), 0.0f);
        warpgroup_core(a.data() + size_t{w} * WARP_ROWS * DEPTH, b.data(),
                       said.columns, d.data());
        if (planted == Plant::WGMMA_ONE_SM && is_on_second_sm(block))
            d[0] = -d[0];
    }
}

void
run_until(const Block &block, Warpgroup &group, uint32_t number)
{
    for (; group.done < number; group.done++)
        multiply(block, group.products[group.done + 1 - group.first]);
}

/* All four warps have issued it. */
void
begin(Block &block, Warpgroup &group, uint32_t number, uint32_t warp)
{
    const Product &product = group.products[number - group.first];
    const ProductSaid &said = product.said;
    const uint32_t g = warp / GROUP_WARPS;
    std::array<uint32_t, GROUP_WARPS> agents;

    for (uint32_t w = 0; w < GROUP_WARPS; w++)
        agents[w] = group.warps[w].agent;
    block.shadow.product_begins(g, agents, number, said.where);
    if (!said.a_in_registers)
        check_operand(block, product, "a", {said.a, said.a_mn_major},
                      GROUP_ROWS, g, number);
    check_operand(block, product, "b", {said.b, said.b_mn_major},
                  static_cast<uint32_t>(said.columns), g, number);
    group.begun = number;
    for (uint32_t t : group.waiting)
        block.threads[t].waiting = false;
    group.waiting.clear();
    if (schedule_in_use().landing == Landing::AT_ISSUE)
        run_until(block, group, number);
}

bool
says_the_same(const ProductSaid &x, const ProductSaid &y)
{
    return x.site == y.site && x.columns == y.columns && x.a == y.a &&
           x.b == y.b && x.a_in_registers == y.a_in_registers &&
           x.a_mn_major == y.a_mn_major && x.b_mn_major == y.b_mn_major &&
           x.add == y.add;
}

void
know(Product &product, const Clocks &clocks, uint32_t first)
{
    for (uint32_t t = first; t < first + WARP_LANES; t++)
        if (product.known.empty() || product.known.back() != clocks.known(t))
            product.known.push_back(clocks.known(t));
}

void
issue(Block &block, uint32_t warp, void **brought)
{
    Warpgroup &group = group_of(block, warp);
    const uint32_t q = warp % GROUP_WARPS;
    Warpgroup::Warp &w = group.warps[q];
    const ProductSaid &said = *static_cast<Brought *>(brought[0])->said;
    const uint32_t number = ++w.issued;

    for (uint32_t l = 1; l < WARP_LANES; l++)
        if (!says_the_same(*static_cast<Brought *>(brought[l])->said, said))
            violation("%s: lanes 0 and %u of warp %u give it other operands",
                      said.site.text().c_str(), l, warp);
    if (!w.fenced)
        violation("%s: a product of warp %u with no wgmma_fence since %s",
                  said.site.text().c_str(), warp,
                  number == 1 ? "the kernel began" : "the last wgmma_wait");
    if (number == group.first + group.products.size())
        group.products.push_back({said, 0, {}, {}, {}});
    Product &product = group.products[number - group.first];
    if (!says_the_same(product.said, said))
        violation("the warps of a warpgroup issue different products: warp %u "
                  "at %s, another at %s",
                  warp, said.site.text().c_str(),
                  product.said.site.text().c_str());
    product.d[q] = accumulators_of(w, brought, said);
    product.d[q]->last = number;
    if (said.a_in_registers) {
        product.a[q] = operand_of(w, brought);
        product.a[q]->last = number;
    }
    know(product, block.clocks, block.first_thread + warp * WARP_LANES);
    product.warps |= 1u << q;
    if (product.warps == ALL_WARPS)
        begin(block, group, number, warp);
}

/* ---- Waits --------------------------------------------------------------- */

void
want(Block &block, uint32_t warp, void **brought)
{
    Warpgroup::Warp &w = group_of(block, warp).warps[warp % GROUP_WARPS];
    const uint32_t left = static_cast<Brought *>(brought[0])->groups_left;

    w.fenced = false;
    w.wanted = w.waited;
    for (; w.groups.size() > left; w.groups.pop_front())
        w.wanted = w.groups.front();
}

/* The warp has waited: its registers are its own again. */
void
finish(Block &block, uint32_t warp)
{
    Warpgroup &group = group_of(block, warp);
    Warpgroup::Warp &w = group.warps[warp % GROUP_WARPS];
    uint32_t by_all = w.wanted;

    if (w.waited == w.wanted)
        return;
    run_until(block, group, w.wanted);
    give_back_all(w.d, warp, w.wanted);
    give_back_all(w.a, warp, w.wanted);
    w.waited = w.wanted;
    block.clocks.learn(block.first_thread + warp * WARP_LANES, WARP_LANES,
                       w.agent, w.waited);
    for (const Warpgroup::Warp &other : group.warps)
        by_all = std::min(by_all, other.waited);
    for (; group.first <= by_all; group.first++)
        group.products.pop_front();
}

} // namespace

void
wgmma_fence(const Site &site)
{
    meet_warp(site, nullptr, [](Block &block, uint32_t warp, void **) {
        group_of(block, warp).warps[warp % GROUP_WARPS].fenced = true;
    });
}

void
wgmma_issue(const ProductSaid &said, float *d, uint32_t *a)
{
    const ProductSaid heard = spoiled(said);
    Brought mine = {&heard, d, a, 0};

    meet_warp(said.site, &mine, issue);
}

void
wgmma_commit(const Site &site)
{
    meet_warp(site, nullptr, [](Block &block, uint32_t warp, void **) {
        Warpgroup::Warp &w = group_of(block, warp).warps[warp % GROUP_WARPS];
        w.groups.push_back(w.issued);
    });
}

void
wgmma_wait(const Site &site, uint32_t groups_left)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    const uint32_t warp = thread.index / WARP_LANES;
    Brought mine = {nullptr, nullptr, nullptr, groups_left};

    meet_warp(site, &mine, want);
    Warpgroup &group = group_of(block, warp);
    const uint32_t wanted = group.warps[warp % GROUP_WARPS].wanted;
    while (group.begun < wanted) { /* its siblings are still to issue it */
        group.waiting.push_back(thread.index);
        thread.waiting = true;
        thread.fiber.suspend();
    }
    finish(block, warp);
}

void
check_registers(const Thread &thread, const void *address, size_t bytes,
                const void *where)
{
    const Block &block = *thread.block;
    const uint32_t warp = thread.index / WARP_LANES, l = thread.lane();
    const char *p = static_cast<const char *>(address);
    auto check = [&](const void *registers, size_t n) {
        const char *r = static_cast<const char *>(registers);

        if (p < r + n && p + bytes > r)
            violation(
                "thread %u touches at %s the registers of a wgmma that it "
                "has not waited for",
                thread.index, source_line(where).c_str());
    };

    if (warp / GROUP_WARPS >= block.warpgroups.size())
        return;
    const Warpgroup::Warp &w =
        block.warpgroups[warp / GROUP_WARPS]->warps[warp % GROUP_WARPS];
    for (const auto &d : w.d)
        check(d->lanes[l], static_cast<size_t>(d->columns) / 2 * sizeof(float));
    for (const auto &a : w.a)
        check(a->lanes[l], 4 * sizeof(uint32_t));
}

void
products_done_perhaps(Block &block)
{
    if (schedule_in_use().landing != Landing::RANDOM || draw() % 16)
        return;
    Warpgroup &group = *block.warpgroups[draw() % block.warpgroups.size()];
    if (group.done < group.begun)
        run_until(block, group, group.done + 1);
}

std::string
products_left(const Block &block)
{
    for (size_t g = 0; g < block.warpgroups.size(); g++)
        for (uint32_t q = 0; q < GROUP_WARPS; q++) {
            const Warpgroup::Warp &w = block.warpgroups[g]->warps[q];
            const std::string who = "warp " +
                                    std::to_string(g * GROUP_WARPS + q) +
                                    " of block " + std::to_string(block.index);

            if (w.waited < w.issued)
                return who + " ends with wgmma that it never waited for";
        }
    return "";
}

} // namespace sim
