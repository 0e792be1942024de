/* The push scanner against the pull scanner: same texts, same verdicts, same
 * values, in every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_push.h"

/* What the handler was told, as text. */
typedef struct log_s {
    char text[8192];
    size_t size;
    bool streaming;
} log_t;

static void
note(log_t *log, const char *what, const char *data, size_t size)
{
    int added = snprintf(log->text + log->size, sizeof(log->text) - log->size,
                         "%s%.*s", what, (int)size, data);

    log->size += (size_t)added;
    assert_true(log->size < sizeof(log->text));
}

static llmlab__push_mode_t
on_key(void *context, const llmlab__json_text_t *key)
{
    log_t *log = context;

    note(log, " key:", key->data, key->size);
    if (llmlab__json_key_is(key, "skip")) {
        return LLMLAB__PUSH_SKIP;
    }
    if (llmlab__json_key_is(key, "stream")) {
        note(log, " stream:", "", 0);
        return LLMLAB__PUSH_STREAM;
    }
    return LLMLAB__PUSH_LOOK;
}

static bool
on_enter(void *context, bool object)
{
    note(context, object ? " {" : " [", "", 0);
    return true;
}

static void
on_leave(void *context)
{
    note(context, " end", "", 0);
}

static void
on_scalar(void *context, llmlab__json_type_t type,
          const llmlab__json_text_t *text)
{
    note(context,
         type == LLMLAB__JSON_STRING ? " string:" : " scalar:", text->data,
         text->size);
}

static void
on_piece(void *context, const char *bytes, size_t size)
{
    note(context, "", bytes, size);
}

static const llmlab__push_handler_t handler = {on_key, on_enter, on_leave,
                                               on_scalar, on_piece};

/* Scan in steps; returns the error, or NULL. */
static const char *
scan(const char *text, size_t size, size_t step, log_t *log, bool *out_done,
     uint64_t *out_offset)
{
    static llmlab__push_t push;
    size_t at = 0;

    log->size = 0;
    log->text[0] = '\0';
    llmlab__push_init(&push, &handler, log);
    while (at < size && push.error == NULL && !push.done) {
        size_t part = size - at < step ? size - at : step;
        char *copy = malloc(part);

        assert_non_null(copy);
        memcpy(copy, text + at, part);
        at += llmlab__push_feed(&push, copy, part);
        free(copy);
    }
    *out_done = llmlab__push_finish(&push) && at == size;
    *out_offset = push.offset;
    return push.error;
}

static const char *const texts[] = {
    "{}",
    "[]",
    "12",
    "-0.5e-7 ",
    "true",
    "\"text\"",
    "{\"a\":1,\"b\":[true,false,null,\"x\\u00e9\\n\"],\"c\":{\"d\":-1.5}}",
    " [ 1 , { \"skip\" : { \"deep\" : [ 1 , \"\\\"]\" ] } , \"e\" : \"f\" } ] ",
    "{\"stream\":\"abc\\/def\",\"stream\":5,\"stream\":[1],\"g\":\"\"}",
    "{\"skip\":\"more than sixteen bytes, \\\\ then \\\" more\",\"h\":-1e+1}",
    "[[[[[[]]]]],[[],[{}]]]",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":--1}",
    "{\"a\":1e}",
    "88e88e",
    "[1.5.5]",
    "[1-1]",
    "{\"a\":tru}",
    "{\"a\":nullx}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"skip\":\"\\u12g4\"}",
    "{\"a\":\"\x01\"}",
    "{\"stream\":\"abc\\x\"}",
    "{\"stream\":\"abcdef\x01\"}",
    "{\"skip\":{\"b\":[1 2]}}",
    "{\"skip\":{\"b\" 1}}",
    "{\"skip\":{b:1}}",
    "{\"a\":1,}",
    "[1,]",
    "[,]",
    "{\"a\":1]",
    "[1}",
    "]",
    "x",
    "1 2",
    "{} x",
};

static void
same_as_the_pull_scanner(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t size = strlen(texts[i]);

        for (size_t cut = 0; cut <= size; cut++) {
            llmlab__json_t json;
            log_t log;
            bool done;
            uint64_t offset;
            bool want;

            llmlab__json_init(&json, texts[i], cut);
            want = llmlab__json_skip(&json) && llmlab__json_at_end(&json);
            (void)scan(texts[i], cut, cut == 0 ? 1 : cut, &log, &done, &offset);
            if (done && json.error == NULL && !want) {
                fail_msg("accepts %.*s", (int)cut, texts[i]);
            }
            if (want && !done) {
                /* White space behind the value is left to the caller. */
                assert_true(texts[i][cut - 1] == ' ');
            }
        }
    }
}

static void
every_split_is_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t size = strlen(texts[i]);
        log_t whole;
        bool done;
        uint64_t offset;
        const char *error = scan(texts[i], size, size, &whole, &done, &offset);

        for (size_t step = 1; step < size; step++) {
            log_t log;
            bool step_done;
            uint64_t step_offset;

            assert_true(scan(texts[i], size, step, &log, &step_done,
                             &step_offset) == error);
            assert_string_equal(log.text, whole.text);
            assert_int_equal(step_done, done);
            assert_int_equal(step_offset, offset);
        }
    }
}

static void
what_is_told(void **state)
{
    log_t log;
    bool done;
    uint64_t offset;

    (void)state;
    assert_null(scan(texts[6], strlen(texts[6]), 3, &log, &done, &offset));
    assert_string_equal(log.text,
                        " { key:a scalar:1 key:b [ scalar:true scalar:false "
                        "scalar:null string:x\\u00e9\\n end key:c { key:d "
                        "scalar:-1.5 end end");
    assert_null(scan(texts[7], strlen(texts[7]) - 1, 5, &log, &done, &offset));
    assert_string_equal(log.text,
                        " [ scalar:1 { key:skip key:e string:f end end");
    assert_null(scan(texts[8], strlen(texts[8]), 4, &log, &done, &offset));
    assert_string_equal(log.text,
                        " { key:stream stream:abc\\/def key:stream stream: "
                        "key:stream stream: [ scalar:1 end key:g string: end");
}

static void
bounds(void **state)
{
    static char text[4 * LLMLAB__PUSH_SCRATCH];
    log_t log;
    bool done;
    uint64_t offset;

    (void)state;
    /* A long text is handed over cut, in every split. */
    memset(text, 'x', sizeof(text));
    text[0] = '"';
    text[sizeof(text) - 1] = '"';
    for (size_t step = 700; step <= sizeof(text); step += 1300) {
        assert_null(scan(text, sizeof(text), step, &log, &done, &offset));
        assert_true(done);
        assert_int_equal(log.size, LLMLAB__PUSH_SCRATCH + strlen(" string:"));
    }
    /* A number is not: its value would be another. */
    memset(text, '1', sizeof(text));
    text[0] = '[';
    text[sizeof(text) - 1] = ']';
    for (size_t step = 700; step <= sizeof(text); step += 1300) {
        assert_string_equal(
            scan(text, sizeof(text), step, &log, &done, &offset),
            "number with too many digits");
    }
    memset(text, '[', LLMLAB__JSON_DEPTH + 1);
    assert_string_equal(
        scan(text, LLMLAB__JSON_DEPTH + 1, 7, &log, &done, &offset),
        "nested too deeply");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_the_pull_scanner),
        cmocka_unit_test(every_split_is_the_same),
        cmocka_unit_test(what_is_told),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
