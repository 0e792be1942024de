#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/batch.h"
#include "support/make_record.h"

typedef struct line_s {
    llmlab__segments_t segments;
    llmlab__batches_t batches;
    uint64_t number;
} line_t;

static made_record_t made;

static void
begin(line_t *line, uint32_t max_calls, size_t max_bytes, int64_t max_age_ns)
{
    static const llmlab__segment_owner_t owner = {.instance = "instance"};
    llmlab__batch_limits_t limits = {max_calls, max_bytes, max_age_ns};

    llmlab__segments_init(&line->segments, &owner, 262144);
    llmlab__batches_init(&line->batches, &limits);
    line->number = 0;
}

static void
end(line_t *line)
{
    llmlab__batches_cleanup(&line->batches);
    llmlab__segments_cleanup(&line->segments);
}

static void
add(line_t *line, int64_t now_ns)
{
    const llmlab__record_t *record = made_head(&made);
    uint64_t number = record->type == LLMLAB__RECORD_CHUNK ? 0 : ++line->number;
    llmlab__segment_cursor_t from;
    llmlab__segment_cursor_t to;

    assert_true(llmlab__batches_reserve(&line->batches));
    assert_true(llmlab__segments_append(&line->segments, record, number, 0,
                                        &from, &to));
    llmlab__batches_add(&line->batches, record, number, &from, &to, now_ns);
}

static void
add_calls(line_t *line, unsigned count, int64_t now_ns)
{
    for (unsigned i = 0; i < count; i++) {
        make_call(&made, 1, line->number + 1);
        add(line, now_ns);
    }
}

static void
expect_head(line_t *line, uint64_t first, uint32_t count)
{
    llmlab__batch_t *head = llmlab__batches_head(&line->batches);

    assert_non_null(head);
    assert_int_equal(head->first, first);
    assert_int_equal(head->count, count);
}

static void
test_cut_at_the_number_of_calls(void **state)
{
    line_t line;

    (void)state;
    begin(&line, 100, 1 << 20, 1000);
    add_calls(&line, 99, 0);
    assert_null(llmlab__batches_head(&line.batches));
    add_calls(&line, 151, 0);
    expect_head(&line, 1, 100);
    llmlab__batches_pop(&line.batches);
    expect_head(&line, 101, 100);
    llmlab__batches_pop(&line.batches);
    assert_null(llmlab__batches_head(&line.batches));
    assert_int_equal(line.batches.open.count, 50);
    llmlab__batches_seal(&line.batches);
    expect_head(&line, 201, 50);
    llmlab__batches_seal(&line.batches); /* nothing is open: no empty batch */
    llmlab__batches_pop(&line.batches);
    assert_null(llmlab__batches_head(&line.batches));
    end(&line);
}

static void
test_cut_at_bytes(void **state)
{
    line_t line;
    size_t each;

    (void)state;
    make_call(&made, 1, 1);
    each = made_head(&made)->size;
    begin(&line, 1000, 10 * each, 1000);
    add_calls(&line, 25, 0);
    expect_head(&line, 1, 10);
    assert_int_equal(llmlab__batches_head(&line.batches)->bytes, 10 * each);
    llmlab__batches_pop(&line.batches);
    expect_head(&line, 11, 10);
    assert_int_equal(line.batches.open.count, 5);
    end(&line);
    /* A record above the limit is a batch of its own. */
    begin(&line, 1000, each / 2, 1000);
    add_calls(&line, 3, 0);
    expect_head(&line, 1, 1);
    end(&line);
}

static void
test_cut_at_age(void **state)
{
    line_t line;

    (void)state;
    begin(&line, 100, 1 << 20, 1000);
    assert_int_equal(llmlab__batches_deadline(&line.batches), INT64_MAX);
    llmlab__batches_age(&line.batches, INT64_MAX - 1);
    assert_null(llmlab__batches_head(&line.batches));
    add_calls(&line, 1, 500);
    add_calls(&line, 1, 1400); /* the age is that of the oldest */
    assert_int_equal(llmlab__batches_deadline(&line.batches), 1500);
    llmlab__batches_age(&line.batches, 1499);
    assert_null(llmlab__batches_head(&line.batches));
    llmlab__batches_age(&line.batches, 1500);
    expect_head(&line, 1, 2);
    end(&line);
}

static void
expect_numbers(line_t *line, uint64_t first, uint32_t count)
{
    llmlab__batch_t *head = llmlab__batches_head(&line->batches);
    llmlab__segment_cursor_t cursor = head->start;

    expect_head(line, first, count);
    for (uint64_t n = first; n < first + count; n++) {
        const llmlab__record_t *record;
        uint64_t number;
        bool sound;

        assert_true(llmlab__segments_read(&cursor, &record, &number, &sound));
        assert_true(sound);
        assert_int_equal(number, n);
    }
    assert_ptr_equal(cursor.segment, head->end.segment);
    assert_int_equal(cursor.offset, head->end.offset);
}

static void
test_halving_down_to_one(void **state)
{
    line_t line;
    uint64_t next = 1;

    (void)state;
    begin(&line, 1000, 64 << 20, 1000);
    add_calls(&line, 1000, 0); /* over several segments */
    expect_numbers(&line, 1, 1000);
    while (llmlab__batches_head(&line.batches) != NULL) {
        while (llmlab__batches_head(&line.batches)->count > 1) {
            uint32_t count = llmlab__batches_head(&line.batches)->count;

            assert_true(llmlab__batches_split(&line.batches));
            expect_numbers(&line, next, count / 2);
        }
        next++;
        llmlab__batches_pop(&line.batches);
    }
    assert_int_equal(next, 1001);
    end(&line);
}

static void
test_text_stays_with_its_span(void **state)
{
    line_t line;

    (void)state;
    begin(&line, 10, 1 << 20, 1000);
    add_calls(&line, 5, 0);
    make_record(&made, LLMLAB__RECORD_CHUNK, 1, 777);
    make_text(&made, LLMLAB__ITEM_INPUT, "piece");
    add(&line, 0);
    add_calls(&line, 5, 0); /* full, but a span is awaited */
    assert_null(llmlab__batches_head(&line.batches));
    make_call(&made, 1, 777);
    add(&line, 0);
    expect_head(&line, 1, 11);
    llmlab__batches_pop(&line.batches);

    /* A span that never comes holds nothing up for ever. */
    make_record(&made, LLMLAB__RECORD_CHUNK, 1, 778);
    make_text(&made, LLMLAB__ITEM_INPUT, "piece");
    add(&line, 0);
    add_calls(&line, 19, 0);
    assert_null(llmlab__batches_head(&line.batches));
    add_calls(&line, 1, 0);
    expect_head(&line, 12, 20);
    llmlab__batches_pop(&line.batches);
    add_calls(&line, 10, 0);
    expect_head(&line, 32, 10);
    end(&line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_the_number_of_calls),
        cmocka_unit_test(test_cut_at_bytes),
        cmocka_unit_test(test_cut_at_age),
        cmocka_unit_test(test_halving_down_to_one),
        cmocka_unit_test(test_text_stays_with_its_span),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
