/* Out of the rings, into segments, onto disk. A ring's head moves when what lay
 * before it is written, or when it cannot be: a record that is neither in its
 * ring nor on disk is one that a killed process would lose. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sabotage.h"
#include "delivery/worker_state.h"

#define SEGMENT_BYTES    ((size_t)256 << 10)
#define SEGMENT_MIN      ((size_t)32 << 10)
#define SEGMENT_OVERHEAD ((size_t)1536)
#define DRAIN_BYTES      ((size_t)1 << 20)
#define ROUNDS           8
#define LOG_EVERY_NS     (60 * INT64_C(1000000000))

typedef struct drain_s {
    llmlab__worker_t *worker;
    llmlab__outbox_t *outbox;
} drain_t;

size_t
llmlab__worker_segment_bytes(const llmlab__worker_t *worker,
                             uint32_t max_record)
{
    size_t bytes = worker->config.options.memory_limit / 8;
    size_t least = max_record + LLMLAB__SETTLE_ROOM + SEGMENT_OVERHEAD +
                   LLMLAB__SEGMENT_NOTES;

    bytes = bytes > SEGMENT_BYTES ? SEGMENT_BYTES : bytes;
    bytes = bytes < SEGMENT_MIN ? SEGMENT_MIN : bytes;
    return bytes < least ? least : bytes;
}

/* What other than this outbox's segments uses of the memory. */
static size_t
memory_elsewhere(const llmlab__worker_t *worker, const llmlab__outbox_t *outbox)
{
    size_t used = worker->exporter.self == NULL
                      ? 0
                      : worker->exporter.memory(worker->exporter.self);

    if (outbox != &worker->own) {
        used += worker->own.segments.memory;
    }
    for (const llmlab__outbox_t *adopted = worker->adopted; adopted != NULL;
         adopted = adopted->next) {
        used += adopted == outbox ? 0 : adopted->segments.memory;
    }
    return used;
}

/* What the segments may hold. */
static size_t
segment_limit(const llmlab__worker_t *worker, const llmlab__outbox_t *outbox)
{
    size_t limit = worker->config.options.memory_limit;
    size_t least = 2 * outbox->segments.segment_bytes;
    size_t used = memory_elsewhere(worker, outbox);

    return used + least > limit ? least : limit - used;
}

/* Memory for one more record, if need be that of segments that are on disk. */
static bool
make_room(const llmlab__worker_t *worker, llmlab__outbox_t *outbox,
          uint32_t size)
{
    llmlab__segments_t *segments = &outbox->segments;
    size_t limit = llmlab__sabotaged("memory_unbounded")
                       ? SIZE_MAX
                       : segment_limit(worker, outbox);

    if (llmlab__segments_have_room(segments, size, limit)) {
        return true;
    }
    llmlab__segments_shed(segments, limit - segments->segment_bytes);
    return llmlab__segments_have_room(segments, size, limit);
}

static bool
take_record(void *payload, const void *bytes, uint32_t size)
{
    const drain_t *drain = payload;
    llmlab__worker_t *worker = drain->worker;
    llmlab__outbox_t *outbox = drain->outbox;
    llmlab__tracer_t *tracer = worker->config.tracer;
    const llmlab__record_t *record = bytes;
    const llmlab__record_t *settled;
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end;
    uint64_t number;

    if (record == NULL) {
        outbox->corrupt += size;
        return true;
    }
    if (!llmlab__record_check(bytes, size)) {
        outbox->corrupt++;
        return true;
    }
    number = record->type == LLMLAB__RECORD_CHUNK ? 0 : outbox->next_number;
    if (!llmlab__batches_reserve(&outbox->batches) ||
        !make_room(worker, outbox, size + LLMLAB__SETTLE_ROOM)) {
        outbox->is_full = true;
        return false;
    }
    settled = llmlab__record_settle(tracer, record, worker->settle_room);
    if (!llmlab__segments_append(&outbox->segments, settled, number,
                                 outbox->offset_ns, &start, &end)) {
        outbox->is_full = true;
        return false;
    }
    if (settled != record && outbox == &worker->own) {
        llmlab__record_count(tracer, settled);
    }
    llmlab__batches_add(&outbox->batches, settled, number, &start, &end,
                        worker->last_active_ns);
    if (number != 0) {
        outbox->next_number++;
        outbox->taken++;
    }
    return true;
}

void
llmlab__worker_open_spool(llmlab__worker_t *worker)
{
    const llmlab__spool_options_t *options = &worker->config.options.spool;
    llmlab__ring_label_t label;

    if (worker->spool_is_open || strcmp(options->mode, "off") == 0) {
        return;
    }
    worker->spool_is_open = true;
    if (!llmlab__spool_open(&worker->spool, options, true)) {
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "no directory for the spool (%.100s: it must be "
                           "ours alone, mode 0700): calls that are not yet "
                           "delivered are lost when the process ends",
                           worker->spool.path);
        return;
    }
    worker->own.segments.spool = &worker->spool;
    if (llmlab__ring_set_is_file(worker->rings)) {
        memset(&label, 0, sizeof(label));
        label.owner = worker->own.segments.owner;
        label.spool_device = worker->spool.device;
        label.spool_inode = worker->spool.inode;
        llmlab__ring_set_label(worker->rings, &label, sizeof(label));
    }
}

static void
tell_spool(llmlab__worker_t *worker, bool works)
{
    int error = errno;
    uint64_t skipped;

    if (!works && !worker->spool_fails &&
        llmlab__log_allowed(&worker->spool_log, LOG_EVERY_NS, &skipped)) {
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "cannot write to the spool %.100s: %s; calls are "
                           "kept in memory",
                           worker->spool.path, strerror(error));
    } else if (works && worker->spool_fails) {
        llmlab__worker_say(worker, LLMLAB_LOG_INFO, "the spool works again");
    }
    worker->spool_fails = !works;
}

/* Tell how far the rings were read, then write. */
static bool
save(llmlab__worker_t *worker, llmlab__outbox_t *outbox)
{
    llmlab__ring_position_t positions[LLMLAB__RINGS_AT_ONCE];
    bool works;

    if (worker->spool.fd < 0) {
        return false;
    }
    if (outbox->rings != NULL && llmlab__ring_set_is_file(outbox->rings)) {
        size_t count = llmlab__ring_set_positions(outbox->rings, positions);

        if (count > 0 && !llmlab__sabotaged("consumed_untold") &&
            !llmlab__segments_note(&outbox->segments, LLMLAB__FRAME_CONSUMED, 0,
                                   positions,
                                   (uint32_t)(count * sizeof(positions[0])))) {
            return false;
        }
    }
    llmlab__outbox_note_gone(outbox);
    works = llmlab__outbox_write(outbox);
    tell_spool(worker, works);
    return works;
}

static llmlab__outbox_t *
oldest(llmlab__worker_t *worker)
{
    for (llmlab__outbox_t *outbox = worker->adopted; outbox != NULL;
         outbox = outbox->next) {
        if (!llmlab__outbox_is_empty(outbox)) {
            return outbox;
        }
    }
    return &worker->own;
}

/* The oldest calls go when the spool holds as much as it may. False: not now,
 * the oldest are being sent. */
static bool
keep_cap(llmlab__worker_t *worker)
{
    static const llmlab__delivery_t nowhere;
    size_t least = 4 * worker->own.segments.segment_bytes;
    size_t cap = worker->spool.max_bytes;
    uint64_t dropped = 0;
    uint64_t skipped;

    cap = cap < least ? least : cap;
    while (worker->spool.bytes > cap - worker->own.segments.segment_bytes) {
        llmlab__outbox_t *outbox = oldest(worker);

        if (worker->is_delivering) {
            return false;
        }
        if (llmlab__batches_head(&outbox->batches) == NULL) {
            llmlab__batches_seal(&outbox->batches);
        }
        if (llmlab__batches_head(&outbox->batches) == NULL) {
            break;
        }
        dropped += llmlab__batches_head(&outbox->batches)->count;
        llmlab__worker_finish(worker, outbox, &nowhere,
                              &outbox->ledger->dropped[LLMLAB_DROP_SPOOL_FULL]);
    }
    if (dropped > 0 &&
        llmlab__log_allowed(&worker->loss_log, LOG_EVERY_NS, &skipped)) {
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "the spool is full: the oldest %llu calls are "
                           "dropped (spool.max_bytes)",
                           (unsigned long long)dropped);
    }
    return true;
}

static void
tell_unsafe(llmlab__worker_t *worker)
{
    if (!worker->told_unsafe &&
        llmlab__ring_set_unsafe_units(worker->rings) > 0) {
        worker->told_unsafe = true;
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "no more room on the tmpfs of the rings: calls of "
                           "the last moment are lost if the process is killed");
    }
}

static void
drain_once(llmlab__worker_t *worker, llmlab__outbox_t *outbox, int64_t now_ns)
{
    llmlab__ledger_t *ledger = outbox->ledger;
    drain_t drain = {worker, outbox};
    int64_t before_ns = worker->last_active_ns;
    size_t visited;

    outbox->taken = 0;
    outbox->corrupt = 0;
    outbox->is_full = worker->spool.fd >= 0 && !keep_cap(worker);
    if (outbox->is_full) {
        return;
    }
    worker->last_active_ns = now_ns;
    visited =
        llmlab__ring_set_peek(outbox->rings, take_record, &drain, DRAIN_BYTES);
    if (visited == 0 || outbox != &worker->own) {
        worker->last_active_ns = before_ns;
    }
    if (visited > 0) {
        save(worker, outbox);
    }
    llmlab__ring_set_set_mark(outbox->rings, outbox->next_number - 1);
    /* Out of the rings first, and into each place in turn: see ledger.h. */
    llmlab__ring_set_release(outbox->rings);
    if (outbox->taken > 0) {
        atomic_fetch_add(&ledger->queued, outbox->taken);
    }
    if (outbox->corrupt > 0) {
        atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CORRUPT],
                         outbox->corrupt);
    }
    llmlab__outbox_count_written(outbox);
}

void
llmlab__worker_drain_outbox(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
                            int64_t now_ns)
{
    /* What was written makes room in memory for more. */
    for (int i = 0; i < ROUNDS; i++) {
        drain_once(worker, outbox, now_ns);
        if (!outbox->is_full || outbox->taken == 0) {
            break;
        }
    }
}

void
llmlab__worker_drain(llmlab__worker_t *worker, int64_t now_ns)
{
    llmlab__worker_drain_outbox(worker, &worker->own, now_ns);
    tell_unsafe(worker);
    atomic_store(&worker->ledger.memory_bytes,
                 worker->own.segments.memory +
                     memory_elsewhere(worker, &worker->own));
}

void
llmlab__worker_save(llmlab__worker_t *worker)
{
    llmlab__outbox_t *own = &worker->own;

    for (int i = 0; i < 64; i++) {
        llmlab__worker_drain(worker, llmlab__clock_mono_ns());
        if (own->taken == 0) {
            break;
        }
    }
    if (!llmlab__outbox_is_safe(own) && llmlab__outbox_write(own)) {
        llmlab__outbox_count_written(own);
    }
}
