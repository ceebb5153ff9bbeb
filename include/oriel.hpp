/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oriel.hpp - oriel.h for C++17: handles that free themselves, errors thrown
 *
 * Header only; link liboriel as in C.  A Model, Plan or Encoder owns a handle of
 * oriel.h: it can be moved, not copied, and converts to the handle, so that every
 * function of oriel.h takes it.  Where a Model goes, a preset's pointer goes too.
 * What oriel.h says of arguments, memory and threads holds here.
 */
#ifndef ORIEL_HPP
#define ORIEL_HPP

#include "oriel.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace oriel
{

/* What a failing call throws; status, item, cause and message are public. */
struct Error : std::runtime_error, oriel_error {
    explicit Error(const oriel_error &error)
        : std::runtime_error(error.message), oriel_error(error)
    {
    }
};

/* Call a function of oriel.h or oriel_image.h with all its arguments but 'err'. */
template <typename... Parameters, typename... Arguments>
void
call(oriel_status (*function)(Parameters...), const Arguments &...arguments)
{
    oriel_error error;
    if (function(arguments..., &error) != ORIEL_OK)
        throw Error(error);
}

/* What the three classes share. */
template <typename T, auto destroy, typename Info, auto get_info> class Handle
{
    std::unique_ptr<T, void (*)(T *)> owned{nullptr, destroy};

  public:
    /* Any function of oriel.h that makes a T, with its arguments after 'out'. */
    template <typename... Parameters, typename... Arguments>
    explicit Handle(oriel_status (*create)(T **, Parameters...),
        const Arguments &...arguments)
    {
        T *handle = nullptr;
        call(create, &handle, arguments...);
        owned.reset(handle);
    }
    operator T *() const
    {
        return owned.get();
    }
    Info info() const
    {
        Info info{};
        info.struct_size = sizeof(info);
        call(get_info, owned.get(), &info);
        return info;
    }
};

struct Model : Handle<oriel_model, oriel_model_destroy, oriel_model_info,
                   oriel_model_get_info> {
    using Handle::Handle; /* (oriel_model_open_memory, ...) */
    explicit Model(
        const std::string &path, const oriel_model_options *options = nullptr)
        : Handle(oriel_model_open, path.c_str(), options)
    {
    }
};

struct Plan : Handle<oriel_plan, oriel_plan_destroy, oriel_plan_info,
                  oriel_plan_get_info> {
    using Handle::Handle; /* (oriel_plan_create_from_grids, ...) */
    Plan(const oriel_model *model, const std::vector<oriel_item> &items,
        const oriel_plan_options *options = nullptr)
        : Handle(oriel_plan_create, model, items.data(), items.size(), options)
    {
    }
    std::size_t workspace_bytes(const oriel_encoder_options *options) const
    {
        std::size_t bytes = 0;
        call(oriel_plan_workspace_bytes, *this, options, &bytes);
        return bytes;
    }
};

/* The tokens of one item, and its grid where it is asked for. */
inline std::int64_t
measure(const oriel_model *model, const oriel_item &item,
    const oriel_plan_options *options = nullptr,
    std::int64_t grid_thw[3] = nullptr)
{
    std::int64_t tokens = 0;
    call(oriel_item_measure, model, &item, options, grid_thw, &tokens);
    return tokens;
}

/* The end of each run of items. */
inline std::vector<std::size_t>
split(const oriel_model *model, const std::vector<oriel_item> &items,
    const oriel_budget &budget, const oriel_plan_options *options = nullptr)
{
    std::vector<std::size_t> ends(items.size());
    std::size_t n = 0;
    call(oriel_plan_split, model, items.data(), items.size(), options, &budget,
        ends.data(), &n);
    ends.resize(n);
    return ends;
}

struct Encoder : Handle<oriel_encoder, oriel_encoder_destroy,
                     oriel_encoder_info, oriel_encoder_get_info> {
    explicit Encoder(const oriel_model *model,
        const oriel_encoder_options *options = nullptr)
        : Handle(oriel_encoder_create, model, options)
    {
    }
    void encode(const oriel_plan *plan, const oriel_input &input,
        const oriel_output &output, CUstream_st *stream = nullptr)
    {
        call(oriel_encode, *this, plan, &input, &output, stream);
    }
    void reserve(std::size_t bytes)
    {
        call(oriel_encoder_reserve, *this, bytes);
    }
    void prepare(const oriel_plan *plan = nullptr)
    {
        call(oriel_encoder_prepare, *this, plan);
    }
    bool busy() const /* throws after a fault of the device */
    {
        oriel_error error;
        if (oriel_encoder_status(*this, &error) == ORIEL_ERR_BUSY)
            return true;
        return error.status ? throw Error(error) : false;
    }
};

} // namespace oriel
#endif /* ORIEL_HPP */
