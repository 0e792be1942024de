/* A million short threads, each with one span: none is lost, and neither rings
 * nor memory grow. Nothing of ours runs when a thread ends.
 *
 * llmlab-test: long threads timeout=900 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <llmlab/llmlab.h>

#include "base/clock.h"
#include "queue/ring_set.h"
#include "support/recording.h"
#include "support/sanitizer.h"
#include "trace/recorder.h"

#define THREADS 1000000
#define AT_ONCE 4

static recording_t *recording;
static _Atomic int stop;
static _Atomic uint64_t failed;

static void *
one_span(void *payload)
{
    llmlab_span_t *span = llmlab_span_start(recording_client(recording), NULL,
                                            "short", LLMLAB_SPAN_TOOL);

    (void)payload;
    llmlab_span_set_int(span, "key", 1);
    if (llmlab_span_end(span) != LLMLAB_OK) {
        atomic_fetch_add(&failed, 1);
    }
    return NULL;
}

static void *
drain_until_stopped(void *payload)
{
    (void)payload;
    while (atomic_load(&stop) == 0) {
        llmlab__ring_set_t *rings = atomic_load(&recording->tracer.rings);

        recording_drain(recording);
        recording->at = recording->taken.size;
        if (rings != NULL) {
            llmlab__ring_set_recycle(rings, llmlab__clock_mono_ns());
        }
        usleep(1000);
    }
    return NULL;
}

static long
resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
test_a_million_threads(void **state)
{
    const char *count = getenv("LLMLAB_TEST_THREADS");
    int threads = count != NULL ? atoi(count) : THREADS;
    llmlab__tracer_counts_t counts;
    pthread_t drainer;
    uint64_t memory = 0;
    uint64_t bytes = 0;
    long resident = 0;

    (void)state;
    recording = recording_open();
    recording->max_bytes = 8 << 20;
    pthread_create(&drainer, NULL, drain_until_stopped, NULL);
    for (int i = 0; i < threads; i += AT_ONCE) {
        pthread_t handles[AT_ONCE];

        for (int n = 0; n < AT_ONCE; n++) {
            assert_int_equal(pthread_create(&handles[n], NULL, one_span, NULL),
                             0);
        }
        for (int n = 0; n < AT_ONCE; n++) {
            pthread_join(handles[n], NULL);
        }
        if (i == threads / 10 / AT_ONCE * AT_ONCE) {
            resident = resident_kib();
        }
    }
    atomic_store(&stop, 1);
    pthread_join(drainer, NULL);
    recording_drain(recording);
    llmlab__tracer_counts(&recording->tracer, &counts);
    memory = llmlab__ring_set_memory(atomic_load(&recording->tracer.rings));
    bytes = atomic_load(&recording->tracer.recorders)->bytes;
    print_message("%d threads: %d KiB in rings, %d KiB in spans, resident "
                  "%ld KiB after a tenth, %ld at the end\n",
                  threads, (int)(memory / 1024), (int)(bytes / 1024), resident,
                  resident_kib());
    assert_int_equal(counts.accepted, threads);
    assert_int_equal(recording->count, threads);
    assert_int_equal(atomic_load(&failed), 0);
    assert_true(memory < 4 << 20);
    assert_true(bytes < 4 << 20);
    if (!WITH_SANITIZER) {
        assert_true(resident_kib() - resident < 2048);
    }
    recording_close(recording);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_million_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
