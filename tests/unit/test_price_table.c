/* The built-in table, and the pool and build that tables are made with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pricing/book.h"
#include "pricing/pool.h"

static void
test_every_key_leads_to_its_row(void **state)
{
    const llmlab__price_table_t *table = llmlab__price_table_builtin();
    uint32_t i;

    (void)state;
    assert_in_range(table->row_count, 3000, 60000);
    for (i = 0; i < table->row_count; i++) {
        const char *key = llmlab__price_text(table, table->rows[i].key);

        assert_ptr_equal(llmlab__table_find(table, key, strlen(key), NULL),
                         &table->rows[i]);
    }
}

static void
test_every_row_tells_its_source_and_date(void **state)
{
    const llmlab__price_table_t *table = llmlab__price_table_builtin();
    uint32_t i;

    (void)state;
    for (i = 0; i < table->row_count; i++) {
        const llmlab__price_row_t *row = &table->rows[i];
        const char *family = llmlab__price_text(table, row->family);

        assert_true(llmlab__price_text(table, row->source)[0] != '\0');
        assert_true(row->checked > 20000);
        assert_non_null(llmlab__family_of(table, family, strlen(family)));
        assert_true(row->period_count > 0);
    }
}

static void
test_a_pool_keeps_equal_runs_once(void **state)
{
    llmlab__pool_t pool;
    uint32_t first[300];
    uint32_t i;

    (void)state;
    llmlab__pool_init(&pool);
    for (i = 0; i < 300; i++) {
        first[i] = llmlab__pool_add(&pool, &i, sizeof(i));
    }
    for (i = 0; i < 300; i++) {
        assert_int_equal(llmlab__pool_add(&pool, &i, sizeof(i)), first[i]);
        assert_memory_equal(pool.bytes.data + first[i], &i, sizeof(i));
    }
    assert_int_equal(pool.bytes.size, 300 * sizeof(i));
    assert_int_equal(llmlab__pool_add(&pool, "", 0), 0);
    assert_false(pool.failed);
    llmlab__pool_cleanup(&pool);
}

static void
begin_row(llmlab__build_t *build, const char *key)
{
    llmlab__build_row(build, key, "acme", "acme");
    llmlab__build_period(build, INT64_MIN);
}

static void
end_row(llmlab__build_t *build)
{
    assert_int_equal(llmlab__build_period_end(build), LLMLAB_OK);
    assert_int_equal(llmlab__build_row_end(build), LLMLAB_OK);
}

static void
count_rounded(void *context, const char *key, const char *rate,
              const char *text)
{
    assert_string_equal(key, "fine");
    assert_string_equal(rate, "pixel");
    assert_string_equal(text, "0.0000000000000005");
    ++*(int *)context;
}

static void
test_a_build_rounds_and_tells(void **state)
{
    llmlab__price_table_t table;
    llmlab__build_t build;
    int rounded = 0;

    (void)state;
    llmlab__build_init(&build);
    build.rounded = count_rounded;
    build.rounded_context = &rounded;
    begin_row(&build, "fine");
    assert_int_equal(llmlab__build_rate(&build, LLMLAB__PER_PIXEL, 0, 0,
                                        "0.0000000000000005", 0),
                     LLMLAB_OK);
    assert_int_equal(
        llmlab__build_rate(&build, LLMLAB__INPUT, 0, 0, "0.000000001", -6),
        LLMLAB_OK);
    end_row(&build);
    assert_int_equal(llmlab__build_finish(&build, &table), LLMLAB_OK);
    assert_int_equal(rounded, 1);
    assert_int_equal(table.amounts[LLMLAB__RATE_AMOUNT(table.rates[0])], 1);
    assert_int_equal(table.amounts[LLMLAB__RATE_AMOUNT(table.rates[1])], 0);
    llmlab__build_cleanup(&build);
}

static void
test_a_build_refuses_what_cannot_be(void **state)
{
    static const char *const numbers[] = {"-1", "NaN", "", "1 USD", "18447"};
    llmlab__price_table_t table;
    llmlab__build_t build;
    size_t i;

    (void)state;
    llmlab__build_init(&build);
    begin_row(&build, "twice");
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(
            llmlab__build_rate(&build, LLMLAB__INPUT, 0, 0, numbers[i], 0),
            LLMLAB_EPARSE);
    }
    assert_int_equal(
        llmlab__build_factor(&build, LLMLAB__FACTOR_SPEED, "fast", "0"),
        LLMLAB_EPARSE);
    assert_int_equal(llmlab__build_factor(&build, LLMLAB__FACTOR_SPEED, "fast",
                                          "1.12345678901234"),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab__build_period_end(&build), LLMLAB_OK);
    llmlab__build_period(&build, INT64_MIN);
    assert_int_equal(llmlab__build_period_end(&build), LLMLAB_EPARSE);
    assert_string_equal(llmlab_status_detail(),
                        "twice: prices must stand by their dates");
    assert_int_equal(llmlab__build_row_end(&build), LLMLAB_OK);
    begin_row(&build, "twice");
    end_row(&build);
    assert_int_equal(llmlab__build_finish(&build, &table), LLMLAB_EPARSE);
    assert_string_equal(llmlab_status_detail(),
                        "the model \"twice\" stands twice");
    llmlab__build_cleanup(&build);
}

static void
test_a_build_bounds_contexts_and_rates(void **state)
{
    llmlab__build_t build;
    unsigned i;

    (void)state;
    llmlab__build_init(&build);
    begin_row(&build, "wide");
    for (i = 1; i <= LLMLAB__RATE_CONTEXTS; i++) {
        assert_int_equal(
            llmlab__build_context(&build, i * 1000, LLMLAB__BOUND_ABOVE), i);
    }
    assert_int_equal(llmlab__build_context(&build, 1, LLMLAB__BOUND_ABOVE), 0);
    assert_int_equal(llmlab__build_context(&build, 2000, LLMLAB__BOUND_ABOVE),
                     2);
    for (i = 0; i < LLMLAB__DRAFT_RATES; i++) {
        assert_int_equal(llmlab__build_rate(&build, i % LLMLAB__RATE_CLASSES, 0,
                                            i / LLMLAB__RATE_CLASSES, "1", 0),
                         LLMLAB_OK);
    }
    assert_int_equal(llmlab__build_rate(&build, LLMLAB__INPUT, 1, 0, "1", 0),
                     LLMLAB_EPARSE);
    llmlab__build_cleanup(&build);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_leads_to_its_row),
        cmocka_unit_test(test_every_row_tells_its_source_and_date),
        cmocka_unit_test(test_a_pool_keeps_equal_runs_once),
        cmocka_unit_test(test_a_build_rounds_and_tells),
        cmocka_unit_test(test_a_build_refuses_what_cannot_be),
        cmocka_unit_test(test_a_build_bounds_contexts_and_rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
