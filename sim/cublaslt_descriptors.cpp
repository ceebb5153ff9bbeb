/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuBLASLt's handles and descriptors, and which fit together. */
#include "cublaslt_state.hpp"

#include "report.hpp"
#include "runtime_state.hpp"

#include <cstring>
#include <new>
#include <set>

namespace
{

std::set<const void *> alive;

/* Where an attribute lies, and how many bytes its caller must bring. */
struct Attribute {
    int32_t number;
    size_t offset, bytes;
};

#define AT(number, type, member) \
    { \
        ORIEL_LT_##number, offsetof(type, member), sizeof(type::member) \
    }
const Attribute layout_attributes[] = {
    AT(LAYOUT_TYPE, oriel_lt_layout_opaque, type),
    AT(LAYOUT_ORDER, oriel_lt_layout_opaque, order),
    AT(LAYOUT_ROWS, oriel_lt_layout_opaque, rows),
    AT(LAYOUT_COLS, oriel_lt_layout_opaque, columns),
    AT(LAYOUT_LD, oriel_lt_layout_opaque, ld),
    AT(LAYOUT_BATCH_COUNT, oriel_lt_layout_opaque, batch),
};
const Attribute desc_attributes[] = {
    AT(DESC_COMPUTE_TYPE, oriel_lt_desc_opaque, compute),
    AT(DESC_SCALE_TYPE, oriel_lt_desc_opaque, scale),
    AT(DESC_POINTER_MODE, oriel_lt_desc_opaque, pointer_mode),
    AT(DESC_TRANSA, oriel_lt_desc_opaque, transposed[0]),
    AT(DESC_TRANSB, oriel_lt_desc_opaque, transposed[1]),
    AT(DESC_TRANSC, oriel_lt_desc_opaque, transposed[2]),
    AT(DESC_EPILOGUE, oriel_lt_desc_opaque, epilogue),
    AT(DESC_BIAS_POINTER, oriel_lt_desc_opaque, bias),
    AT(DESC_BIAS_DATA_TYPE, oriel_lt_desc_opaque, bias_type),
};
const Attribute preference_attributes[] = {
    AT(PREF_WORKSPACE_BYTES, oriel_lt_preference_opaque, workspace),
    AT(PREF_REDUCTION_MASK, oriel_lt_preference_opaque, reductions),
    AT(PREF_ALIGNMENT_A, oriel_lt_preference_opaque, alignment[0]),
    AT(PREF_ALIGNMENT_B, oriel_lt_preference_opaque, alignment[1]),
    AT(PREF_ALIGNMENT_C, oriel_lt_preference_opaque, alignment[2]),
    AT(PREF_ALIGNMENT_D, oriel_lt_preference_opaque, alignment[3]),
};
#undef AT

bool
is_alive(const void *object, const char *what)
{
    if (object && alive.count(object))
        return true;
    if (object)
        sim::host_violation("cuBLASLt is given something that is not a %s",
                            what);
    return false;
}

template <class Object>
oriel_lt_status
keep(Object **out, const Object &value)
{
    *out = new (std::nothrow) Object(value);
    if (!*out)
        return ORIEL_LT_ALLOC_FAILED;
    alive.insert(*out);
    return ORIEL_LT_SUCCESS;
}

template <class Object>
oriel_lt_status
drop(Object *object, const char *what)
{
    if (!is_alive(object, what))
        return ORIEL_LT_INVALID_VALUE;
    alive.erase(object);
    delete object;
    return ORIEL_LT_SUCCESS;
}

template <class Object, size_t N>
oriel_lt_status
set(Object *object, const char *what, const Attribute (&attributes)[N],
    int32_t number, const void *value, size_t bytes)
{
    if (!is_alive(object, what) || !value)
        return ORIEL_LT_INVALID_VALUE;
    for (const Attribute &a : attributes)
        if (a.number == number && a.bytes == bytes) {
            memcpy(reinterpret_cast<char *>(object) + a.offset, value, bytes);
            return ORIEL_LT_SUCCESS;
        }
    return ORIEL_LT_INVALID_VALUE;
}

bool
is_layout(const oriel_lt_layout_opaque &l)
{
    const uint64_t least = l.order == ORIEL_LT_ORDER_COL ? l.rows : l.columns;

    return (l.order == ORIEL_LT_ORDER_COL || l.order == ORIEL_LT_ORDER_ROW) &&
           l.rows > 0 && l.columns > 0 && l.ld > 0 &&
           static_cast<uint64_t>(l.ld) >= least && l.batch == 1;
}

/* The library's table, as far as there are bf16 operands. */
bool
types_are_supported(const sim::LtProblem &p)
{
    const bool narrow = p.d.type == ORIEL_LT_R_16BF;

    return p.desc.compute == ORIEL_LT_COMPUTE_32F &&
           p.desc.scale == ORIEL_LT_R_32F && p.a.type == ORIEL_LT_R_16BF &&
           p.b.type == ORIEL_LT_R_16BF && p.c.type == p.d.type &&
           (narrow || p.d.type == ORIEL_LT_R_32F);
}

bool
sizes_fit(sim::LtProblem *p)
{
    const bool ta = p->desc.transposed[0] == ORIEL_LT_OP_T;
    const bool tb = p->desc.transposed[1] == ORIEL_LT_OP_T;

    p->m = ta ? p->a.columns : p->a.rows;
    p->k = ta ? p->a.rows : p->a.columns;
    p->n = tb ? p->b.rows : p->b.columns;
    return p->k == (tb ? p->b.columns : p->b.rows) && p->d.rows == p->m &&
           p->d.columns == p->n && p->c.rows == p->m && p->c.columns == p->n;
}

oriel_lt_status
check_epilogue(const sim::LtProblem &p)
{
    const oriel_lt_desc_opaque &d = p.desc;

    if (d.epilogue == ORIEL_LT_EPILOGUE_DEFAULT)
        return ORIEL_LT_SUCCESS;
    if (d.epilogue != ORIEL_LT_EPILOGUE_BIAS)
        return ORIEL_LT_NOT_SUPPORTED;
    return d.bias_type == -1 || d.bias_type == static_cast<int32_t>(p.d.type)
               ? ORIEL_LT_SUCCESS
               : ORIEL_LT_NOT_SUPPORTED;
}

} // namespace

namespace sim
{

bool
lt_is_handle(oriel_lt_handle handle)
{
    return is_alive(handle, "handle");
}

bool
lt_is_preference(oriel_lt_preference preference)
{
    return is_alive(preference, "preference");
}

oriel_lt_status
lt_describe(LtProblem *out, oriel_lt_desc desc, oriel_lt_layout a,
            oriel_lt_layout b, oriel_lt_layout c, oriel_lt_layout d)
{
    if (!is_alive(desc, "matmul descriptor") || !is_alive(a, "layout") ||
        !is_alive(b, "layout") || !is_alive(c, "layout") ||
        !is_alive(d, "layout"))
        return ORIEL_LT_INVALID_VALUE;
    *out = {*a, *b, *c, *d, *desc, 0, 0, 0};
    if (!is_layout(*a) || !is_layout(*b) || !is_layout(*c) || !is_layout(*d))
        return ORIEL_LT_INVALID_VALUE;
    if (desc->transposed[2] != ORIEL_LT_OP_N ||
        desc->pointer_mode != ORIEL_LT_POINTER_MODE_HOST)
        return ORIEL_LT_NOT_SUPPORTED;
    if (!sizes_fit(out))
        return ORIEL_LT_INVALID_VALUE;
    return types_are_supported(*out) ? check_epilogue(*out)
                                     : ORIEL_LT_NOT_SUPPORTED;
}

} // namespace sim

extern "C" {

size_t
sim_lt_alive(void)
{
    return alive.size();
}

oriel_lt_status
cublasLtCreate(oriel_lt_handle *handle)
{
    LT_ENTER();
    return keep(handle, {sim::current_device()});
}

oriel_lt_status
cublasLtDestroy(oriel_lt_handle handle)
{
    return drop(handle, "handle");
}

oriel_lt_status
cublasLtMatrixLayoutCreate(oriel_lt_layout *layout, oriel_lt_data_type type,
                           uint64_t rows, uint64_t columns, int64_t ld)
{
    LT_ENTER();
    return keep(layout, {static_cast<uint32_t>(type), ORIEL_LT_ORDER_COL, rows,
                         columns, ld, 1});
}

oriel_lt_status
cublasLtMatrixLayoutDestroy(oriel_lt_layout layout)
{
    return drop(layout, "layout");
}

oriel_lt_status
cublasLtMatrixLayoutSetAttribute(oriel_lt_layout layout,
                                 oriel_lt_layout_attribute attribute,
                                 const void *value, size_t bytes)
{
    LT_ENTER();
    return set(layout, "layout", layout_attributes, attribute, value, bytes);
}

oriel_lt_status
cublasLtMatmulDescCreate(oriel_lt_desc *desc, oriel_lt_compute_type compute,
                         oriel_lt_data_type scale)
{
    LT_ENTER();
    return keep(desc, {compute,
                       scale,
                       ORIEL_LT_POINTER_MODE_HOST,
                       {ORIEL_LT_OP_N, ORIEL_LT_OP_N, ORIEL_LT_OP_N},
                       ORIEL_LT_EPILOGUE_DEFAULT,
                       nullptr,
                       -1});
}

oriel_lt_status
cublasLtMatmulDescDestroy(oriel_lt_desc desc)
{
    return drop(desc, "matmul descriptor");
}

oriel_lt_status
cublasLtMatmulDescSetAttribute(oriel_lt_desc desc,
                               oriel_lt_desc_attribute attribute,
                               const void *value, size_t bytes)
{
    LT_ENTER();
    return set(desc, "matmul descriptor", desc_attributes, attribute, value,
               bytes);
}

oriel_lt_status
cublasLtMatmulPreferenceCreate(oriel_lt_preference *preference)
{
    LT_ENTER();
    return keep(preference, {0, ORIEL_LT_REDUCTION_MASK, {256, 256, 256, 256}});
}

oriel_lt_status
cublasLtMatmulPreferenceDestroy(oriel_lt_preference preference)
{
    return drop(preference, "preference");
}

oriel_lt_status
cublasLtMatmulPreferenceSetAttribute(oriel_lt_preference preference,
                                     oriel_lt_preference_attribute attribute,
                                     const void *value, size_t bytes)
{
    LT_ENTER();
    return set(preference, "preference", preference_attributes, attribute,
               value, bytes);
}
}
