/* The flat layer's handles: stale, foreign and shared ones.
 * llmlab-test: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/handle.h"

#define SPAN LLMLAB__HANDLE_SPAN
#define TEXT LLMLAB__HANDLE_TEXT

static int64_t
make(llmlab__handle_kind_t kind, int client)
{
    llmlab__slot_t *slot = llmlab__handle_new(kind, client);

    assert_non_null(slot);
    return llmlab__handle_publish(slot);
}

static llmlab_status_t
end(int64_t handle)
{
    llmlab__slot_t *slot;
    llmlab_status_t status = llmlab__handle_hold(&slot, handle, SPAN | TEXT);

    if (status == LLMLAB_OK) {
        llmlab__handle_free(slot);
    }
    return status;
}

static void
test_handle_is_small_and_unique(void **state)
{
    int64_t handles[1000];
    size_t i;
    size_t k;

    (void)state;
    for (i = 0; i < 1000; i++) {
        handles[i] = make(SPAN, 0);
        assert_true(handles[i] > 0);
        assert_true(handles[i] < INT64_C(1) << 53);
        for (k = 0; k < i; k++) {
            assert_true(handles[k] != handles[i]);
        }
    }
    for (i = 0; i < 1000; i++) {
        assert_int_equal(end(handles[i]), LLMLAB_OK);
    }
}

static void
test_ended_handle_is_stale_for_ever(void **state)
{
    int64_t first = make(SPAN, 0);
    int i;

    (void)state;
    assert_int_equal(end(first), LLMLAB_OK);
    for (i = 0; i < 10000; i++) {
        int64_t next = make(SPAN, 0);

        assert_true(next != first);
        assert_int_equal(end(first), LLMLAB_ESTALE);
        assert_int_equal(end(next), LLMLAB_OK);
    }
}

static void
test_invented_handles_are_refused(void **state)
{
    const int64_t invented[] = {
        1,
        42,
        INT64_MAX,
        INT64_MIN,
        -1,
        INT32_MIN,
        INT64_C(0xffffffff00000),
        INT64_C(0xfffffffffffff),
        INT64_C(1) << 52,
        (INT64_C(1) << 53) - 1,
    };
    llmlab__slot_t *slot;
    int64_t live = make(SPAN, 0);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof invented / sizeof *invented; i++) {
        assert_int_equal(llmlab__handle_hold(&slot, invented[i], SPAN),
                         LLMLAB_EINVAL);
        assert_null(slot);
    }
    /* The generation after the live one, and the one after that. */
    for (i = 1; i < 3; i++) {
        assert_int_equal(
            llmlab__handle_hold(&slot, live + (int64_t)(i << 20), SPAN),
            LLMLAB_EINVAL);
    }
    assert_int_equal(llmlab__handle_hold(&slot, 0, SPAN), LLMLAB_EDISABLED);
    assert_int_equal(end(live), LLMLAB_OK);
}

static void
test_other_kind_is_refused_and_unharmed(void **state)
{
    int64_t text = make(TEXT, 0);
    llmlab__slot_t *slot;

    (void)state;
    assert_int_equal(llmlab__handle_hold(&slot, text, SPAN), LLMLAB_EINVAL);
    assert_null(slot);
    assert_int_equal(end(text), LLMLAB_OK);
}

static void
test_child_is_refused(void **state)
{
    int64_t idle = make(SPAN, 0);
    int64_t busy = make(SPAN, 0);
    llmlab__slot_t *held;
    llmlab__slot_t *slot;
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(llmlab__handle_hold(&held, busy, SPAN), LLMLAB_OK);
    child = fork();
    if (child == 0) {
        /* The busy one's holder may be a thread that is not here: no wait. */
        bool ok = llmlab__handle_hold(&slot, idle, SPAN) == LLMLAB_EFORKED &&
                  llmlab__handle_hold(&slot, busy, SPAN) == LLMLAB_EFORKED &&
                  end(make(SPAN, 0)) == LLMLAB_OK;

        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    llmlab__handle_let_go(held);
    assert_int_equal(end(idle), LLMLAB_OK);
    assert_int_equal(end(busy), LLMLAB_OK);
}

static int discarded;

static void
count_discard(llmlab__slot_t *slot)
{
    (void)slot;
    discarded++;
}

static void
test_sweep_takes_one_client(void **state)
{
    int64_t ours[200];
    int64_t theirs = make(SPAN, 7);
    int i;

    (void)state;
    for (i = 0; i < 200; i++) {
        ours[i] = make(SPAN, 6);
    }
    discarded = 0;
    llmlab__handle_sweep(6, count_discard);
    assert_int_equal(discarded, 200);
    for (i = 0; i < 200; i++) {
        assert_int_equal(end(ours[i]), LLMLAB_ESTALE);
    }
    assert_int_equal(end(theirs), LLMLAB_OK);
}

/* Threads make, share, hold and end the same handles; each object is a plain
 * counter that only its holder may touch. */
#define THREADS 8
#define SHARED  4
#define ROUNDS  20000

static _Atomic int64_t shared[SHARED];
static _Atomic int64_t added;
static _Atomic int64_t taken;

static void *
hammer(void *payload)
{
    unsigned seed = *(const unsigned *)payload;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        _Atomic int64_t *place;
        llmlab__slot_t *slot;
        int64_t handle;

        seed = seed * 1103515245u + 12345u;
        place = &shared[(seed >> 16) % SHARED];
        handle = atomic_load(place);
        if (llmlab__handle_hold(&slot, handle, SPAN) == LLMLAB_OK) {
            slot->size++;
            atomic_fetch_add(&added, 1);
            if ((seed >> 20) % 16 == 0) {
                atomic_fetch_add(&taken, (int64_t)slot->size);
                llmlab__handle_free(slot);
            } else {
                llmlab__handle_let_go(slot);
            }
        } else {
            int64_t fresh = make(SPAN, 0);

            if (!atomic_compare_exchange_strong(place, &handle, fresh)) {
                end(fresh);
            }
        }
    }
    return NULL;
}

static void
test_threads_share_handles(void **state)
{
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    unsigned i;

    (void)state;
    for (i = 0; i < THREADS; i++) {
        seeds[i] = i * 2654435761u + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &seeds[i]),
                         0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (i = 0; i < SHARED; i++) {
        llmlab__slot_t *slot;

        if (llmlab__handle_hold(&slot, shared[i], SPAN) == LLMLAB_OK) {
            taken += (int64_t)slot->size;
            llmlab__handle_free(slot);
        }
    }
    assert_true(added > 0);
    assert_true(added == taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handle_is_small_and_unique),
        cmocka_unit_test(test_ended_handle_is_stale_for_ever),
        cmocka_unit_test(test_invented_handles_are_refused),
        cmocka_unit_test(test_other_kind_is_refused_and_unharmed),
        cmocka_unit_test(test_child_is_refused),
        cmocka_unit_test(test_sweep_takes_one_client),
        cmocka_unit_test(test_threads_share_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
