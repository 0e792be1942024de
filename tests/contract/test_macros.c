/* The macros are declarations: break, continue, return and goto mean what they
 * mean in C, and each span ends where its block is left, in order. Scopes on
 * lines of their own do not shadow one another.
 *
 * llmlab-test: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>

#include "support/client.h"

static llmlab_client_t *client;

static int
leave_by_return(int early)
{
    LLMLAB_TRACE(client, "return");
    LLMLAB_SPAN("outer", LLMLAB_SPAN_CHAIN);
    if (early) {
        LLMLAB_SPAN("inner", LLMLAB_SPAN_TOOL);
        return 1;
    }
    return 0;
}

static int
leave_by_goto(void)
{
    int result = 0;

    {
        LLMLAB_TRACE(client, "goto");
        {
            LLMLAB_SPAN("a", LLMLAB_SPAN_TOOL);
            {
                LLMLAB_SPAN("b", LLMLAB_SPAN_TOOL);
                result = 7;
                goto out;
            }
        }
    }
    result = -1;
out:
    assert_null(llmlab_span_current());
    return result;
}

static int
leave_by_loops(void)
{
    int rounds = 0;

    LLMLAB_TRACE(client, "loops");
    for (int i = 0; i < 4; i++) {
        LLMLAB_SPAN("for", LLMLAB_SPAN_TOOL);
        if (i == 1) {
            continue;
        }
        if (i == 3) {
            break;
        }
        rounds++;
    }
    do {
        LLMLAB_SPAN("do", LLMLAB_SPAN_TOOL);
        rounds += 10;
    } while (rounds < 20);
    switch (rounds) {
    case 22: {
        LLMLAB_SPAN("case", LLMLAB_SPAN_TOOL);
        rounds += 100;
        break;
    }
    default:
        rounds = -1;
        break;
    }
    return rounds;
}

/* What name the steps have, in the order in which they ended, and how many
 * have a parent among them. */
static void
expect_steps(const char *names, int children)
{
    char found[256] = "";
    char *json;
    cJSON *document;
    const cJSON *trace;
    const cJSON *step;

    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_mock_take_batch(client, &json, NULL), LLMLAB_OK);
    document = cJSON_Parse(json);
    cJSON_ArrayForEach(trace, cJSON_GetObjectItem(document, "traces"))
    {
        cJSON_ArrayForEach(step, cJSON_GetObjectItem(trace, "steps"))
        {
            strcat(found,
                   cJSON_GetStringValue(cJSON_GetObjectItem(step, "name")));
            strcat(found, " ");
            children -= cJSON_IsString(cJSON_GetObjectItem(step, "parent_id"));
        }
    }
    assert_string_equal(found, names);
    assert_int_equal(children, 0);
    assert_null(llmlab_span_current());
    assert_int_equal(test_stats(client).open_spans, 0);
    cJSON_Delete(document);
    llmlab_free(json);
}

static void
test_every_way_out_ends_the_spans(void **state)
{
    (void)state;
    client = test_open("exporter", "memory", NULL);
    assert_int_equal(leave_by_return(1), 1);
    expect_steps("inner outer return ", 2);
    assert_int_equal(leave_by_return(0), 0);
    expect_steps("outer return ", 1);
    assert_int_equal(leave_by_goto(), 7);
    expect_steps("b a goto ", 2);
    assert_int_equal(leave_by_loops(), 122);
    expect_steps("for for for for do do case loops ", 7);
    llmlab_client_close(client, 1000);
}

/* A scope above another of another client joins nobody else's trace. */
static void
test_a_trace_within_a_trace(void **state)
{
    (void)state;
    client = test_open("exporter", "memory", NULL);
    {
        LLMLAB_TRACE(client, "outer");
        {
            LLMLAB_TRACE(client, "other");
            {
                LLMLAB_SPAN("in_other", LLMLAB_SPAN_TOOL);
            }
        }
        {
            LLMLAB_SPAN("in_outer", LLMLAB_SPAN_TOOL);
        }
    }
    expect_steps("in_other other in_outer outer ", 2);
    llmlab_client_close(client, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_out_ends_the_spans),
        cmocka_unit_test(test_a_trace_within_a_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
