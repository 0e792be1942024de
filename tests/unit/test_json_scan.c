/* The pull scanner: what it accepts, what it refuses, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/json_scan.h"

/* The text in memory of exactly its size, so that ASan sees a read beyond. */
static char *
exact_copy(const char *text, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);

    assert_non_null(copy);
    memcpy(copy, text, size);
    return copy;
}

static bool
accepts(const char *text, size_t size)
{
    char *copy = exact_copy(text, size);
    llmlab__json_t json;
    bool ok;

    llmlab__json_init(&json, copy, size);
    ok = llmlab__json_skip(&json) && llmlab__json_at_end(&json);
    assert_true(llmlab__json_offset(&json) <= size);
    free(copy);
    return ok;
}

static void
good_texts(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "1.5",
        "-0.25",
        "1e5",
        "1E+5",
        "1e-5",
        "0.0",
        "0e0",
        "1.0E-10",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"",
        "\"lone \\ud800 surrogate\"",
        "\"\x80\xff bad UTF-8\"",
        "\"\x7f\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1]",
        "[1,2]",
        "[[],[[]],{}]",
        "{\"a\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"\":{\"\":[]}}",
        " \t\r\n[ 1 , 2 ] \r\n",
        "{ \"a\" : [ true , null ] , \"b\" : \"c\" }",
        "\"a string of more than sixteen bytes, then an \\u0041 escape\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!accepts(texts[i], strlen(texts[i]))) {
            fail_msg("refused: %s", texts[i]);
        }
    }
}

static void
bad_texts(void **state)
{
    static const struct {
        const char *text;
        const char *error;
        size_t offset;
    } cases[] = {
        {"", "the text ends where a value was expected", 0},
        {"  ", "the text ends where a value was expected", 2},
        {"[", "the text ends inside an array", 1},
        {"{", "the text ends inside an object", 1},
        {"[1", "the text ends inside an array", 2},
        {"[1,", "the text ends where a value was expected", 3},
        {"[1,]", "a value was expected", 3},
        {"[,1]", "a value was expected", 1},
        {"[1 2]", "a comma or ] was expected", 3},
        {"[1}", "a comma or ] was expected", 2},
        {"{\"a\":1]", "a comma or } was expected", 6},
        {"{\"a\"", "the text ends inside an object", 4},
        {"{\"a\":", "the text ends where a value was expected", 5},
        {"{\"a\" 1}", "a colon was expected", 5},
        {"{\"a\":1,}", "a key was expected", 7},
        {"{\"a\":1,", "the text ends inside an object", 7},
        {"{,}", "a key was expected", 1},
        {"{a:1}", "a key was expected", 1},
        {"{1:1}", "a key was expected", 1},
        {"{'a':1}", "a key was expected", 1},
        {"01", "number with a leading zero", 0},
        {"-", "malformed number", 0},
        {"-a", "malformed number", 0},
        {"[1.]", "malformed number", 1},
        {"1.e5", "malformed number", 0},
        {"1e", "malformed number", 0},
        {"1e+", "malformed number", 0},
        {".5", "a value was expected", 0},
        {"+1", "a value was expected", 0},
        {"NaN", "a value was expected", 0},
        {"Infinity", "a value was expected", 0},
        {"-Infinity", "malformed number", 0},
        {"nul", "unknown literal", 0},
        {"nulL", "unknown literal", 0},
        {"tru", "unknown literal", 0},
        {"[falze]", "unknown literal", 1},
        {"\"abc", "unterminated string", 0},
        {"\"abc\\", "unterminated string", 0},
        {"\"abc\\\"", "unterminated string", 0},
        {"\"\\u12", "unterminated string", 0},
        {"\"a\\u12g4\"", "bad \\u escape in a string", 2},
        {"\"a\\x\"", "bad escape in a string", 2},
        {"\"a\nb\"", "control character in a string", 2},
        {"\"0123456789abcdefgh\x01\"", "control character in a string", 19},
        {"]", "a value was expected", 0},
        {"/* no */1", "a value was expected", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].text);
        char *copy = exact_copy(cases[i].text, size);
        llmlab__json_t json;

        llmlab__json_init(&json, copy, size);
        if (llmlab__json_skip(&json)) {
            fail_msg("accepted: %s", cases[i].text);
        }
        assert_string_equal(json.error, cases[i].error);
        assert_int_equal(llmlab__json_offset(&json), cases[i].offset);
        assert_false(llmlab__json_at_end(&json));
        assert_false(llmlab__json_skip(&json));
        assert_int_equal(llmlab__json_peek(&json), LLMLAB__JSON_END);
        free(copy);
    }
}

static void
trailing_bytes(void **state)
{
    static const char *const texts[] = {"1 1", "{}{}",   "[]]",
                                        "1,",  "null x", "1\x00"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(accepts(texts[i], i == 5 ? 2 : strlen(texts[i])));
    }
}

static void
every_cut_is_refused(void **state)
{
    static const char text[] =
        "{\"a\":[1.5e-3,true,false,null,\"x\\n\\u00e9y\"],\"b\":{\"c\":-12}}";

    (void)state;
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        assert_false(accepts(text, size));
    }
    assert_true(accepts(text, sizeof(text) - 1));
}

static void
depth_is_bounded(void **state)
{
    char text[2 * LLMLAB__JSON_DEPTH + 2];
    llmlab__json_t json;

    (void)state;
    memset(text, '[', LLMLAB__JSON_DEPTH);
    memset(text + LLMLAB__JSON_DEPTH, ']', LLMLAB__JSON_DEPTH);
    assert_true(accepts(text, sizeof(text) - 2));

    memset(text, '[', LLMLAB__JSON_DEPTH + 1);
    memset(text + LLMLAB__JSON_DEPTH + 1, ']', LLMLAB__JSON_DEPTH + 1);
    llmlab__json_init(&json, text, sizeof(text));
    assert_false(llmlab__json_skip(&json));
    assert_string_equal(json.error, "nested too deeply");
    assert_int_equal(llmlab__json_offset(&json), LLMLAB__JSON_DEPTH);

    llmlab__json_init(&json, "[[1]]", 5);
    json.max_depth = 1;
    assert_false(llmlab__json_skip(&json));
    assert_string_equal(json.error, "nested too deeply");
}

static void
walking(void **state)
{
    static const char text[] =
        " {\"model\":\"m-1\", \"skip\":{\"deep\":[1,{\"x\":[]}]},"
        "\"n\":12,\"flag\":true,\"off\":false,\"none\":null,"
        "\"list\":[1,\"two\",[3],{}],\"empty\":[],\"raw\": {\"k\" : 1} }";
    llmlab__json_t json;
    llmlab__json_text_t key;
    llmlab__json_text_t value;
    bool flag;
    int keys = 0;
    int elements = 0;

    (void)state;
    llmlab__json_init(&json, text, sizeof(text) - 1);
    assert_false(llmlab__json_enter_array(&json));
    assert_true(llmlab__json_enter_object(&json));
    while (llmlab__json_next_key(&json, &key)) {
        keys++;
        if (llmlab__json_key_is(&key, "model")) {
            assert_false(llmlab__json_number(&json, &value));
            assert_false(llmlab__json_bool(&json, &flag));
            assert_false(llmlab__json_null(&json));
            assert_false(llmlab__json_enter_object(&json));
            assert_true(llmlab__json_string(&json, &value));
            assert_true(llmlab__json_key_is(&value, "m-1"));
            assert_false(value.escaped);
        } else if (llmlab__json_key_is(&key, "n")) {
            assert_false(llmlab__json_string(&json, &value));
            assert_true(llmlab__json_number(&json, &value));
            assert_true(llmlab__json_key_is(&value, "12"));
        } else if (llmlab__json_key_is(&key, "flag")) {
            assert_true(llmlab__json_bool(&json, &flag));
            assert_true(flag);
        } else if (llmlab__json_key_is(&key, "off")) {
            assert_true(llmlab__json_bool(&json, &flag));
            assert_false(flag);
        } else if (llmlab__json_key_is(&key, "none")) {
            assert_true(llmlab__json_null(&json));
        } else if (llmlab__json_key_is(&key, "list")) {
            assert_true(llmlab__json_enter_array(&json));
            while (llmlab__json_next_element(&json)) {
                elements++;
                assert_true(llmlab__json_skip(&json));
            }
        } else if (llmlab__json_key_is(&key, "empty")) {
            assert_true(llmlab__json_enter_array(&json));
            assert_false(llmlab__json_next_element(&json));
        } else if (llmlab__json_key_is(&key, "raw")) {
            assert_true(llmlab__json_raw(&json, &value));
            assert_true(llmlab__json_key_is(&value, "{\"k\" : 1}"));
        } else {
            assert_true(llmlab__json_skip(&json));
        }
    }
    assert_null(json.error);
    assert_true(llmlab__json_at_end(&json));
    assert_int_equal(keys, 9);
    assert_int_equal(elements, 4);
    assert_false(llmlab__json_next_key(&json, &key));
    assert_non_null(json.error);
}

static void
null_text(void **state)
{
    llmlab__json_t json;

    (void)state;
    llmlab__json_init(&json, NULL, 7);
    assert_int_equal(llmlab__json_peek(&json), LLMLAB__JSON_END);
    assert_true(llmlab__json_at_end(&json));
    assert_false(llmlab__json_skip(&json));
}

static void
string_escapes(void **state)
{
    static const struct {
        const char *raw;
        const char *decoded;
        size_t size;
    } cases[] = {
        {"plain", "plain", 5},
        {"", "", 0},
        {"a\\n\\t\\\"\\\\\\/\\b\\f\\r", "a\n\t\"\\/\b\f\r", 9},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac", 6},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", 4},
        {"\\ud83dx", "\xef\xbf\xbdx", 4},
        {"\\ude00", "\xef\xbf\xbd", 3},
        {"\\ud83d\\u0041",
         "\xef\xbf\xbd"
         "A",
         4},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
        {"a\\u0000b", "a\0b", 3},
        {"\xff\xc3", "\xff\xc3", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab__json_text_t text = {cases[i].raw, strlen(cases[i].raw), true};
        char out[64];

        assert_int_equal(llmlab__json_unescape(&text, out, sizeof(out)),
                         cases[i].size);
        assert_memory_equal(out, cases[i].decoded, cases[i].size + 1);
    }
}

static void
cut_on_a_character(void **state)
{
    llmlab__json_text_t text = {"a\xc3\xa9\\ud83d\\ude00z", 16, true};
    static const size_t kept[] = {0, 0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

    (void)state;
    for (size_t capacity = 0; capacity <= 10; capacity++) {
        char out[16];

        memset(out, '#', sizeof(out));
        assert_int_equal(llmlab__json_unescape(&text, out, capacity), 8);
        if (capacity > 0) {
            assert_int_equal(strlen(out), kept[capacity]);
        }
        assert_int_equal(out[capacity], '#');
    }
}

static llmlab__json_text_t
text_of(const char *number)
{
    llmlab__json_text_t text = {number, strlen(number), false};

    return text;
}

static void
counts(void **state)
{
    static const struct {
        const char *text;
        int status;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"0.000", 0, 0},
        {"0e999999999", 0, 0},
        {"-0.0e5", 0, 0},
        {"12", 0, 12},
        {"12.0", 0, 12},
        {"12.00", 0, 12},
        {"1.2e1", 0, 12},
        {"120e-1", 0, 12},
        {"1200.0E-2", 0, 12},
        {"0.12e2", 0, 12},
        {"0.0012e+4", 0, 12},
        {"100", 0, 100},
        {"1e2", 0, 100},
        {"10.5e1", 0, 105},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775807.0", 0, INT64_MAX},
        {"9223372036854775808", -3, 0},
        {"18446744073709551616", -3, 0},
        {"99999999999999999999999999", -3, 0},
        {"1e19", -3, 0},
        {"1e400", -3, 0},
        {"1e99999999999999999999", -3, 0},
        {"1.5", -1, 0},
        {"12.01", -1, 0},
        {"1e-1", -1, 0},
        {"1e-99999999999999999999", -1, 0},
        {"-1", -2, 0},
        {"-1.5", -2, 0},
        {"-9223372036854775808", -2, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab__json_text_t text = text_of(cases[i].text);
        uint64_t value = 0;

        if (llmlab__json_count(&text, &value) != cases[i].status ||
            value != cases[i].value) {
            fail_msg("%s: %llu", cases[i].text, (unsigned long long)value);
        }
    }
}

static void
integers(void **state)
{
    static const struct {
        const char *text;
        int status;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"-12", 0, -12},
        {"-1.2e1", 0, -12},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -3, 0},
        {"-9223372036854775809", -3, 0},
        {"-1.5", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab__json_text_t text = text_of(cases[i].text);
        int64_t value = 0;

        assert_int_equal(llmlab__json_int(&text, &value), cases[i].status);
        assert_true(value == cases[i].value);
    }
}

static void
doubles(void **state)
{
    static const char *const texts[] = {
        "0",
        "1",
        "-1.5",
        "0.1",
        "1e22",
        "1e23",
        "123456789.125",
        "5e-324",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "0.1e-5",
        "9007199254740993",
        "9007199254740992.9999999999999999999",
        "179769313486231580793e289",
        "1e-400",
        "100.00e0",
    };
    char longest[1200];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        llmlab__json_text_t text = text_of(texts[i]);

        assert_true(llmlab__json_double(&text) == strtod(texts[i], NULL));
    }
    assert_true(
        isinf(llmlab__json_double(&(llmlab__json_text_t){"1e999", 5, false})));
    /* 2^53 + 1 is a tie; one far digit decides it. */
    strcpy(longest, "9007199254740993.");
    memset(longest + 17, '0', 1000);
    strcpy(longest + 1017, "1");
    assert_true(llmlab__json_double(&(llmlab__json_text_t){
                    longest, strlen(longest), false}) == 9007199254740994.0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(trailing_bytes),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(walking),
        cmocka_unit_test(null_text),
        cmocka_unit_test(string_escapes),
        cmocka_unit_test(cut_on_a_character),
        cmocka_unit_test(counts),
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
