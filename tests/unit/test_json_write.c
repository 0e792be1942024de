#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"

static llmlab__buf_t buf;
static llmlab__json_out_t out;

static int
set_up(void **state)
{
    (void)state;
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    llmlab__buf_cleanup(&buf);
    return 0;
}

static void
assert_written(const char *expected)
{
    assert_false(buf.failed);
    assert_int_equal(buf.size, strlen(expected));
    assert_memory_equal(buf.data, expected, buf.size);
    llmlab__buf_clear(&buf);
    llmlab__json_out_init(&out, &buf);
}

static void
test_commas_are_the_writers(void **state)
{
    (void)state;
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "a");
    llmlab__json_put_int(&out, -12);
    llmlab__json_key_n(&out, "b\"", 2);
    llmlab__json_begin_array(&out);
    llmlab__json_put_bool(&out, true);
    llmlab__json_put_bool(&out, false);
    llmlab__json_put_null(&out);
    llmlab__json_begin_object(&out);
    llmlab__json_end_object(&out);
    llmlab__json_begin_array(&out);
    llmlab__json_end_array(&out);
    llmlab__json_end_array(&out);
    llmlab__json_key(&out, "c");
    llmlab__json_put_raw(&out, "{\"d\":1}", 7);
    llmlab__json_key(&out, "e");
    llmlab__json_put_text(&out, "f");
    llmlab__json_end_object(&out);
    assert_written("{\"a\":-12,\"b\\\"\":[true,false,null,{},[]],"
                   "\"c\":{\"d\":1},\"e\":\"f\"}");
}

static void
test_strings_are_escaped(void **state)
{
    (void)state;
    llmlab__json_put_text(&out, "plain text of some length, 0123456789");
    assert_written("\"plain text of some length, 0123456789\"");
    llmlab__json_put_text(&out, "\"\\/\b\f\n\r\t\v\x01\x1f\x7f");
    assert_written("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u000b\\u0001\\u001f\x7f\"");
    llmlab__json_put_string(&out, "a\0b", 3);
    assert_written("\"a\\u0000b\"");
    llmlab__json_put_string(&out, NULL, 0);
    assert_written("null");
    llmlab__json_put_text(&out, NULL);
    assert_written("null");
    llmlab__json_put_text(&out, "");
    assert_written("\"\"");
}

static void
test_bad_utf8_is_replaced(void **state)
{
    (void)state;
    llmlab__json_put_text(&out, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_written("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    llmlab__json_put_text(&out, "\x80|\xc0\xaf|\xe2\x82|\xed\xa0\x80|\xff");
    assert_written("\"\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
                   "\xef\xbf\xbd\xef\xbf\xbd|"
                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\"");
    llmlab__json_put_text(&out, "\xf4\x90\x80\x80\xe0\x80\x80");
    assert_written("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Every byte at every place of the words that are copied as one. */
static void
test_every_byte_at_every_place(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 20; place++) {
            char text[20];
            char expected[8];
            size_t size;

            memset(text, 'a', sizeof(text));
            text[place] = (char)byte;
            if (byte >= 0x80) {
                size = (size_t)snprintf(expected, sizeof(expected),
                                        "\xef\xbf\xbd");
            } else if (byte == '"' || byte == '\\') {
                size =
                    (size_t)snprintf(expected, sizeof(expected), "\\%c", byte);
            } else if (byte >= 0x20) {
                size = 1;
                expected[0] = (char)byte;
            } else {
                const char *letter = strchr("\bb\tt\nn\ff\rr", byte);

                size = byte != 0 && letter != NULL
                           ? (size_t)snprintf(expected, sizeof(expected),
                                              "\\%c", letter[1])
                           : (size_t)snprintf(expected, sizeof(expected),
                                              "\\u%04x", (unsigned)byte);
            }
            llmlab__json_put_string(&out, text, sizeof(text));
            assert_int_equal(buf.size, size + 21);
            assert_memory_equal(buf.data + 1 + place, expected, size);
            assert_int_equal(buf.data[1 + place + size],
                             place == 19 ? '"' : 'a');
            llmlab__buf_clear(&buf);
            llmlab__json_out_init(&out, &buf);
        }
    }
}

static void
test_long_strings_pass_in_pieces(void **state)
{
    size_t size = 10000;
    char *text = malloc(size);

    (void)state;
    for (size_t i = 0; i < size; i++) {
        text[i] = i % 7 == 0 ? '\x01' : 'x';
    }
    memcpy(text + 1022, "\xf0\x9f\x98\x80", 4); /* over a piece's end */
    llmlab__json_put_string(&out, text, size);
    assert_int_equal(buf.size, 2 + size + 5 * 1428);
    free(text);
}

static void
test_numbers(void **state)
{
    (void)state;
    llmlab__json_begin_array(&out);
    llmlab__json_put_int(&out, INT64_MIN);
    llmlab__json_put_int(&out, INT64_MAX);
    llmlab__json_put_uint(&out, UINT64_MAX);
    llmlab__json_put_uint(&out, 0);
    llmlab__json_put_uint(&out, 99);
    llmlab__json_put_uint(&out, 100);
    llmlab__json_put_double(&out, 0.1);
    llmlab__json_put_double(&out, 1.0 / 3);
    llmlab__json_put_double(&out, 5e-324);
    llmlab__json_put_double(&out, 1.7976931348623157e308);
    llmlab__json_put_double(&out, 3);
    llmlab__json_put_double(&out, -0.0);
    llmlab__json_put_double(&out, -2.5);
    llmlab__json_put_double(&out, NAN);
    llmlab__json_put_double(&out, -INFINITY);
    llmlab__json_end_array(&out);
    assert_written("[-9223372036854775808,9223372036854775807,"
                   "18446744073709551615,0,99,100,0.1,0.3333333333333333,"
                   "4.94065645841247e-324,1.7976931348623157e+308,3,-0,-2.5,"
                   "null,null]");
}

static void
test_doubles_ignore_the_locale(void **state)
{
    (void)state;
    setenv("LOCPATH", LLMLAB_BUILD_DIR "/locale", 1);
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) {
        print_message("SKIP locale: de_DE.UTF-8 is not installed\n");
        skip();
    }
    llmlab__json_put_double(&out, 0.5);
    setlocale(LC_ALL, "C");
    assert_written("0.5");
}

static void
test_a_full_buffer_is_told_once(void **state)
{
    (void)state;
    llmlab__json_put_string(&out, "x", 1);
    buf.failed = true;
    llmlab__json_put_string(&out, "y", 1);
    llmlab__json_begin_object(&out);
    llmlab__json_put_double(&out, 0.1);
    assert_int_equal(buf.size, 3);
    assert_true(buf.failed);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_commas_are_the_writers),
        UNIT(test_strings_are_escaped),
        UNIT(test_bad_utf8_is_replaced),
        UNIT(test_every_byte_at_every_place),
        UNIT(test_long_strings_pass_in_pieces),
        UNIT(test_numbers),
        UNIT(test_doubles_ignore_the_locale),
        UNIT(test_a_full_buffer_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
