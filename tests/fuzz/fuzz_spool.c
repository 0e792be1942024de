/* What a process left in its spool may be anything: a segment's file and a
 * ring's file of foreign bytes are taken up, drained and read to the end.
 *
 * The first byte tells how much of the input is the segment; each begins as a
 * sound file over which the input is laid. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delivery/outbox.h"
#include "delivery/segment_state.h"

enum { UNIT = 4096, POOL = 8 * UNIT, FILE_MAX = 65536 };

static char directory[] = "/dev/shm/llmlab-fuzz-XXXXXX";
static llmlab__segment_owner_t owner;
static unsigned char segment[2048];
static size_t segment_size;
static unsigned char pool[FILE_MAX];
static size_t pool_size;

static void
make_segment(void)
{
    llmlab__segments_t segments;
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end;
    llmlab__record_t record = llmlab__record_blank;
    llmlab__ring_position_t position = {0, 0, 64};

    record.size = sizeof(record);
    record.type = LLMLAB__RECORD_SPAN;
    record.outcome = 1;
    record.flags = LLMLAB__RECORD_REAL_TIME;
    llmlab__segments_init(&segments, &owner, 32768);
    for (uint64_t n = 1; n <= 3; n++) {
        record.span_id = n;
        if (!llmlab__segments_append(&segments, &record, n, 0, &start, &end)) {
            abort();
        }
    }
    llmlab__segments_note(&segments, LLMLAB__FRAME_CONSUMED, 0, &position,
                          sizeof(position));
    llmlab__segments_note(&segments, LLMLAB__FRAME_SEALED, 3, NULL, 0);
    segment_size = segments.head->size;
    memcpy(segment, segments.head->bytes, segment_size);
    llmlab__segments_cleanup(&segments);
}

static void
make_pool(void)
{
    llmlab__ring_options_t options = {
        .max_bytes = POOL, .ring_bytes = UNIT, .directory = directory};
    llmlab__ring_set_t *set = NULL;
    llmlab__ring_t *ring;
    ssize_t got;
    int fd;

    if (llmlab__ring_set_new(&set, &options) != LLMLAB_OK ||
        !llmlab__ring_set_is_file(set)) {
        abort();
    }
    ring = llmlab__ring_set_acquire(set);
    for (int i = 0; i < 4; i++) {
        llmlab__record_t *record =
            llmlab__ring_claim(ring, sizeof(llmlab__record_t));

        *record = llmlab__record_blank;
        record->size = sizeof(*record);
        record->type = LLMLAB__RECORD_SPAN;
        record->outcome = 1;
        llmlab__ring_commit(ring, sizeof(*record));
    }
    fd = llmlab__ring_set_lend_fd(set);
    got = pread(fd, pool, sizeof(pool), 0);
    if (got <= 0) {
        abort();
    }
    pool_size = (size_t)got;
    llmlab__ring_set_destroy(set);
    close(fd);
}

static void
end(void)
{
    rmdir(directory);
}

static void
begin(void)
{
    static bool is_ready;

    if (is_ready) {
        return;
    }
    is_ready = true;
    if (mkdtemp(directory) == NULL) {
        abort();
    }
    atexit(end);
    snprintf(owner.instance, sizeof(owner.instance),
             "01a20cd4-9185-7e0e-ad9b-f0e5d51f74c4");
    make_segment();
    make_pool();
}

/* The sound bytes, the input over them from an offset that it tells itself. */
static void
write_file(const char *name, const unsigned char *sound, size_t size,
           const uint8_t *data, size_t data_size)
{
    unsigned char copy[sizeof(pool)];
    size_t at = 0;
    int fd;

    memcpy(copy, sound, size);
    while (data_size >= 3) {
        size_t offset = (size_t)(data[0] | data[1] << 8) % size;

        copy[offset] = data[2];
        data += 3;
        data_size -= 3;
        at++;
    }
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, copy, size - (at % 7 == 6 ? data_size : 0)) < 0) {
        abort();
    }
    close(fd);
}

static bool
look_at(void *payload, const void *record, uint32_t size)
{
    uint64_t *sum = payload;

    if (record != NULL && llmlab__record_check(record, size)) {
        const llmlab__record_t *sound = record;

        *sum += sound->span_id;
    }
    return true;
}

static void
read_back(llmlab__outbox_t *outbox)
{
    uint64_t sum = 0;

    if (outbox->rings != NULL) {
        while (llmlab__ring_set_peek(outbox->rings, look_at, &sum, SIZE_MAX) >
               0) {
            llmlab__ring_set_release(outbox->rings);
        }
        llmlab__ring_set_release(outbox->rings);
        llmlab__ring_set_write_back(outbox->rings);
    }
    llmlab__batches_seal(&outbox->batches);
    while (outbox->batches.count > 0) {
        llmlab__batch_t batch = *llmlab__batches_head(&outbox->batches);
        llmlab__segment_cursor_t cursor = batch.start;
        const llmlab__record_t *record;
        uint64_t number;
        bool sound;

        if (!llmlab__segments_fetch(&outbox->segments, &batch.start,
                                    &batch.end)) {
            abort();
        }
        while (llmlab__segments_read(&cursor, &record, &number, &sound)) {
            sum += sound ? record->span_id : 0;
        }
        llmlab__batches_pop(&outbox->batches);
        llmlab__segments_release(&outbox->segments, &batch.end);
    }
    *(volatile uint64_t *)&sum = sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const llmlab__batch_limits_t limits = {100, 1 << 20, INT64_MAX};
    llmlab__ledger_t ledger = {0};
    llmlab__outbox_t outbox;
    llmlab__spool_t spool = {.fd = -1};
    char name[200];
    char ring[200];
    uint64_t torn;
    size_t first;
    int fd;

    begin();
    first = size == 0 ? 0 : data[0] % size;
    spool.fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    llmlab__outbox_init(&outbox, &owner, 32768, &limits, &ledger);
    outbox.segments.spool = &spool;
    snprintf(name, sizeof(name), "%s/%s-00000000.seg", directory,
             outbox.segments.base);
    write_file(name, segment, segment_size, data, first);
    snprintf(ring, sizeof(ring), "%s/ring", directory);
    write_file(ring, pool, pool_size, data + first, size - first);
    fd = open(ring, O_RDWR | O_CLOEXEC);
    outbox.rings = llmlab__ring_set_adopt(fd, ring);
    if (llmlab__outbox_load(&outbox, &torn)) {
        read_back(&outbox);
        llmlab__outbox_delete(&outbox);
    }
    llmlab__outbox_cleanup(&outbox);
    unlink(name);
    unlink(ring);
    close(fd);
    close(spool.fd);
    return 0;
}
