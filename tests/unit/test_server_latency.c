/* llmlab-test: link=llmlab_server_core
 *
 * Latency sketches, packed sums and the runs of a trace's times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/id.h"
#include "store/latency.h"
#include "store/pack.h"
#include "store/sqlite/trace_runs.h"

static llmlab__rng_t rng = {{5, 6, 7, 8}};

static int64_t
any_duration(void)
{
    return (int64_t)(llmlab__rng_next(&rng) >>
                     (1 + llmlab__rng_next(&rng) % 62));
}

static void
test_a_bucket_is_near_its_values(void **state)
{
    (void)state;
    assert_int_equal(llmlab__latency_bucket(-1), 0);
    assert_int_equal(llmlab__latency_bucket(INT64_MAX),
                     LLMLAB__LATENCY_BUCKETS - 1);
    for (int i = 0; i < 200000; i++) {
        int64_t value = any_duration();
        unsigned bucket = llmlab__latency_bucket(value);
        int64_t told = llmlab__latency_value(bucket);
        int64_t off = told > value ? told - value : value - told;

        assert_true(bucket < LLMLAB__LATENCY_BUCKETS);
        assert_true(off <= value / 64);
        assert_true(value == INT64_MAX ||
                    llmlab__latency_bucket(value + 1) >= bucket);
    }
}

static llmlab__text_t
text_of(const llmlab__buf_t *buf)
{
    llmlab__text_t text = {(const char *)buf->data, buf->size};

    return text;
}

/* Changes in any order add up, and taking all away leaves nothing. */
static void
test_changes_add_up_and_go_away(void **state)
{
    int64_t values[500];
    llmlab__latency_delta_t delta = {0};
    llmlab__latency_t sum = {0};
    llmlab__buf_t packed;
    llmlab__buf_t next;

    (void)state;
    llmlab__buf_init(&packed);
    llmlab__buf_init(&next);
    for (int sign = 1; sign >= -1; sign -= 2) {
        for (int i = 0; i < 500; i++) {
            values[i] = sign > 0 ? any_duration() : values[i];
            assert_true(llmlab__latency_delta_add(
                &delta, llmlab__latency_bucket(values[i]), sign));
            if (i % 7 == 0 || i == 499) {
                llmlab__buf_clear(&next);
                assert_true(
                    llmlab__latency_apply(text_of(&packed), &delta, &next));
                llmlab__buf_clear(&packed);
                llmlab__buf_append(&packed, next.data, next.size);
                delta.count = 0;
            }
        }
        if (sign > 0) {
            assert_true(llmlab__latency_sum(&sum, text_of(&packed), 1));
            assert_int_equal(sum.total, 500);
            for (int i = 0; i < 500; i++) {
                unsigned bucket = llmlab__latency_bucket(values[i]);

                assert_true(sum.octaves[bucket / 32][bucket % 32]-- > 0);
            }
            llmlab__latency_cleanup(&sum);
        }
    }
    assert_int_equal(packed.size, 0);
    /* More cannot be taken away than is there. */
    assert_true(llmlab__latency_delta_add(&delta, 7, -1));
    assert_false(llmlab__latency_apply(text_of(&packed), &delta, &next));
    llmlab__free(delta.of);
    llmlab__buf_cleanup(&packed);
    llmlab__buf_cleanup(&next);
}

static void
test_damaged_bytes(void **state)
{
    unsigned char bytes[40];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        llmlab__text_t text = {(const char *)bytes,
                               llmlab__rng_next(&rng) % sizeof(bytes)};
        llmlab__latency_delta_t delta = {0};
        llmlab__latency_t sum = {0};
        llmlab__runs_t runs = {0};
        llmlab__sums_t sums;
        llmlab__buf_t out;

        for (size_t at = 0; at < text.size; at++) {
            bytes[at] = (unsigned char)llmlab__rng_next(&rng);
        }
        llmlab__buf_init(&out);
        (void)llmlab__latency_sum(&sum, text, 1);
        (void)llmlab__latency_apply(text, &delta, &out);
        (void)llmlab__sums_unpack(text, &sums);
        (void)llmlab__runs_unpack(text, &runs);
        llmlab__buf_cleanup(&out);
        llmlab__latency_cleanup(&sum);
        llmlab__runs_cleanup(&runs);
    }
}

static void
test_sums_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[LLMLAB__PACK_MAX];
        llmlab__text_t text = {(const char *)bytes, 0};
        llmlab__sums_t sums = {{0}};
        llmlab__sums_t back;

        for (int at = 0; at < LLMLAB__SUMS; at++) {
            if (llmlab__rng_next(&rng) % 2 == 0) {
                sums.of[at] = llmlab__rng_next(&rng) % 8 == 0
                                  ? INT64_MIN + (int64_t)(i % 3)
                                  : any_duration();
            }
        }
        text.size = llmlab__sums_pack(&sums, bytes);
        assert_true(text.size <= sizeof(bytes));
        assert_true(llmlab__sums_unpack(text, &back));
        assert_memory_equal(&sums, &back, sizeof(sums));
    }
}

/* Every time that was added lies in a run, whatever was merged. */
static void
test_runs_hold_all_times(void **state)
{
    static int64_t times[3000];

    (void)state;
    for (unsigned many = 1; many <= 3000; many = many * 3 + 7) {
        llmlab__runs_t runs = {0};
        llmlab__runs_t back = {0};
        llmlab__buf_t packed;

        for (unsigned i = 0; i < many; i++) {
            times[i] = any_duration() % 1000000007;
            assert_true(llmlab__runs_add(&runs, times[i]));
        }
        assert_true(runs.count <= LLMLAB__RUNS_MAX);
        llmlab__buf_init(&packed);
        llmlab__runs_pack(&runs, &packed);
        assert_true(llmlab__runs_unpack(text_of(&packed), &back));
        assert_int_equal(back.count, runs.count);
        assert_memory_equal(back.of, runs.of, runs.count * sizeof(*runs.of));
        for (unsigned i = 0; i < many; i++) {
            bool found = false;

            for (uint32_t at = 0; at < runs.count && !found; at++) {
                found = runs.of[at].first <= times[i] &&
                        times[i] <= runs.of[at].last;
            }
            assert_true(found);
        }
        for (uint32_t at = 0; at + 1 < runs.count; at++) {
            assert_true(runs.of[at].last < runs.of[at + 1].first);
        }
        llmlab__buf_cleanup(&packed);
        llmlab__runs_cleanup(&runs);
        llmlab__runs_cleanup(&back);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket_is_near_its_values),
        cmocka_unit_test(test_changes_add_up_and_go_away),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_sums_come_back),
        cmocka_unit_test(test_runs_hold_all_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
