# SPDX-License-Identifier: Apache-2.0
"""Which stack computes Qwen2.5-VL's vision encoder as transformers does, and in
which stage another one deviates.

    python -m oriel.conformance files FOLDER          checkpoint and pictures
    python -m oriel.conformance check FOLDER DUMPS    what a stack made of them
    python -m oriel.conformance transformers          the installed transformers
    python -m oriel.conformance vllm                  its tower; or sglang
    python -m oriel.conformance oriel                 this package

The golden rows come from transformers in fp32; docs/conformance.md says how
they were made, and how other stacks dump theirs.
"""
