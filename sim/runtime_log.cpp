/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's log: what was enqueued, and what was waited for, in the
   order of the calls. */
#include "runtime_state.hpp"

using namespace sim;

namespace
{

FILE *log_file;

/* A default stream is number 0 of whichever device is current. */
void
write_line(const char *what, const CUstream_st &stream, const char *more)
{
    const bool is_default = &stream == &runtime().default_stream;
    const int device = is_default ? current_device() : stream.context->device;

    fprintf(log_file, "%s device %d stream %d%s\n", what, device, stream.number,
            more);
}

} // namespace

namespace sim
{

void
log_work(const char *what, const CUstream_st *stream)
{
    if (log_file && stream && !stream->capture)
        write_line(what, *stream, "");
}

void
log_copy(const char *what, const CUstream_st *stream, size_t bytes,
         bool is_pinned)
{
    char more[64];

    if (!log_file || !stream || stream->capture)
        return;
    snprintf(more, sizeof(more), " bytes %zu %s", bytes,
             is_pinned ? "pinned" : "pageable");
    write_line(what, *stream, more);
}

void
set_log(FILE *file)
{
    const std::lock_guard<std::recursive_mutex> alone(runtime().lock);

    log_file = file;
}

} // namespace sim
