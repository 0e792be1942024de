#include "delivery/recovery.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "delivery/worker_state.h"

#define NS_PER_S INT64_C(1000000000)
/* So many at once; the others when these are sent. */
#define ADOPTED_MAX 4
#define FOUND_MAX   1024
/* A parent that ends right after its fork holds its files for a moment. */
#define SECOND_SCAN_NS (5 * NS_PER_S)
#define SCAN_NS        (60 * NS_PER_S)

typedef struct scan_s {
    int rings; /* the directory; -1: none */
    int spool;
    char ring_path[256];
    char tenant[LLMLAB__SPOOL_BASE]; /* what names of ours begin with */
    size_t tenant_size;
    llmlab__buf_t bases; /* of char[LLMLAB__SPOOL_BASE] */
    bool found;
} scan_t;

static void
begin_scan(scan_t *scan, const unsigned char tenant[32], int spool,
           const char *ring_directory)
{
    memset(scan, 0, sizeof(*scan));
    llmlab__spool_base(scan->tenant, tenant, "");
    scan->tenant_size = strlen(scan->tenant);
    scan->spool = spool;
    scan->rings = -1;
    if (llmlab__os_ring_directory(ring_directory, false, scan->ring_path,
                                  sizeof(scan->ring_path))) {
        scan->rings = llmlab__os_open_private(scan->ring_path, false);
    }
}

static void
end_scan(scan_t *scan)
{
    if (scan->rings >= 0) {
        close(scan->rings);
    }
    llmlab__buf_cleanup(&scan->bases);
}

static bool
is_tenants(const scan_t *scan, const char *name)
{
    return strncmp(name, scan->tenant, scan->tenant_size) == 0;
}

static bool
find_free_in(scan_t *scan, int directory, const char *name)
{
    char base[LLMLAB__SPOOL_BASE];
    uint32_t number;
    llmlab__spool_kind_t kind = llmlab__spool_parse(name, base, &number);

    if (is_tenants(scan, name) &&
        (kind == LLMLAB__SPOOL_LOCK || kind == LLMLAB__SPOOL_RING) &&
        llmlab__claim_is_free(directory, name)) {
        scan->found = true;
    }
    return !scan->found;
}

static bool
find_free_lock(void *payload, const char *name)
{
    scan_t *scan = payload;

    return find_free_in(scan, scan->spool, name);
}

static bool
find_free_ring(void *payload, const char *name)
{
    scan_t *scan = payload;

    return find_free_in(scan, scan->rings, name);
}

bool
llmlab__recovery_is_due(const llmlab__delivery_options_t *options)
{
    llmlab__segment_owner_t owner;
    llmlab__spool_t spool;
    scan_t scan;

    if (strcmp(options->spool.mode, "off") == 0) {
        return false;
    }
    llmlab__segment_owner(&owner, "", options);
    llmlab__spool_open(&spool, &options->spool, false);
    begin_scan(&scan, owner.tenant, spool.fd, options->spool.ring_directory);
    if (scan.spool >= 0) {
        llmlab__spool_each(scan.spool, find_free_lock, &scan);
    }
    if (scan.rings >= 0 && !scan.found) {
        llmlab__spool_each(scan.rings, find_free_ring, &scan);
    }
    end_scan(&scan);
    llmlab__spool_close(&spool);
    return scan.found;
}

static bool
collect_base(void *payload, const char *name)
{
    scan_t *scan = payload;
    char base[LLMLAB__SPOOL_BASE] = "";
    uint32_t number;

    if (is_tenants(scan, name) &&
        llmlab__spool_parse(name, base, &number) != LLMLAB__SPOOL_OTHER) {
        llmlab__buf_append(&scan->bases, base, sizeof(base));
    }
    return !scan->bases.failed &&
           scan->bases.size < FOUND_MAX * LLMLAB__SPOOL_BASE;
}

static int
compare_bases(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool
is_held(const llmlab__worker_t *worker, const char *base)
{
    if (strcmp(base, worker->own.segments.base) == 0) {
        return true;
    }
    for (const llmlab__outbox_t *outbox = worker->adopted; outbox != NULL;
         outbox = outbox->next) {
        if (strcmp(base, outbox->segments.base) == 0) {
            return true;
        }
    }
    return false;
}

static bool
exists(int directory, const char *name)
{
    return directory >= 0 && faccessat(directory, name, F_OK, 0) == 0;
}

/* Do the rings belong to segments that can be seen here? */
static bool
label_is_ours(const llmlab__worker_t *worker, int fd, llmlab__ring_label_t *out)
{
    return llmlab__ring_file_label(fd, out, sizeof(*out)) &&
           memcmp(out->owner.tenant, worker->own.segments.owner.tenant,
                  sizeof(out->owner.tenant)) == 0 &&
           (out->spool_inode == 0 ||
            (out->spool_inode == worker->spool.inode &&
             out->spool_device == worker->spool.device));
}

static bool
make_settle_room(llmlab__worker_t *worker, uint32_t max_record)
{
    void *room;

    if (max_record <= worker->settle_max) {
        return true;
    }
    room = llmlab__alloc(max_record + LLMLAB__SETTLE_ROOM);
    if (room == NULL) {
        return false;
    }
    llmlab__free(worker->settle_room);
    worker->settle_room = room;
    worker->settle_max = max_record;
    return true;
}

/* Take the rings' file, if it is one that may be taken. */
static void
take_rings(llmlab__worker_t *worker, const scan_t *scan,
           llmlab__outbox_t *outbox, const char *name)
{
    llmlab__ring_label_t label;
    char path[400];

    if (!exists(scan->rings, name) ||
        !llmlab__claim_take(&outbox->ring_claim, scan->rings, name)) {
        return;
    }
    if (label_is_ours(worker, outbox->ring_claim.fd, &label)) {
        snprintf(path, sizeof(path), "%s/%s", scan->ring_path, name);
        outbox->rings = llmlab__ring_set_adopt(outbox->ring_claim.fd, path);
        /* With the service's name and the like, which may not be ours. */
        label.owner.instance[sizeof(label.owner.instance) - 1] = '\0';
        if (strcmp(label.owner.instance, outbox->instance) == 0) {
            outbox->segments.owner = label.owner;
        }
    }
    if (outbox->rings == NULL) {
        llmlab__claim_release(&outbox->ring_claim);
        return;
    }
    if (!make_settle_room(worker, llmlab__ring_max_record(outbox->rings))) {
        llmlab__ring_set_keep_file(outbox->rings);
        llmlab__ring_set_destroy(outbox->rings);
        outbox->rings = NULL;
        llmlab__claim_release(&outbox->ring_claim);
        return;
    }
    outbox->segments.segment_bytes = llmlab__worker_segment_bytes(
        worker, llmlab__ring_max_record(outbox->rings));
}

static llmlab__outbox_t *
new_outbox(llmlab__worker_t *worker, const char *base)
{
    llmlab__outbox_t *outbox = llmlab__calloc(1, sizeof(*outbox));
    llmlab__segment_owner_t owner = worker->own.segments.owner;

    if (outbox != NULL) {
        memset(owner.instance, 0, sizeof(owner.instance));
        snprintf(owner.instance, sizeof(owner.instance), "%s",
                 strchr(base, '-') + 1);
        llmlab__outbox_init(outbox, &owner,
                            llmlab__worker_segment_bytes(worker, 0),
                            &worker->own.batches.limits, &worker->recovered);
        outbox->segments.spool = &worker->spool;
    }
    return outbox;
}

/* The files of this instance, if its process is gone: the lock first, which
 * makes sure that nobody else takes the other part. */
static bool
take_files(llmlab__worker_t *worker, const scan_t *scan,
           llmlab__outbox_t *outbox, uint64_t *torn)
{
    char lock[LLMLAB__SPOOL_NAME];
    char ring[LLMLAB__SPOOL_NAME];
    bool was_there;

    snprintf(lock, sizeof(lock), "%s.lock", outbox->segments.base);
    snprintf(ring, sizeof(ring), "%s.ring", outbox->segments.base);
    if (exists(scan->rings, ring) &&
        !llmlab__claim_is_free(scan->rings, ring)) {
        return false;
    }
    was_there = llmlab__claim_take(&outbox->claim, scan->spool, lock);
    if (!was_there &&
        !llmlab__claim_create(&outbox->claim, scan->spool, lock)) {
        return false;
    }
    take_rings(worker, scan, outbox, ring);
    if (llmlab__outbox_load(outbox, torn)) {
        return true;
    }
    if (outbox->rings != NULL) {
        llmlab__ring_set_keep_file(outbox->rings);
    }
    if (!was_there) {
        unlinkat(scan->spool, lock, 0);
    }
    return false;
}

static void
tell_adopted(llmlab__worker_t *worker, const llmlab__outbox_t *outbox,
             uint64_t torn)
{
    if (torn > 0) {
        atomic_fetch_add(&worker->recovered.dropped[LLMLAB_DROP_CORRUPT], torn);
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "%llu torn records in the spool were skipped",
                           (unsigned long long)torn);
    }
    llmlab__worker_say(worker, LLMLAB_LOG_INFO,
                       "found calls of an earlier process (%s)",
                       outbox->instance);
}

static void
adopt(llmlab__worker_t *worker, const scan_t *scan, const char *base)
{
    llmlab__outbox_t *outbox = new_outbox(worker, base);
    llmlab__outbox_t **last = &worker->adopted;
    uint64_t torn = 0;

    if (outbox == NULL) {
        return;
    }
    if (!take_files(worker, scan, outbox, &torn)) {
        llmlab__outbox_cleanup(outbox);
        llmlab__free(outbox);
        return;
    }
    tell_adopted(worker, outbox, torn);
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = outbox;
}

static unsigned
count_adopted(const llmlab__worker_t *worker)
{
    unsigned count = 0;

    for (const llmlab__outbox_t *outbox = worker->adopted; outbox != NULL;
         outbox = outbox->next) {
        count++;
    }
    return count;
}

static void
look(llmlab__worker_t *worker)
{
    const llmlab__spool_options_t *options = &worker->config.options.spool;
    char last[LLMLAB__SPOOL_BASE] = "";
    scan_t scan;

    begin_scan(&scan, worker->own.segments.owner.tenant, worker->spool.fd,
               options->ring_directory);
    if (worker->scans == 0) {
        llmlab__spool_sweep(scan.spool);
    }
    llmlab__spool_each(scan.spool, collect_base, &scan);
    if (scan.rings >= 0) {
        if (worker->scans == 0) {
            llmlab__spool_sweep(scan.rings);
        }
        llmlab__spool_each(scan.rings, collect_base, &scan);
    }
    if (scan.bases.size > 0) {
        qsort(scan.bases.data, scan.bases.size / LLMLAB__SPOOL_BASE,
              LLMLAB__SPOOL_BASE, compare_bases);
    }
    for (size_t at = 0;
         at < scan.bases.size && count_adopted(worker) < ADOPTED_MAX;
         at += LLMLAB__SPOOL_BASE) {
        const char *base = (const char *)scan.bases.data + at;

        if (strcmp(base, last) != 0 && !is_held(worker, base)) {
            adopt(worker, &scan, base);
        }
        memcpy(last, base, sizeof(last));
    }
    end_scan(&scan);
}

void
llmlab__worker_scan(llmlab__worker_t *worker, int64_t now_ns)
{
    if (worker->spool.fd < 0) {
        worker->next_scan_ns = INT64_MAX;
        return;
    }
    if (now_ns < worker->next_scan_ns) {
        return;
    }
    look(worker);
    worker->scans++;
    worker->next_scan_ns =
        now_ns + (worker->scans == 1 ? SECOND_SCAN_NS : SCAN_NS);
}

/* Later looks are for a worker that is awake anyway. */
int64_t
llmlab__worker_scan_time(const llmlab__worker_t *worker, int64_t now_ns)
{
    return worker->scans < 2 || worker->next_scan_ns <= now_ns
               ? worker->next_scan_ns
               : INT64_MAX;
}

/* Its rings are empty: their file is no longer needed when what was in it is on
 * disk, or sent. */
static void
end_rings(llmlab__worker_t *worker, llmlab__outbox_t *outbox)
{
    uint64_t missing = llmlab__ring_set_missing(outbox->rings);

    if (missing > 0) {
        atomic_fetch_add(&worker->recovered.dropped[LLMLAB_DROP_CORRUPT],
                         missing);
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "%llu calls of a process that was killed were not "
                           "in its file: there was no room on the tmpfs",
                           (unsigned long long)missing);
    }
    llmlab__ring_set_destroy(outbox->rings);
    outbox->rings = NULL;
    llmlab__claim_release(&outbox->ring_claim);
}

static void
tend_rings(llmlab__worker_t *worker, llmlab__outbox_t *outbox, int64_t now_ns)
{
    bool is_read;

    llmlab__worker_drain_outbox(worker, outbox, now_ns);
    is_read = llmlab__ring_set_pending_bytes(outbox->rings) == 0;
    if (is_read) {
        llmlab__batches_seal(&outbox->batches);
    }
    if (llmlab__outbox_is_safe(outbox)) {
        llmlab__ring_set_write_back(outbox->rings);
    }
    if (is_read &&
        (llmlab__outbox_is_safe(outbox) || llmlab__outbox_is_empty(outbox))) {
        end_rings(worker, outbox);
    }
}

void
llmlab__worker_tend(llmlab__worker_t *worker, int64_t now_ns)
{
    llmlab__outbox_t **at = &worker->adopted;

    while (*at != NULL) {
        llmlab__outbox_t *outbox = *at;

        if (outbox->rings != NULL) {
            tend_rings(worker, outbox, now_ns);
        } else {
            llmlab__batches_seal(&outbox->batches);
        }
        if (outbox->rings == NULL && llmlab__outbox_is_empty(outbox)) {
            *at = outbox->next;
            llmlab__outbox_delete(outbox);
            llmlab__outbox_cleanup(outbox);
            llmlab__free(outbox);
            /* There may be more than could be adopted at once. */
            worker->next_scan_ns = now_ns;
            continue;
        }
        /* It waits its turn on disk. */
        llmlab__segments_shed(&outbox->segments, 0);
        at = &outbox->next;
    }
}

/* What stays is for the next process, what has left is not. */
static void
bequeath(llmlab__outbox_t *outbox)
{
    if (llmlab__outbox_is_empty(outbox)) {
        if (outbox->rings == NULL ||
            llmlab__ring_set_pending_bytes(outbox->rings) == 0) {
            llmlab__outbox_delete(outbox);
        }
        return;
    }
    llmlab__outbox_note_gone(outbox);
    llmlab__outbox_write(outbox);
}

void
llmlab__worker_leave(llmlab__worker_t *worker)
{
    llmlab__outbox_t *outbox;

    while ((outbox = worker->adopted) != NULL) {
        worker->adopted = outbox->next;
        if (outbox->rings == NULL) {
            bequeath(outbox);
        } else {
            /* What was read of it may be nowhere else. */
            llmlab__ring_set_keep_file(outbox->rings);
        }
        llmlab__outbox_cleanup(outbox);
        llmlab__free(outbox);
    }
    bequeath(&worker->own);
    llmlab__claim_release(&worker->own.claim);
    worker->own.segments.spool = NULL;
    llmlab__spool_close(&worker->spool);
}
