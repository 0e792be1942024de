#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/segment.h"
#include "support/make_record.h"

enum { SEGMENT = 32768 };

static made_record_t made;
static const llmlab__segment_owner_t owner = {.instance = "instance",
                                              .tenant = {1, 2, 3}};

static void
append(llmlab__segments_t *segments, uint64_t number,
       llmlab__segment_cursor_t *start, llmlab__segment_cursor_t *end)
{
    make_call(&made, number, number);
    assert_true(llmlab__segments_append(segments, made_head(&made), number, 0,
                                        start, end));
}

static void
expect(llmlab__segment_cursor_t *cursor, uint64_t number)
{
    const llmlab__record_t *record;
    uint64_t found;
    bool sound;

    assert_true(llmlab__segments_read(cursor, &record, &found, &sound));
    assert_true(sound);
    assert_int_equal(found, number);
    assert_int_equal(record->span_id, number);
}

static void
test_records_come_back_in_order(void **state)
{
    llmlab__segments_t segments;
    llmlab__segment_cursor_t first = {NULL, 0};
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end;
    const llmlab__record_t *record;
    uint64_t number;
    bool sound;

    (void)state;
    llmlab__segments_init(&segments, &owner, SEGMENT);
    for (uint64_t n = 1; n <= 1000; n++) {
        append(&segments, n, &start, &end);
        if (n == 1) {
            first = start;
        }
    }
    for (uint64_t n = 1; n <= 1000; n++) {
        expect(&first, n);
    }
    assert_false(llmlab__segments_read(&first, &record, &number, &sound));
    assert_ptr_equal(first.segment, end.segment);
    assert_int_equal(first.offset, end.offset);
    llmlab__segments_cleanup(&segments);
}

static void
test_monotonic_times_become_unix_times(void **state)
{
    llmlab__segments_t segments;
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end;
    const llmlab__record_t *record;
    uint64_t number;
    bool sound;

    (void)state;
    llmlab__segments_init(&segments, &owner, SEGMENT);
    make_record(&made, LLMLAB__RECORD_SPAN, 1, 1);
    made_head(&made)->flags = 0;
    made_head(&made)->start_ns = 100;
    made_head(&made)->end_ns = 150;
    assert_true(llmlab__segments_append(&segments, made_head(&made), 1, 1000,
                                        &start, &end));
    assert_true(llmlab__segments_read(&start, &record, &number, &sound));
    assert_true(sound);
    assert_int_equal(record->start_ns, 1100);
    assert_int_equal(record->end_ns, 1150);
    assert_int_equal(record->flags, LLMLAB__RECORD_REAL_TIME);
    /* A time that is one already stays. */
    append(&segments, 2, &start, &end);
    assert_true(llmlab__segments_read(&start, &record, &number, &sound));
    assert_int_equal(record->start_ns, made_head(&made)->start_ns);
    llmlab__segments_cleanup(&segments);
}

/* Whatever byte is overwritten, nothing unsound is ever offered to be read,
 * and nothing outside is touched (run under ASan). */
static void
test_an_overwritten_byte_is_noticed(void **state)
{
    llmlab__segments_t segments;
    llmlab__segment_cursor_t first;
    llmlab__segment_cursor_t second;
    llmlab__segment_cursor_t end;
    unsigned char *frame;
    const llmlab__record_t *record;
    uint64_t number;
    bool sound;
    size_t size;

    (void)state;
    llmlab__segments_init(&segments, &owner, SEGMENT);
    append(&segments, 1, &first, &second);
    append(&segments, 2, &second, &end);
    expect(&(llmlab__segment_cursor_t){first.segment, first.offset}, 1);
    {
        llmlab__segment_cursor_t cursor = first;

        assert_true(llmlab__segments_read(&cursor, &record, &number, &sound));
        frame = (unsigned char *)(uintptr_t)record - sizeof(llmlab__frame_t);
        size = sizeof(llmlab__frame_t) + record->size;
    }
    for (size_t i = 0; i < size; i++) {
        llmlab__segment_cursor_t cursor = first;
        unsigned char kept = frame[i];
        int seen = 0;

        frame[i] ^= 0x41;
        while (llmlab__segments_read(&cursor, &record, &number, &sound)) {
            assert_true(!sound || number == 2);
            assert_true(++seen < 1000);
        }
        frame[i] = kept;
    }
    expect(&first, 1);
    expect(&second, 2);
    llmlab__segments_cleanup(&segments);
}

static void
test_memory_is_given_back_and_used_again(void **state)
{
    llmlab__segments_t segments;
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end;
    llmlab__segment_cursor_t read = {NULL, 0};
    size_t most = 0;

    (void)state;
    llmlab__segments_init(&segments, &owner, SEGMENT);
    for (uint64_t n = 1; n <= 20000; n++) {
        append(&segments, n, &start, &end);
        if (read.segment == NULL) {
            read = start;
        }
        if (n % 50 == 0) {
            for (uint64_t m = n - 49; m <= n; m++) {
                expect(&read, m);
            }
            llmlab__segments_release(&segments, &end);
            read.segment = NULL;
        }
        most = segments.memory > most ? segments.memory : most;
    }
    assert_true(most <= 3 * SEGMENT);
    llmlab__segments_cleanup(&segments);
}

static void
test_the_limit_holds(void **state)
{
    llmlab__segments_t segments;
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end;
    uint64_t n = 0;

    (void)state;
    llmlab__segments_init(&segments, &owner, SEGMENT);
    while (llmlab__segments_have_room(&segments, 512, 4 * SEGMENT)) {
        append(&segments, ++n, &start, &end);
    }
    assert_int_equal(segments.memory, 4 * SEGMENT);
    assert_true(n > 3 * SEGMENT / 600);
    llmlab__segments_release(&segments, &end);
    assert_true(llmlab__segments_have_room(&segments, 512, 4 * SEGMENT));
    llmlab__segments_cleanup(&segments);
}

static void
tenant_of(unsigned char out[32], const char *url, const char *project,
          const char *key)
{
    llmlab__delivery_options_t options = {.url = url,
                                          .project = project,
                                          .api_key = key,
                                          .language = "",
                                          .service = "",
                                          .environment = "",
                                          .release = ""};
    llmlab__segment_owner_t found;

    llmlab__segment_owner(&found, "", &options);
    memcpy(out, found.tenant, 32);
}

static void
test_the_tenant_is_told_by_url_project_and_key(void **state)
{
    unsigned char a[32];
    unsigned char b[32];

    (void)state;
    tenant_of(a, "http://x", "p", "key");
    tenant_of(b, "http://x", "p", "key");
    assert_memory_equal(a, b, 32);
    tenant_of(b, "http://x", "p", "kez");
    assert_memory_not_equal(a, b, 32);
    tenant_of(b, "http://xp", "", "key");
    assert_memory_not_equal(a, b, 32);
    tenant_of(b, "", "", "");
    assert_memory_not_equal(a, b, 32);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_back_in_order),
        cmocka_unit_test(test_monotonic_times_become_unix_times),
        cmocka_unit_test(test_an_overwritten_byte_is_noticed),
        cmocka_unit_test(test_memory_is_given_back_and_used_again),
        cmocka_unit_test(test_the_limit_holds),
        cmocka_unit_test(test_the_tenant_is_told_by_url_project_and_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
