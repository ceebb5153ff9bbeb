/* SPDX-License-Identifier: Apache-2.0 */
/* test_quantised.c - towers of a dtype that is not read: the format is named */
#include "model/checkpoint_builder.h"
#include "model/refusal.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

static const int64_t four[] = {4};

static void
set_dtype(checkpoint_builder *b, const char *name, const char *dtype)
{
    builder_tensor *t = builder_find(b, name);

    snprintf(t->dtype, sizeof(t->dtype), "%s", dtype);
    /* As many values, of one byte each. */
    t->bytes /= 2;
}

static void
bnb_4bit(checkpoint_builder *b)
{
    set_dtype(b, "visual.blocks.1.attn.proj.weight", "U8");
    builder_add(b, "visual.blocks.1.attn.proj.weight.absmax", "U8", 1, four,
                NULL);
}

static void
bnb_state(checkpoint_builder *b)
{
    set_dtype(b, "visual.blocks.1.attn.proj.weight", "U8");
    builder_add(b, "visual.blocks.1.attn.proj.weight.quant_state.nf4", "U8", 1,
                four, NULL);
}

static void
bnb_8bit(checkpoint_builder *b)
{
    set_dtype(b, "visual.blocks.1.attn.proj.weight", "I8");
    builder_add(b, "visual.blocks.1.attn.proj.SCB", "F32", 1, four, NULL);
}

static void
int8(checkpoint_builder *b)
{
    set_dtype(b, "visual.blocks.1.attn.proj.weight", "I8");
}

/* As many values, of 32 bits each. */
static void
int32(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.blocks.1.attn.proj.weight");

    snprintf(t->dtype, sizeof(t->dtype), "I32");
    t->shape[0] /= 2;
}

static void
uint32(checkpoint_builder *b)
{
    int32(b);
    snprintf(builder_find(b, "visual.blocks.1.attn.proj.weight")->dtype, 12,
             "U32");
}

static void
fp4(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.blocks.2.mlp.down_proj.weight");

    snprintf(t->dtype, sizeof(t->dtype), "F4");
    t->bytes /= 4; /* half a byte each */
}

static void
fp8(checkpoint_builder *b)
{
    set_dtype(b, "visual.blocks.2.mlp.down_proj.weight", "F8_E4M3");
}

/* Under the name that goes first. */
static void
new_name_int8(checkpoint_builder *b)
{
    for (int i = 0; i < b->n_tensors; i++) {
        char name[160];

        snprintf(name, sizeof(name), "model.%.150s", b->tensors[i].name);
        memcpy(b->tensors[i].name, name, sizeof(name));
    }
    set_dtype(b, "model.visual.blocks.1.attn.proj.weight", "I8");
}

static void
awq(checkpoint_builder *b)
{
    builder_remove(b, "visual.blocks.0.mlp.up_proj.weight");
    builder_add(b, "visual.blocks.0.mlp.up_proj.qweight", "I32", 1, four, NULL);
}

static void
packed(checkpoint_builder *b)
{
    builder_remove(b, "visual.blocks.0.mlp.up_proj.weight");
    builder_add(b, "visual.blocks.0.mlp.up_proj.weight_packed", "I32", 1, four,
                NULL);
}

static void
doubles(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.merger.ln_q.weight");

    snprintf(t->dtype, sizeof(t->dtype), "F64");
    t->shape[0] = 8;
}

static void
future_dtype(checkpoint_builder *b)
{
    set_dtype(b, "visual.merger.mlp.0.bias", "F5\\u001b[2J");
}

static const spoilt_tower spoilt[] = {
    SPOILT(0, bnb_4bit, UNSUPPORTED,
           "tensor visual.blocks.1.attn.proj.weight: quantised vision weights "
           "(bitsandbytes, 4 bits) are not supported",
           "expected F32, F16 or BF16, found U8"),
    SPOILT(0, bnb_state, UNSUPPORTED,
           "visual.blocks.1.attn.proj.weight: quantised",
           "(bitsandbytes, 4 bits)", "found U8"),
    SPOILT(0, bnb_8bit, UNSUPPORTED,
           "visual.blocks.1.attn.proj.weight: quantised",
           "(bitsandbytes, 8 bits)", "found I8"),
    SPOILT(0, int8, UNSUPPORTED, "(integers)", "found I8"),
    SPOILT(0, int32, UNSUPPORTED, "visual.blocks.1.attn.proj.weight: quantised",
           "(integers)", "found I32"),
    SPOILT(0, uint32, UNSUPPORTED,
           "visual.blocks.1.attn.proj.weight: quantised", "(integers)",
           "found U32"),
    SPOILT(0, fp4, UNSUPPORTED, "visual.blocks.2.mlp.down_proj.weight",
           "quantised vision weights (FP4 or FP6)", "found F4"),
    SPOILT(0, fp8, UNSUPPORTED, "visual.blocks.2.mlp.down_proj.weight",
           "quantised vision weights (FP8)", "found F8_E4M3"),
    SPOILT(0, new_name_int8, UNSUPPORTED,
           "model.visual.blocks.1.attn.proj.weight: quantised", "(integers)"),
    SPOILT(0, awq, UNSUPPORTED, "visual.blocks.0.mlp.up_proj.qweight",
           "quantised vision weights (GPTQ or AWQ)", "found I32"),
    SPOILT(2, awq, UNSUPPORTED, "qweight", "found I32"),
    SPOILT(0, packed, UNSUPPORTED, "visual.blocks.0.mlp.up_proj.weight_packed",
           "quantised vision weights (compressed-tensors)", "found I32"),
    SPOILT(0, doubles, UNSUPPORTED,
           "visual.merger.ln_q.weight: expected F32, F16 or BF16, found F64"),
    SPOILT(0, future_dtype, UNSUPPORTED, "visual.merger.mlp.0.bias: expected",
           "found F5\\x1b[2J"),
};

START_TEST(refuses_and_says_why)
{
    check_spoilt(&spoilt[_i], _i);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("quantised");
    TCase *tc = tcase_create("quantised");

    tcase_add_loop_test(tc, refuses_and_says_why, 0, (int)COUNT(spoilt));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
