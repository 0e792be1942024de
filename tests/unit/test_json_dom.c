#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_dom.h"

static void
assert_refused(const char *text, size_t size, const char *detail)
{
    cJSON *root = (cJSON *)&root;

    assert_int_equal(llmlab__json_dom_parse(&root, text, size, 0),
                     LLMLAB_EPARSE);
    assert_null(root);
    if (detail != NULL) {
        assert_string_equal(llmlab_status_detail(), detail);
    }
}

static void
test_keeps_the_text_of_numbers(void **state)
{
    const char *text = "{\"a\":3.0001999999999996E-7,\"b\":[1,-2.50,1e400],"
                       "\"c\":\"1\",\"A\":123456789012345678901234567890}";
    const cJSON *b;
    cJSON *root;

    (void)state;
    assert_int_equal(llmlab__json_dom_parse(&root, text, strlen(text), 0),
                     LLMLAB_OK);
    assert_string_equal(
        llmlab__json_dom_number(llmlab__json_dom_get(root, "a")),
        "3.0001999999999996E-7");
    assert_string_equal(
        llmlab__json_dom_number(llmlab__json_dom_get(root, "A")),
        "123456789012345678901234567890");
    b = llmlab__json_dom_get(root, "b");
    assert_string_equal(llmlab__json_dom_number(cJSON_GetArrayItem(b, 2)),
                        "1e400");
    assert_null(llmlab__json_dom_number(llmlab__json_dom_get(root, "c")));
    assert_string_equal(
        llmlab__json_dom_string(llmlab__json_dom_get(root, "c")), "1");
    assert_null(llmlab__json_dom_string(llmlab__json_dom_get(root, "a")));
    assert_null(llmlab__json_dom_get(root, "B"));
    cJSON_Delete(root);
}

static void
test_reads_integers(void **state)
{
    const char *text = "[12, 1.2e1, 1.5, \"12\", 9223372036854775808]";
    int64_t value = 0;
    cJSON *root;

    (void)state;
    assert_int_equal(llmlab__json_dom_parse(&root, text, strlen(text), 0),
                     LLMLAB_OK);
    assert_true(llmlab__json_dom_int(cJSON_GetArrayItem(root, 0), &value));
    assert_int_equal(value, 12);
    assert_true(llmlab__json_dom_int(cJSON_GetArrayItem(root, 1), &value));
    assert_int_equal(value, 12);
    assert_false(llmlab__json_dom_int(cJSON_GetArrayItem(root, 2), &value));
    assert_false(llmlab__json_dom_int(cJSON_GetArrayItem(root, 3), &value));
    assert_false(llmlab__json_dom_int(cJSON_GetArrayItem(root, 4), &value));
    assert_false(llmlab__json_dom_int(NULL, &value));
    cJSON_Delete(root);
}

static void
test_decodes_strings(void **state)
{
    const char *text = "{\"k\\u0065y\":\"\\u00e9\\ud83d\\ude00\\n\\u0001\"}";
    cJSON *root;

    (void)state;
    assert_int_equal(llmlab__json_dom_parse(&root, text, strlen(text), 0),
                     LLMLAB_OK);
    assert_string_equal(
        llmlab__json_dom_string(llmlab__json_dom_get(root, "key")),
        "\xc3\xa9\xf0\x9f\x98\x80\n\x01");
    cJSON_Delete(root);
}

static void
test_reads_every_kind_of_value(void **state)
{
    const char *text = " [ null , true, false, {}, [], \"\", 0 ] \n";
    cJSON *root;

    (void)state;
    assert_int_equal(llmlab__json_dom_parse(&root, text, strlen(text), 0),
                     LLMLAB_OK);
    assert_int_equal(cJSON_GetArraySize(root), 7);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(root, 0)));
    assert_true(cJSON_IsTrue(cJSON_GetArrayItem(root, 1)));
    assert_true(cJSON_IsFalse(cJSON_GetArrayItem(root, 2)));
    cJSON_Delete(root);
}

static void
test_refuses_what_is_no_strict_json(void **state)
{
    static const char *const texts[] = {
        "",
        "01",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "[1] x",
        "\"a\tb\"",
        "\"\\u0000\"",
        "tru",
        "[1",
        "{\"a\":1",
        "'a'",
        "{a:1}",
        "NaN",
        "+1",
        "1.",
        "\"\\x\"",
        "\"abc",
        "[1 2]",
        "/**/1",
        "{\"a\":1,\"b\":2,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_refused(texts[i], strlen(texts[i]), NULL);
    }
    assert_refused("[1\0]", 4, NULL);
}

static void
test_refuses_bad_utf8(void **state)
{
    static const char *const texts[] = {
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xc0\xaf\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "\"\x80\"",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_refused(texts[i], strlen(texts[i]),
                       "line 1, column 2: invalid UTF-8");
    }
}

static void
test_tells_where_the_fault_is(void **state)
{
    const char *twice = "{\n  \"a\": {\"b\": 1, \"b\": 2}\n}";
    const char *after = "{}\n\n  x";

    (void)state;
    assert_refused(twice, strlen(twice),
                   "line 2, column 8: an object with a duplicate key");
    assert_refused(after, strlen(after),
                   "line 3, column 3: something follows the value");
}

static void
test_bounds_the_depth(void **state)
{
    char text[2 * 1000 + 1];
    cJSON *root;

    (void)state;
    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    text[2000] = '\0';
    assert_int_equal(llmlab__json_dom_parse(&root, text, 2000, 0),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab__json_dom_parse(&root, "[[[]]]", 6, 2),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab__json_dom_parse(&root, "[[]]", 4, 2), LLMLAB_OK);
    cJSON_Delete(root);
    assert_int_equal(llmlab__json_dom_parse(NULL, "1", 1, 2), LLMLAB_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_text_of_numbers),
        cmocka_unit_test(test_reads_integers),
        cmocka_unit_test(test_decodes_strings),
        cmocka_unit_test(test_reads_every_kind_of_value),
        cmocka_unit_test(test_refuses_what_is_no_strict_json),
        cmocka_unit_test(test_refuses_bad_utf8),
        cmocka_unit_test(test_tells_where_the_fault_is),
        cmocka_unit_test(test_bounds_the_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
