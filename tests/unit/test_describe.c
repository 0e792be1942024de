#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pricing/describe.h"

/* All rows of a table as a price file. */
static void
write_file(llmlab__buf_t *buf, const llmlab__price_table_t *table)
{
    llmlab__json_out_t json;
    uint32_t i;

    llmlab__buf_clear(buf);
    llmlab__json_out_init(&json, buf);
    llmlab__json_begin_object(&json);
    llmlab__json_key(&json, "llmlab_prices");
    llmlab__json_put_int(&json, 1);
    llmlab__json_key(&json, "models");
    llmlab__json_begin_object(&json);
    for (i = 0; i < table->row_count; i++) {
        llmlab__price_ref_t ref = {table, &table->rows[i]};
        const char *key = llmlab__price_ref_key(ref);

        llmlab__json_key_n(&json, key, strlen(key));
        llmlab__price_row_write(&json, ref);
    }
    llmlab__json_end_object(&json);
    llmlab__json_end_object(&json);
    assert_false(buf->failed);
}

static void
test_the_whole_table_reads_back_the_same(void **state)
{
    llmlab_price_book_t *book = NULL;
    llmlab__buf_t first;
    llmlab__buf_t second;

    (void)state;
    llmlab__buf_init(&first);
    llmlab__buf_init(&second);
    write_file(&first, llmlab__price_table_builtin());
    assert_int_equal(
        llmlab_price_book_parse(&book, (const char *)first.data, first.size),
        LLMLAB_OK);
    assert_int_equal(book->table.row_count,
                     llmlab__price_table_builtin()->row_count);
    write_file(&second, &book->table);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    llmlab_price_book_destroy(book);
    llmlab__buf_cleanup(&first);
    llmlab__buf_cleanup(&second);
}

static void
test_titles_and_amounts(void **state)
{
    const char *json =
        "{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
        "\"contexts\":[{\"input_from\":200000,"
        "\"tiers\":{\"priority\":{\"cache_read\":\"0.0003\"}}}]}}}";
    llmlab_price_book_t *book = NULL;
    char title[LLMLAB__RATE_TITLE];
    char amount[LLMLAB_MONEY_TEXT];
    const llmlab__period_t *period;

    (void)state;
    assert_int_equal(llmlab_price_book_parse(&book, json, strlen(json)),
                     LLMLAB_OK);
    period = &book->table.periods[book->table.rows[0].periods];
    llmlab__rate_title(&book->table, period, book->table.rates[0], title);
    assert_string_equal(title, "priority cache_read from 200000");
    llmlab__rate_format(&book->table, book->table.rates[0], amount);
    assert_string_equal(amount, "0.0003");
    llmlab_price_book_destroy(book);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_table_reads_back_the_same),
        cmocka_unit_test(test_titles_and_amounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
