/* SPDX-License-Identifier: Apache-2.0 */
/* flag_choices.c - the names that a flag's value may be, and what each stands for */
#include "cli/flag_choices.h"

#include "oriel.h"
#include "oriel_image.h"

const cli_choice cli_precisions[] = {
    {"auto", ORIEL_PRECISION_AUTO},
    {"bf16", ORIEL_PRECISION_BF16},
    {"fp32", ORIEL_PRECISION_FP32},
    {NULL, 0},
};

const cli_choice cli_kernels[] = {
    {"auto", ORIEL_KERNELS_AUTO},
    {"own", ORIEL_KERNELS_OWN},
    {"cublaslt", ORIEL_KERNELS_CUBLASLT},
    {"hopper", ORIEL_KERNELS_HOPPER},
    {NULL, 0},
};

const cli_choice cli_residuals[] = {
    {"bf16", ORIEL_RESIDUAL_BF16},
    {"wide", ORIEL_RESIDUAL_WIDE},
    {NULL, 0},
};

const cli_choice cli_attentions[] = {
    {"own", ORIEL_ATTENTION_OWN},
    {"cudnn", ORIEL_ATTENTION_CUDNN},
    {NULL, 0},
};

const cli_choice cli_graphs[] = {
    {"auto", ORIEL_GRAPHS_AUTO},
    {"off", ORIEL_GRAPHS_OFF},
    {NULL, 0},
};

const cli_choice cli_dtypes[] = {
    {"bf16", ORIEL_DTYPE_BF16},
    {"f16", ORIEL_DTYPE_F16},
    {"f32", ORIEL_DTYPE_F32},
    {NULL, 0},
};

const cli_choice cli_formats[] = {
    {"safetensors", CLI_FORMAT_SAFETENSORS},
    {"npy", CLI_FORMAT_NPY},
    {NULL, 0},
};

const cli_choice cli_resamples[] = {
    {"torchvision", ORIEL_RESAMPLE_TORCHVISION},
    {"pillow", ORIEL_RESAMPLE_PILLOW},
    {"pillow12", ORIEL_RESAMPLE_PILLOW12},
    {"float", ORIEL_RESAMPLE_FLOAT},
    {NULL, 0},
};

const cli_choice cli_sizings[] = {
    {"transformers", ORIEL_SIZING_TRANSFORMERS},
    {"qwen-vl-utils", ORIEL_SIZING_QWEN_VL_UTILS},
    {NULL, 0},
};

const cli_choice cli_alphas[] = {
    {"white", ORIEL_ALPHA_WHITE},
    {"drop", ORIEL_ALPHA_DROP},
    {"qwen-vl-utils", ORIEL_ALPHA_QWEN_VL_UTILS},
    {NULL, 0},
};

const cli_choice cli_truncations[] = {
    {"fail", ORIEL_TRUNCATED_FAIL},
    {"pad", ORIEL_TRUNCATED_PAD},
    {NULL, 0},
};

const cli_choice cli_pipelines[] = {
    {"transformers", CLI_PIPELINE_TRANSFORMERS},
    {"transformers-pil", CLI_PIPELINE_TRANSFORMERS_PIL},
    {"qwen-vl-utils", CLI_PIPELINE_QWEN_VL_UTILS},
    {"vllm", CLI_PIPELINE_VLLM},
    {"sglang", CLI_PIPELINE_SGLANG},
    {NULL, 0},
};
