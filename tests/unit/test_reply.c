#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/reply.h"

static llmlab__reply_t
read_text(const char *text)
{
    llmlab__reply_t reply;

    llmlab__reply_read(&reply, text, strlen(text), "abc", 1601, 100);
    return reply;
}

static void
test_the_servers_own_reply(void **state)
{
    llmlab__reply_t reply =
        read_text("{\"instance\":\"abc\",\"first\":1601,\"count\":100,"
                  "\"accepted\":96,\"duplicate\":2,\"later\":{\"x\":[1]},"
                  "\"rejected\":[{\"trace_id\":null,\"n\":1640,"
                  "\"field\":\"start\",\"type\":\"in_future\"},"
                  "{\"n\":1641,\"field\":\"usage\",\"type\":\"range\"}]}");

    (void)state;
    assert_true(reply.echoed);
    assert_int_equal(reply.duplicates, 2);
    assert_int_equal(reply.rejected, 2);
    assert_string_equal(reply.field, "start");
    assert_string_equal(reply.type, "in_future");
}

static void
test_what_is_no_reply_to_this_batch(void **state)
{
    static const char *const texts[] = {
        "",
        "<html><body>Please log in</body></html>",
        "{}",
        "[]",
        "null",
        "{\"instance\":\"abc\",\"first\":1601}",
        "{\"instance\":\"abd\",\"first\":1601,\"count\":100}",
        "{\"instance\":\"abc\",\"first\":1602,\"count\":100}",
        "{\"instance\":\"abc\",\"first\":1601,\"count\":99}",
        "{\"instance\":\"abc\",\"first\":\"1601\",\"count\":100}",
        "{\"instance\":\"abc\",\"first\":1601,\"count\":100",
        "{\"instance\":\"abc\",\"first\":1601,\"count\":-100}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(read_text(texts[i]).echoed);
    }
}

static void
test_absurd_counts_are_bounded(void **state)
{
    char text[8192];
    size_t size = 0;
    llmlab__reply_t reply;

    (void)state;
    size += (size_t)sprintf(text, "{\"instance\":\"abc\",\"first\":1601,"
                                  "\"count\":100,\"duplicate\":"
                                  "9223372036854775807,\"rejected\":[");
    for (int i = 0; i < 500; i++) {
        size += (size_t)sprintf(text + size, "%s%s", i > 0 ? "," : "",
                                i % 2 == 0 ? "{\"n\":1}" : "7");
    }
    sprintf(text + size, "]}");
    reply = read_text(text);
    assert_true(reply.echoed);
    assert_int_equal(reply.duplicates, 100);
    assert_int_equal(reply.rejected, 100);
    assert_string_equal(reply.field, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_servers_own_reply),
        cmocka_unit_test(test_what_is_no_reply_to_this_batch),
        cmocka_unit_test(test_absurd_counts_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
