/* A record is read back as written, and no bytes lead a reader astray. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/id.h"
#include "trace/record.h"

#define ROOM 4096

static unsigned char *
put_item(unsigned char *at, uint8_t type, const char *key, const void *value,
         uint16_t size)
{
    llmlab__item_t item = {type, (uint8_t)strlen(key), size};
    uint32_t room = llmlab__item_room(item.key_size, size);

    memset(at, 0, room);
    memcpy(at, &item, sizeof(item));
    memcpy(at + sizeof(item), key, item.key_size);
    memcpy(at + sizeof(item) + item.key_size, value, size);
    return at + room;
}

static uint32_t
make(unsigned char *bytes)
{
    llmlab__record_t record = {.version = LLMLAB__RECORD_VERSION,
                               .type = LLMLAB__RECORD_SPAN,
                               .kind = LLMLAB_SPAN_LLM,
                               .outcome = LLMLAB_SUCCESS};
    uint64_t usage[] = {1 | UINT64_C(1) << 33, 1200, 7};
    uint64_t cost[] = {118, 0};
    int64_t number = -5;
    unsigned char *at = bytes + sizeof(record);

    at = put_item(at, LLMLAB__ITEM_NAME, "", "answer", 6);
    at = put_item(at, LLMLAB__ITEM_USAGE, "", usage, sizeof(usage));
    at = put_item(at, LLMLAB__ITEM_PROVIDER_COST, "", cost, sizeof(cost));
    at = put_item(at, LLMLAB__ITEM_ATTR_STRING, "key", "value", 5);
    at = put_item(at, LLMLAB__ITEM_ATTR_INT, "n", &number, 8);
    at = put_item(at, LLMLAB__ITEM_ATTR_BOOL, "b", "\1", 1);
    record.items = (uint32_t)(at - bytes - (ptrdiff_t)sizeof(record));
    record.size = ((uint32_t)sizeof(record) + record.items + 7) & ~7u;
    memcpy(bytes, &record, sizeof(record));
    return record.size;
}

static void
test_items_are_read_back(void **state)
{
    static const llmlab__item_type_t expected[] = {
        LLMLAB__ITEM_NAME,          LLMLAB__ITEM_USAGE,
        LLMLAB__ITEM_PROVIDER_COST, LLMLAB__ITEM_ATTR_STRING,
        LLMLAB__ITEM_ATTR_INT,      LLMLAB__ITEM_ATTR_BOOL};
    _Alignas(8) unsigned char bytes[ROOM];
    const llmlab__record_t *record = (const llmlab__record_t *)bytes;
    uint32_t size = make(bytes);
    llmlab__item_view_t item;
    llmlab_usage_t usage;
    uint32_t cursor = 0;
    size_t count = 0;

    (void)state;
    assert_true(llmlab__record_check(bytes, size));
    while (llmlab__record_next(record, &cursor, &item)) {
        assert_int_equal(item.type, expected[count]);
        count++;
        if (item.type == LLMLAB__ITEM_USAGE) {
            assert_true(llmlab__record_usage(&item, &usage));
            assert_true(usage.present == (1 | UINT64_C(1) << 33));
            assert_int_equal(usage.count[0], 1200);
            assert_int_equal(usage.count[33], 7);
            assert_int_equal(usage.count[1], 0);
        }
        if (item.type == LLMLAB__ITEM_ATTR_STRING) {
            assert_int_equal(item.key_size, 3);
            assert_memory_equal(item.key, "key", 3);
            assert_memory_equal(item.value, "value", 5);
        }
    }
    assert_int_equal(count, 6);
}

static void
test_wrong_sizes_are_refused(void **state)
{
    _Alignas(8) unsigned char bytes[ROOM];
    llmlab__record_t *record = (llmlab__record_t *)bytes;
    uint32_t size = make(bytes);

    (void)state;
    for (uint32_t other = 0; other < size; other++) {
        assert_false(llmlab__record_check(bytes, other));
    }
    record->items += 8;
    assert_false(llmlab__record_check(bytes, size));
    record->items = UINT32_MAX;
    assert_false(llmlab__record_check(bytes, size));
    make(bytes);
    bytes[sizeof(*record)] = LLMLAB__ITEM_NONE; /* hides what follows */
    assert_false(llmlab__record_check(bytes, size));
    make(bytes);
    record->version = 2;
    assert_false(llmlab__record_check(bytes, size));
    make(bytes);
    record->outcome = LLMLAB_UNSET;
    assert_false(llmlab__record_check(bytes, size));
}

static void
test_usage_must_count_what_it_holds(void **state)
{
    uint64_t words[3] = {3, 1, 2};
    llmlab__item_view_t item = {LLMLAB__ITEM_USAGE, NULL, 0, sizeof(words),
                                (const unsigned char *)words};
    llmlab_usage_t usage;

    (void)state;
    assert_true(llmlab__record_usage(&item, &usage));
    words[0] = 7;
    assert_false(llmlab__record_usage(&item, &usage));
    words[0] = UINT64_C(1) << LLMLAB_USAGE_CAPACITY | 1;
    assert_false(llmlab__record_usage(&item, &usage));
    item.value_size = 7;
    assert_false(llmlab__record_usage(&item, &usage));
    item.value_size = 0;
    assert_false(llmlab__record_usage(&item, &usage));
}

/* Damaged and random records, in memory of exactly their size: what passes the
 * check is walked to its end, which ASan watches. */
static void
test_no_bytes_lead_astray(void **state)
{
    llmlab__rng_t rng = {{1, 2, 3, 4}};
    unsigned passed = 0;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        _Alignas(8) unsigned char whole[ROOM];
        uint32_t size = make(whole);
        unsigned char *bytes = malloc(size);
        llmlab__item_view_t item;
        uint32_t cursor = 0;
        uint64_t sum = 0;

        memcpy(bytes, whole, size);
        for (unsigned n = 1 + (unsigned)(llmlab__rng_next(&rng) % 4); n > 0;
             n--) {
            bytes[llmlab__rng_next(&rng) % size] =
                (unsigned char)llmlab__rng_next(&rng);
        }
        if (llmlab__record_check(bytes, size)) {
            passed++;
            while (llmlab__record_next((llmlab__record_t *)(void *)bytes,
                                       &cursor, &item)) {
                llmlab_usage_t usage;

                for (size_t i = 0; i < item.key_size; i++) {
                    sum += (unsigned char)item.key[i];
                }
                for (size_t i = 0; i < item.value_size; i++) {
                    sum += item.value[i];
                }
                if (item.type == LLMLAB__ITEM_USAGE) {
                    assert_true(llmlab__record_usage(&item, &usage));
                }
            }
        }
        assert_true(sum < UINT64_MAX);
        free(bytes);
    }
    assert_true(passed > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_are_read_back),
        cmocka_unit_test(test_wrong_sizes_are_refused),
        cmocka_unit_test(test_usage_must_count_what_it_holds),
        cmocka_unit_test(test_no_bytes_lead_astray),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
