/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - entries to decoded items, in order, ahead of who encodes them */
#include "bulk/pool.h"

#include "base/fail.h"
#include "bulk/clock.h"
#include "cli/signals.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SLOTS = 4096, /* entries between the source and the windows */
    WINDOW_ITEMS = 1024,
    LOOK_UP_MS = 100, /* a signal, or a source that is silent */
    SILENT_TIMES = 2  /* then a window goes as it is */
};
/* Of files that wait, with the files of archives. */
#define FILE_BYTES ((size_t)256 << 20)

typedef enum slot_state {
    LISTED,
    READING,
    MEASURED,
    ADMITTED,
    DECODING,
    READY
} slot_state;

typedef struct slot {
    bulk_item *item;
    slot_state state;
} slot;

/* The window at hand; it stays from call to call until it goes. */
typedef struct filling {
    bulk_window *window;
    int64_t patches;
    size_t bytes;
    int silent; /* times that nothing came */
} filling;

struct bulk_pool {
    bulk_pool_options options;
    filling filling; /* of the thread that takes windows, and so is 'over' */
    bool over;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* A ring; slot number n is slots[n % SLOTS].  taken <= admitted <= read <=
       listed.  What is not admitted waits for bytes or for its measure. */
    slot slots[SLOTS];
    size_t taken, decoded, admitted, read, listed;
    size_t held;  /* bytes of pictures and decoders */
    size_t files; /* bytes of files that wait */
    bool ended, stopped;
    oriel_error err; /* of the source */
    bulk_pool_times times;

    pthread_t lister;
    pthread_t *workers;
    int32_t n_workers;
    bool has_lister;
};

static slot *
slot_at(bulk_pool *pool, size_t number)
{
    return &pool->slots[number % SLOTS];
}

static size_t
cost_of(const bulk_item *item)
{
    return item->err.status ? 0 : item->rgb_bytes + item->decode_bytes;
}

/* All below with the lock held, unless they say otherwise. */

static bool
fits(const bulk_pool *pool, const bulk_item *item)
{
    return pool->held == 0 || cost_of(item) == 0 ||
           pool->held + cost_of(item) <= pool->options.bytes;
}

static void
admit(bulk_pool *pool)
{
    for (; pool->admitted < pool->listed; pool->admitted++) {
        slot *next = slot_at(pool, pool->admitted);

        if (next->state != MEASURED)
            return;
        if (pool->options.measures_only || next->item->err.status ||
            next->item->entry->named_only) {
            next->state = READY;
            continue;
        }
        if (!fits(pool, next->item))
            return;
        next->item->held = cost_of(next->item);
        pool->held += next->item->held;
        next->state = ADMITTED;
    }
}

/* Files that wait are bounded; the next in turn, and what is in memory already,
   are always read. */
static bool
may_read(bulk_pool *pool)
{
    const bulk_item *next = slot_at(pool, pool->read)->item;

    return pool->files < FILE_BYTES || pool->read <= pool->admitted ||
           (next->frames && next->frames[0].is_member);
}

/* The next slot to decode, else to read; NULL: there is nothing to do. */
static slot *
find_work(bulk_pool *pool)
{
    slot *found = NULL;

    while (pool->decoded < pool->admitted &&
           slot_at(pool, pool->decoded)->state != ADMITTED)
        pool->decoded++;
    if (pool->decoded < pool->admitted) {
        found = slot_at(pool, pool->decoded++);
        found->state = DECODING;
        return found;
    }
    if (pool->read < pool->listed && may_read(pool)) {
        found = slot_at(pool, pool->read++);
        found->state = READING;
    }
    return found;
}

/* Work without the lock, whose time is counted. */
typedef struct stretch {
    double start, cpu;
} stretch;

static stretch
begin_stretch(bulk_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
    return (stretch){bulk_clock_now(),
                     bulk_clock_read(CLOCK_THREAD_CPUTIME_ID)};
}

static void
end_stretch(bulk_pool *pool, stretch work, double *seconds)
{
    pthread_mutex_lock(&pool->lock);
    *seconds += bulk_clock_now() - work.start;
    pool->times.cpu += bulk_clock_read(CLOCK_THREAD_CPUTIME_ID) - work.cpu;
}

static void
measure(bulk_pool *pool, slot *at)
{
    bulk_item *item = at->item;
    const size_t before = item->file_bytes;
    const stretch work = begin_stretch(pool);

    item->file_bytes = 0;
    if (!item->err.status && !item->entry->named_only && !cli_signal_caught())
        bulk_item_measure(item, pool->options.settings);
    if (pool->options.measures_only)
        bulk_item_let_go(item);
    end_stretch(pool, work, &pool->times.read);
    pool->files += item->file_bytes - before;
    at->state = MEASURED;
}

static void
decode(bulk_pool *pool, slot *at)
{
    bulk_item *item = at->item;
    const size_t files = item->file_bytes;
    const stretch work = begin_stretch(pool);

    if (!cli_signal_caught())
        bulk_item_decode(item, pool->options.settings);
    end_stretch(pool, work, &pool->times.decode);
    pool->files -= files;
    pool->held -= item->held;
    item->held = item->err.status ? 0 : item->rgb_bytes;
    pool->held += item->held; /* the pictures alone stay */
    at->state = READY;
}

static void *
work(void *context)
{
    bulk_pool *pool = context;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopped) {
        slot *at = find_work(pool);

        if (!at) {
            pthread_cond_wait(&pool->changed, &pool->lock);
            continue;
        }
        if (at->state == DECODING)
            decode(pool, at);
        else
            measure(pool, at);
        admit(pool);
        pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- The source's thread -------------------------------------------------- */

/* Whether another entry may be taken: else windows would come late. */
static bool
has_room(const bulk_pool *pool)
{
    return pool->listed - pool->taken < SLOTS &&
           (pool->files < FILE_BYTES || pool->listed == pool->taken);
}

/* Without the lock: the next item, or NULL at the end or with '*err'. */
static bulk_item *
list_one(bulk_pool *pool, oriel_error *err)
{
    bulk_entry *entry;
    bulk_item *item;

    if (bulk_source_next(pool->options.source, &entry, err) || !entry)
        return NULL;
    item = bulk_item_new(entry);
    if (!item) {
        oriel_fail_memory(err, sizeof(*item), "an input");
        return NULL;
    }
    if (item->frames && item->frames[0].is_member)
        item->file_bytes = item->frames[0].n_bytes;
    return item;
}

static void *
list(void *context)
{
    bulk_pool *pool = context;
    oriel_error err = {.status = ORIEL_OK};

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopped && !pool->ended) {
        bulk_item *item;
        double start;

        if (!has_room(pool)) {
            pthread_cond_wait(&pool->changed, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        start = bulk_clock_now();
        item = list_one(pool, &err);
        pthread_mutex_lock(&pool->lock);
        pool->times.list += bulk_clock_now() - start;
        if (item) {
            *slot_at(pool, pool->listed++) = (slot){item, LISTED};
            pool->files += item->file_bytes;
        } else {
            pool->err = err;
            pool->ended = true;
        }
        pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- Windows -------------------------------------------------------------- */

/* Whether the ready item at hand still belongs into this window. */
static bool
belongs(const bulk_pool *pool, const filling *f, const bulk_item *item)
{
    const bulk_pool_options *o = &pool->options;

    if (f->patches == 0 || item->err.status)
        return f->window->n < WINDOW_ITEMS;
    return f->window->n < WINDOW_ITEMS &&
           (o->window_patches == 0 ||
            f->patches + item->patches <= o->window_patches) &&
           (o->measures_only || f->bytes + item->rgb_bytes <= o->bytes / 2);
}

/* Whether the window must go: the next input waits for it, or for an unknown
   time. */
static bool
must_go(bulk_pool *pool, const filling *f)
{
    const slot *next = slot_at(pool, pool->taken);

    if (f->window->n == 0)
        return false;
    if (pool->taken == pool->listed)
        return pool->ended || f->silent >= SILENT_TIMES;
    return next->state == MEASURED && !fits(pool, next->item);
}

/* False: nothing came. */
static bool
wait_a_while(bulk_pool *pool, filling *f)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_UP_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    if (pthread_cond_timedwait(&pool->changed, &pool->lock, &until) ==
        ETIMEDOUT) {
        f->silent++;
        return false;
    }
    f->silent = 0;
    return true;
}

static void
take(bulk_pool *pool, filling *f)
{
    bulk_item *item = slot_at(pool, pool->taken++)->item;
    bulk_window *window = f->window;

    window->items[window->n++] = item;
    if (item->err.status) {
        if (!bulk_item_is_at_fault(item) && !window->err.status) {
            window->err = item->err;
            window->failed_input = item->entry->source;
        }
        return;
    }
    f->patches += item->patches;
    f->bytes += item->rgb_bytes;
}

/* Whether the window goes; false: patience is over. */
static bool
fill(bulk_pool *pool, filling *f, bulk_patience patience)
{
    bulk_window *window = f->window;

    while (!window->err.status) {
        if (cli_signal_caught()) {
            oriel_fail(&window->err, ORIEL_ERR_CANCELLED,
                       "stopped by a signal");
            return true;
        }
        if (pool->taken < pool->listed &&
            slot_at(pool, pool->taken)->state == READY) {
            if (!belongs(pool, f, slot_at(pool, pool->taken)->item))
                return true;
            take(pool, f);
            continue;
        }
        if (must_go(pool, f))
            return true;
        if (pool->taken == pool->listed && pool->ended) {
            window->err = pool->err;
            pool->over = true;
            return true;
        }
        if (!wait_a_while(pool, f) && patience == BULK_A_WHILE)
            return false;
    }
    return true;
}

static bulk_window *
new_window(void)
{
    bulk_window *window = calloc(1, sizeof(*window));

    if (window)
        window->items = calloc(WINDOW_ITEMS, sizeof(bulk_item *));
    if (window && window->items)
        return window;
    free(window);
    return NULL;
}

oriel_status
bulk_pool_next(bulk_pool *pool, bulk_patience patience, bulk_window **out,
               oriel_error *err)
{
    filling *f = &pool->filling;
    bool goes;

    *out = NULL;
    if (!f->window)
        *f = (filling){.window = new_window()};
    if (!f->window)
        return oriel_fail_memory(err, WINDOW_ITEMS * sizeof(bulk_item *),
                                 "a window");
    pthread_mutex_lock(&pool->lock);
    goes = fill(pool, f, patience);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    if (goes && (f->window->n > 0 || f->window->err.status)) {
        *out = f->window;
        f->window = NULL;
    }
    return oriel_ok(err);
}

bool
bulk_pool_is_over(const bulk_pool *pool)
{
    return pool->over;
}

void
bulk_window_free(bulk_window *window)
{
    if (!window)
        return;
    for (size_t i = 0; i < window->n; i++)
        bulk_item_free(window->items[i]);
    free(window->items);
    free(window);
}

void
bulk_pool_release(bulk_pool *pool, bulk_item *item)
{
    bulk_item_let_go(item);
    pthread_mutex_lock(&pool->lock);
    pool->held -= item->held;
    item->held = 0;
    admit(pool);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

bulk_pool_times
bulk_pool_get_times(bulk_pool *pool)
{
    bulk_pool_times times;

    pthread_mutex_lock(&pool->lock);
    times = pool->times;
    pthread_mutex_unlock(&pool->lock);
    return times;
}

int64_t
bulk_pool_listed(bulk_pool *pool, bool *ended)
{
    int64_t listed;

    pthread_mutex_lock(&pool->lock);
    listed = (int64_t)pool->listed;
    *ended = pool->ended;
    pthread_mutex_unlock(&pool->lock);
    return listed;
}

/* ---- Starting and stopping ------------------------------------------------- */

static oriel_status
start_threads(bulk_pool *pool, oriel_error *err)
{
    pool->workers =
        calloc((size_t)pool->options.threads, sizeof(*pool->workers));
    if (!pool->workers)
        return oriel_fail_memory(err, sizeof(*pool), "the pool");
    for (int32_t i = 0; i < pool->options.threads; i++) {
        if (pthread_create(&pool->workers[i], NULL, work, pool) != 0)
            return oriel_fail(err, ORIEL_ERR_MEMORY, "cannot start a thread");
        pool->n_workers++;
    }
    pool->has_lister = pthread_create(&pool->lister, NULL, list, pool) == 0;
    if (!pool->has_lister)
        return oriel_fail(err, ORIEL_ERR_MEMORY, "cannot start a thread");
    return ORIEL_OK;
}

oriel_status
bulk_pool_start(bulk_pool **out, const bulk_pool_options *options,
                oriel_error *err)
{
    bulk_pool *pool = calloc(1, sizeof(*pool));
    pthread_condattr_t monotonic;
    oriel_status status;

    *out = NULL;
    if (!pool)
        return oriel_fail_memory(err, sizeof(*pool), "the pool");
    pool->options = *options;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    status = start_threads(pool, err);
    if (status) {
        bulk_pool_stop(pool);
        return status;
    }
    *out = pool;
    return ORIEL_OK;
}

void
bulk_pool_stop(bulk_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopped = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    if (pool->has_lister)
        pthread_join(pool->lister, NULL);
    for (int32_t i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i], NULL);
    for (size_t i = pool->taken; i < pool->listed; i++)
        bulk_item_free(slot_at(pool, i)->item);
    bulk_window_free(pool->filling.window);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}
