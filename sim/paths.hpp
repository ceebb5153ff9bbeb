/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.hpp - the way that each lane took to a meeting
 *
 * That a warp's lanes stand at the same instruction is not enough: one may have
 * left a round of a loop out and be a round early.  How often each has met the
 * others tells nothing, for they have all met equally often.  So the compiler
 * calls us in every block of code, and of lanes that came to a meeting by
 * different ways we ask: did each go round the loops that the meeting is in
 * equally often?  Ways may differ for good reasons, by an 'if' or by a loop that
 * each lane has for itself.  So the loops must be known, and they are made out
 * from all the ways taken, when the launch is over.
 */
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sim
{

/* Blocks of code that a thread ran through, each by where it begins, since its
   warp last parted.  Of a way longer than PATH_ROOM only the last blocks are
   kept; it is not compared with another. */
struct Path {
    uint64_t hash; /* of all blocks, kept or not */
    uint32_t n;    /* kept */
    bool whole;
    int32_t *blocks; /* [PATH_ROOM] */
};
constexpr uint32_t PATH_ROOM = 512;

struct Site;

/* The ways of the threads of a block. */
class Paths
{
  public:
    explicit Paths(uint32_t n_threads);
    ~Paths();
    Paths(const Paths &) = delete;
    Paths &operator=(const Paths &) = delete;

    /* This thread runs now; and no more. */
    void resume(uint32_t thread);
    static void suspend();

    /* The lanes of a warp meet: note those that came by different ways. */
    void meet(const Site &site, uint32_t block, uint32_t warp);
    void end(uint32_t thread);

  private:
    std::vector<Path> paths_;
    std::unique_ptr<int32_t[]> room_;
};

/* Which lanes of the launch met in different rounds, in words; else "". */
std::string paths_judge();

} // namespace sim
