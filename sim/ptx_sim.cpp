/* SPDX-License-Identifier: Apache-2.0 */
#include "ptx_sim.hpp"

#include "counters.h"
#include "grid.hpp"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"
#include "tensor_core.hpp"

#include <utility>

namespace ptx
{
namespace
{

sim::Site
site(const char *kind, const char *file, int line)
{
    return {kind, file, line};
}

/* What one lane brings to a collective. */
struct Brought {
    uint32_t value = 0, other = 0;
    uint32_t *registers = nullptr;
    float *d = nullptr;
    const uint32_t *a = nullptr, *b = nullptr;
    const void *where = nullptr;
};

} // namespace

uint32_t
thread_index()
{
    return sim::current()->index;
}

uint32_t
block_index()
{
    return sim::current()->block->index;
}

uint32_t
grid_blocks()
{
    return sim::current()->block->launch.blocks;
}

uint32_t
opaque(uint32_t value)
{
    return value;
}

/* ---- Kernels that overlap ---------------------------------------------- */

void
grid_wait(const char *file, int line)
{
    sim::grid_wait(site("grid_wait", file, line));
}

void
grid_launch_dependents()
{
    sim::grid_launch_dependents();
}

/* ---- Shared memory ----------------------------------------------------- */

char *
dynamic_shared()
{
    return sim::current()->block->begin(false);
}

uint32_t
shared_address(const void *pointer)
{
    const sim::Block &block = *sim::current()->block;
    ptrdiff_t offset = static_cast<const char *>(pointer) - block.shared;

    if (offset < 0 ||
        offset > static_cast<ptrdiff_t>(block.launch.shared_bytes))
        sim::violation("the shared address of what is not in shared memory");
    return block.window() + static_cast<uint32_t>(offset);
}

/* ---- Meetings ---------------------------------------------------------- */

void
sync_block(const char *file, int line)
{
    sim::meet_block(site("sync_block", file, line), 0,
                    sim::current()->block->launch.threads, true);
}

void
sync_named(uint32_t barrier, uint32_t threads, const char *file, int line)
{
    if (barrier == 0)
        sim::violation("barrier 0 is sync_block's own");
    sim::meet_block(site("sync_named", file, line), barrier, threads, false);
}

void
sync_warp(const char *file, int line)
{
    sim::meet_warp(site("sync_warp", file, line), nullptr,
                   [](sim::Block &block, uint32_t warp, void **) {
                       uint32_t lanes[32];
                       for (uint32_t l = 0; l < 32; l++)
                           lanes[l] = block.first_thread + warp * 32 + l;
                       block.clocks.join(lanes, 32);
                   });
}

/* Values go round by lane; memory is not ordered by it. */
static uint32_t
exchange(const sim::Site &where, uint32_t value, uint32_t from)
{
    Brought mine;

    mine.value = value;
    mine.other = from & 31;
    sim::meet_warp(where, &mine, [](sim::Block &, uint32_t, void **brought) {
        uint32_t values[32];
        for (int l = 0; l < 32; l++)
            values[l] = static_cast<Brought *>(brought[l])->value;
        for (int l = 0; l < 32; l++) {
            Brought *lane = static_cast<Brought *>(brought[l]);
            if (sim::planted != sim::Plant::SHUFFLE || l != 5)
                lane->value = values[lane->other];
        }
    });
    return mine.value;
}

float
shuffle_xor(float value, uint32_t mask, const char *file, int line)
{
    return bits_to_float(exchange(site("shuffle_xor", file, line),
                                  float_to_bits(value),
                                  sim::current()->lane() ^ mask));
}

uint32_t
shuffle_xor(uint32_t value, uint32_t mask, const char *file, int line)
{
    return exchange(site("shuffle_xor", file, line), value,
                    sim::current()->lane() ^ mask);
}

uint32_t
shuffle(uint32_t value, uint32_t lane, const char *file, int line)
{
    return exchange(site("shuffle", file, line), value, lane);
}

uint32_t
reduce_or(uint32_t value, const char *file, int line)
{
    Brought mine;

    mine.value = value;
    sim::meet_warp(site("reduce_or", file, line), &mine,
                   [](sim::Block &, uint32_t, void **brought) {
                       uint32_t all = 0;
                       int first = sim::planted == sim::Plant::REDUCE_OR;
                       for (int l = first; l < 32; l++)
                           all |= static_cast<Brought *>(brought[l])->value;
                       for (int l = 0; l < 32; l++)
                           static_cast<Brought *>(brought[l])->value = all;
                   });
    return mine.value;
}

/* ---- Tensor cores ------------------------------------------------------ */

/* The row that lane 'l' points at, checked and seen as its read. */
static const unsigned char *
matrix_row(sim::Block &block, uint32_t warp, uint32_t l, const Brought &lane)
{
    uint32_t offset = lane.value - block.window();

    if (lane.value < block.window() || lane.value % 16)
        sim::violation("ldmatrix: lane %u gives address %u, expected a "
                       "multiple of 16 in shared memory",
                       l, lane.value);
    sim::shared_access(block.threads[warp * 32 + l], block.shared + offset, 16,
                       false, lane.where);
    return reinterpret_cast<unsigned char *>(block.shared + offset);
}

template <int MATRICES, bool TRANSPOSED>
static void
load_matrices(sim::Block &block, uint32_t warp, void **brought)
{
    for (uint32_t m = 0; m < MATRICES; m++) {
        const unsigned char *rows[8];
        size_t offsets[8];

        for (uint32_t i = 0; i < 8; i++) {
            const Brought &lane = *static_cast<Brought *>(brought[m * 8 + i]);

            rows[i] = matrix_row(block, warp, m * 8 + i, lane);
            offsets[i] = lane.value - block.window();
        }
        if (sim::planted == sim::Plant::LDMATRIX_ROW)
            rows[7] = rows[6];
        if (sim::counting)
            sim::count_matrix(offsets, sim::Matrices::LOADED);
        for (uint32_t l = 0; l < 32; l++) {
            uint16_t low, high;
            uint32_t g = l / 4, t = l % 4;
            bool turn =
                TRANSPOSED && sim::planted != sim::Plant::LDMATRIX_TRANS;

            memcpy(&low, turn ? rows[2 * t] + 2 * g : rows[g] + 4 * t, 2);
            memcpy(&high, turn ? rows[2 * t + 1] + 2 * g : rows[g] + 4 * t + 2,
                   2);
            static_cast<Brought *>(brought[l])->registers[m] =
                low | static_cast<uint32_t>(high) << 16;
        }
    }
}

template <int MATRICES, bool TRANSPOSED>
static void
ldmatrix(const char *kind, uint32_t *r, uint32_t address, const char *file,
         int line, const void *where)
{
    Brought mine;

    mine.value = address;
    mine.registers = r;
    mine.where = where;
    sim::meet_warp(site(kind, file, line), &mine,
                   load_matrices<MATRICES, TRANSPOSED>);
}

void
ldmatrix_x4(uint32_t (&r)[4], uint32_t address, const char *file, int line)
{
    ldmatrix<4, false>("ldmatrix_x4", r, address, file, line,
                       __builtin_return_address(0));
}

void
ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t address, const char *file,
                  int line)
{
    ldmatrix<4, true>("ldmatrix_x4_trans", r, address, file, line,
                      __builtin_return_address(0));
}

void
ldmatrix_x2(uint32_t (&r)[2], uint32_t address, const char *file, int line)
{
    ldmatrix<2, false>("ldmatrix_x2", r, address, file, line,
                       __builtin_return_address(0));
}

void
ldmatrix_x2_trans(uint32_t (&r)[2], uint32_t address, const char *file,
                  int line)
{
    ldmatrix<2, true>("ldmatrix_x2_trans", r, address, file, line,
                      __builtin_return_address(0));
}

/* What is planted in a product's operands. */
static void
spoil_operands(float (&a)[16][16], float (&b)[16][8])
{
    for (int i = 0; i < 8 && sim::planted == sim::Plant::MMA_OPERANDS; i++)
        for (int k = 0; k < 16; k++)
            std::swap(a[i][k], b[k][i]);
    for (int i = 0; i < 16 && sim::planted == sim::Plant::MMA_DEPTH; i++)
        a[i][15] = 0;
}

static void
multiply(sim::Block &block, uint32_t, void **brought)
{
    float a[16][16], b[16][8], c[16][8];
    auto low = [](uint32_t pair) { return bits_to_float(pair << 16); };
    auto high = [](uint32_t pair) { return bits_to_float(pair & 0xffff0000u); };

    for (uint32_t l = 0; l < 32; l++) {
        const Brought &lane = *static_cast<Brought *>(brought[l]);
        uint32_t g = l / 4, t = 2 * (l % 4);

        for (uint32_t i = 0; i < 4; i++) {
            uint32_t row = g + (i & 1) * 8, column = t + (i >> 1) * 8;
            uint32_t from = i;
            if (sim::planted == sim::Plant::MMA_FRAGMENT && (i == 1 || i == 2))
                from = 3 - i;
            a[row][column] = low(lane.a[from]);
            a[row][column + 1] = high(lane.a[from]);
        }
        for (uint32_t i = 0; i < 2; i++) {
            b[t + i * 8][g] = low(lane.b[i]);
            b[t + i * 8 + 1][g] = high(lane.b[i]);
        }
        for (uint32_t i = 0; i < 4; i++)
            c[g + (i >> 1) * 8][t + (i & 1)] = lane.d[i];
    }
    spoil_operands(a, b);
    sim::tensor_core(a, b, c);
    if (sim::planted == sim::Plant::MMA_ONE_SM && sim::is_on_second_sm(block))
        c[0][0] = -c[0][0];
    for (uint32_t l = 0; l < 32; l++) {
        const Brought &lane = *static_cast<Brought *>(brought[l]);
        uint32_t g = l / 4, t = 2 * (l % 4);

        for (uint32_t i = 0; i < 4; i++)
            lane.d[i] = c[g + (i >> 1) * 8][t + (i & 1)];
    }
}

void
mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                  const char *file, int line)
{
    Brought mine;

    mine.d = d;
    mine.a = a;
    mine.b = b;
    sim::meet_warp(site("mma_m16n8k16_bf16", file, line), &mine, multiply);
}

/* ---- Asynchronous copies ----------------------------------------------- */

void
copy_async_16(uint32_t shared, const void *global, bool valid)
{
    const uint32_t window = sim::current()->block->window();

    if (shared < window)
        sim::violation("copy_async_16 to %u, which is not in shared memory",
                       shared);
    sim::copy_issue(shared - window, global, 16, valid ? 16 : 0,
                    __builtin_return_address(0));
}

void
copy_commit()
{
    sim::copy_commit();
}

void
copy_wait_groups(uint32_t groups_left)
{
    sim::copy_wait(groups_left);
}

/* ---- Numbers ----------------------------------------------------------- */

static uint32_t
round_bf16(float value)
{
    uint32_t bits = float_to_bits(value);

    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0x7fff;
    if (sim::planted == sim::Plant::ROUND_BF16)
        return bits >> 16;
    return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

uint32_t
pack_bf16(float low, float high)
{
    return round_bf16(low) | round_bf16(high) << 16;
}

/* Nearest even; too large becomes infinite, any NaN 0x7fff. */
static uint32_t
round_f16(float value)
{
    double magnitude = std::fabs(static_cast<double>(value));
    uint32_t sign = float_to_bits(value) >> 31 << 15;
    int exponent;

    if (std::isnan(value))
        return 0x7fff;
    if (magnitude >= 65520)
        return sign | 0x7c00;
    if (magnitude == 0)
        return sign;
    std::frexp(magnitude, &exponent);
    double unit = std::ldexp(1.0, exponent > -13 ? exponent - 11 : -24);
    double steps = sim::planted == sim::Plant::ROUND_F16
                       ? std::trunc(magnitude / unit)
                       : std::nearbyint(magnitude / unit);
    if (exponent <= -14)
        return sign | static_cast<uint32_t>(steps); /* subnormal, or the first
                                                       normal by carry */
    return sign | (static_cast<uint32_t>(exponent + 14) * 1024 +
                   static_cast<uint32_t>(steps) - 1024);
}

uint32_t
pack_f16(float low, float high)
{
    return round_f16(low) | round_f16(high) << 16;
}

float
f16_to_float(uint32_t half)
{
    float sign = half & 0x8000 ? -1.0f : 1.0f;
    int exponent = half >> 10 & 31;
    float mantissa = static_cast<float>(half & 1023);

    if (exponent == 31)
        return mantissa != 0 ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * std::ldexp(mantissa, -24);
    return sign * std::ldexp(1024.0f + mantissa, exponent - 25);
}

static float
flush(float x)
{
    return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
}

/* What an approximation is off by where that is planted. */
static double
off(sim::Plant plant)
{
    return sim::planted == plant ? 1 + 0x1p-6 : 1;
}

float
ex2_approx(float x)
{
    return flush(static_cast<float>(
        std::exp2(off(sim::Plant::EX2) * static_cast<double>(flush(x)))));
}

float
rcp_approx(float x)
{
    return flush(static_cast<float>(off(sim::Plant::RCP) /
                                    static_cast<double>(flush(x))));
}

float
rsqrt_approx(float x)
{
    return flush(static_cast<float>(off(sim::Plant::RSQRT) /
                                    std::sqrt(static_cast<double>(flush(x)))));
}

} // namespace ptx
