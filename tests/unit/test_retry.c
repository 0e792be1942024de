#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/retry.h"

/* The disposition table, row by row. */
static void
test_every_status_has_its_verdict(void **state)
{
    static const struct {
        int status;
        llmlab__verdict_t verdict;
    } rows[] = {
        {0, LLMLAB__VERDICT_RETRY},   {100, LLMLAB__VERDICT_RETRY},
        {301, LLMLAB__VERDICT_HOLD},  {302, LLMLAB__VERDICT_HOLD},
        {307, LLMLAB__VERDICT_HOLD},  {308, LLMLAB__VERDICT_HOLD},
        {400, LLMLAB__VERDICT_DEAD},  {401, LLMLAB__VERDICT_HOLD},
        {402, LLMLAB__VERDICT_DEAD},  {403, LLMLAB__VERDICT_HOLD},
        {404, LLMLAB__VERDICT_HOLD},  {407, LLMLAB__VERDICT_HOLD},
        {408, LLMLAB__VERDICT_RETRY}, {409, LLMLAB__VERDICT_DEAD},
        {413, LLMLAB__VERDICT_SPLIT}, {415, LLMLAB__VERDICT_DEAD},
        {422, LLMLAB__VERDICT_DEAD},  {425, LLMLAB__VERDICT_RETRY},
        {429, LLMLAB__VERDICT_RETRY}, {500, LLMLAB__VERDICT_RETRY},
        {502, LLMLAB__VERDICT_RETRY}, {503, LLMLAB__VERDICT_RETRY},
        {504, LLMLAB__VERDICT_RETRY}, {599, LLMLAB__VERDICT_RETRY},
        {999, LLMLAB__VERDICT_RETRY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* Only a 2xx is believed to speak for the server. */
        assert_int_equal(llmlab__verdict(rows[i].status, false),
                         rows[i].verdict);
        assert_int_equal(llmlab__verdict(rows[i].status, true),
                         rows[i].verdict);
    }
    for (int status = 200; status < 300; status++) {
        assert_int_equal(llmlab__verdict(status, true), LLMLAB__VERDICT_DONE);
        assert_int_equal(llmlab__verdict(status, false), LLMLAB__VERDICT_RETRY);
    }
}

static void
test_waits_double_with_full_jitter(void **state)
{
    llmlab__rng_t rng = {{1, 2, 3, 4}};
    int64_t bound = 500;

    (void)state;
    for (unsigned failures = 0; failures < 12; failures++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;

        for (int i = 0; i < 2000; i++) {
            llmlab__backoff_t backoff = {500, 30000, failures};
            int64_t wait = llmlab__backoff_next(&backoff, &rng, -1);

            assert_in_range(wait, 0, bound);
            assert_int_equal(backoff.failures, failures + 1);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        assert_true(least < bound / 50);
        assert_true(most > bound - bound / 50);
        bound = 2 * bound < 30000 ? 2 * bound : 30000;
    }
}

static void
test_retry_after_is_the_least_wait(void **state)
{
    llmlab__rng_t rng = {{1, 2, 3, 4}};
    llmlab__backoff_t backoff = {500, 30000, 0};
    int64_t wait = llmlab__backoff_next(&backoff, &rng, 7000);

    (void)state;
    assert_in_range(wait, 7000, 7500);
    backoff.failures = 0;
    wait = llmlab__backoff_next(&backoff, &rng, INT64_MAX);
    assert_in_range(wait, 3600000, 3600500);
    backoff.failures = 4000000000u;
    assert_in_range(llmlab__backoff_next(&backoff, &rng, 0), 0, 30000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_its_verdict),
        cmocka_unit_test(test_waits_double_with_full_jitter),
        cmocka_unit_test(test_retry_after_is_the_least_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
