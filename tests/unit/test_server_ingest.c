/* llmlab-test: link=llmlab_server_core
 *
 * What the ingest parser makes of a batch, and that it takes what
 * docs/wire.schema.json allows and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "services/ingest.h"
#include "tests/support/schema.h"

#define NOW INT64_C(1787300000000000000) /* 2026-08-21 */

/* Everything that the schema names. */
static const char whole[] =
    "{\"schema\":1,\"sdk\":{\"name\":\"libllmlab\",\"version\":\"0.1.0\","
    "\"language\":\"c\",\"instance\":\"0193a7c8-0000-7000-8000-000000000001\","
    "\"service\":\"api\",\"environment\":\"prod\",\"release\":\"1.4.2\"},"
    "\"batch\":{\"first\":1,\"count\":4,\"sent_at\":\"2026-08-21T07:09:41Z\","
    "\"totals\":{\"accepted\":4,\"delivered\":0,\"rejected\":0,\"dead\":0,"
    "\"unsampled\":2,\"dropped\":{\"ring_full\":0}},\"unsampled\":[{"
    "\"n\":[[2,3]],\"start\":\"2026-08-21T07:00:00Z\",\"type\":\"llm_call\","
    "\"status\":\"success\",\"agent\":\"a\",\"user\":\"u\","
    "\"session\":\"s\",\"tags\":[\"t\"],\"provider\":\"openai\","
    "\"api\":\"chat_completions\",\"request_model\":\"m\",\"model\":\"m\","
    "\"service_tier\":\"default\",\"region\":\"eu\",\"speed\":\"fast\","
    "\"search_context\":\"low\",\"batch\":false,\"error_type\":\"x\",\"calls\":"
    "2,\"latency_ms\":5.5,"
    "\"usage\":{\"input_tokens\":5},\"cost\":\"0.5\","
    "\"provider_cost\":\"0.25\",\"cost_detail\":{\"match\":\"exact\","
    "\"pricing\":\"priced\",\"usage_source\":\"provider\","
    "\"cost_source\":\"provider\"}}]},"
    "\"traces\":[{\"trace_id\":\"0123456789abcdef0123456789abcdef\","
    "\"agent_name\":\"x\",\"status\":\"error\",\"total_cost\":\"0.1\","
    "\"duration_ms\":5.5,\"tags\":[\"t\"],\"user\":\"tu\","
    "\"session\":\"ts\",\"steps\":[{\"span_id\":\"00000000000000a1\","
    "\"parent_id\":\"00000000000000a0\",\"n\":1,\"type\":\"llm_call\","
    "\"name\":\"an \\\"answer\\\"\",\"agent\":\"a\",\"user\":\"u\","
    "\"session\":\"s\",\"tags\":[\"production\",\"b\"],\"status\":\"error\","
    "\"error\":{\"type\":\"rate_limit\",\"code\":\"c\",\"http_status\":429},"
    "\"http_status\":429,\"start\":\"2026-08-21T07:09:40.123456789Z\","
    "\"latency_ms\":812.400001,\"ttft_ms\":210.5,\"stream\":true,"
    "\"attempt\":1,\"provider\":\"openai\",\"api\":\"chat_completions\","
    "\"request_model\":\"gpt-4o-mini\",\"model\":\"gpt-4o-mini-2024-07-18\","
    "\"response_id\":\"r\",\"finish_reason\":\"stop\","
    "\"service_tier\":\"default\",\"region\":\"eu\",\"speed\":\"fast\","
    "\"search_context\":\"low\",\"batch\":false,\"prompt\":{\"name\":\"p\","
    "\"version\":\"3\"},"
    "\"usage\":{\"input_tokens\":1200,\"cache_read_tokens\":1024,"
    "\"output_tokens\":80,\"audio_seconds\":1.5,\"parts\":[{\"model\":"
    "\"m\",\"input_tokens\":1,\"output_tokens\":2}]},"
    "\"usage_complete\":true,"
    "\"cost\":\"0.0001182\",\"cost_detail\":{\"table\":\"2026-08-21\","
    "\"key\":\"k\",\"match\":\"exact\",\"pricing\":\"priced\","
    "\"usage_source\":\"provider\",\"cost_source\":\"provider\"},"
    "\"provider_cost\":\"0.1\","
    "\"fingerprint\":\"0123456789abcdef0123456789abcdef\","
    "\"prefix\":[\"0123456789abcdef\"],\"input\":\"i\",\"output\":\"o\","
    "\"tracestate\":\"a=b\",\"cut\":true,"
    "\"attributes\":{\"a\":1,\"b\":\"x\",\"c\":true}}]}],"
    "\"scores\":[{\"n\":4,\"trace_id\":\"0123456789abcdef0123456789abcdef\","
    "\"span_id\":\"00000000000000a1\",\"name\":\"q\",\"value\":0.5,"
    "\"label\":\"good\",\"source\":\"human\",\"at\":\"2026-08-21T07:09:42Z\"}]"
    "}";

static bool
parse(llmlab__batch_t *batch, const char *text, llmlab__problem_t *problem)
{
    llmlab__limits_t limits;

    llmlab__limits_init(&limits);
    llmlab__batch_clear(batch);
    batch->now_ns = NOW;
    llmlab__buf_text(&batch->body, text);
    return llmlab__ingest_parse(batch, &limits, NULL, problem);
}

#define assert_text(text, literal)                                      \
    do {                                                                \
        assert_int_equal((text).size, sizeof(literal) - 1);             \
        assert_memory_equal((text).data, literal, sizeof(literal) - 1); \
    } while (0)

static void
test_every_field(void **state)
{
    llmlab__batch_t *batch = llmlab__batch_new();
    llmlab__problem_t problem;
    const llmlab__row_t *row;

    (void)state;
    assert_true(parse(batch, whole, &problem));
    assert_int_equal(batch->rejection_count, 0);
    assert_int_equal(batch->row_count, 1);
    assert_int_equal(batch->unsampled_count, 1);
    assert_int_equal(batch->score_count, 1);
    assert_string_equal(batch->instance,
                        "0193a7c8-0000-7000-8000-000000000001");
    assert_int_equal(batch->totals.accepted, 4);
    row = &batch->rows[0];
    assert_int_equal(row->trace_high, 0x0123456789abcdef);
    assert_int_equal(row->span_id, 0xa1);
    assert_int_equal(row->parent_id, 0xa0);
    assert_int_equal(row->number, 1);
    assert_int_equal(row->kind, LLMLAB_SPAN_LLM);
    assert_int_equal(row->outcome, LLMLAB_ERROR);
    assert_int_equal(row->start_ns % 1000000000, 123456789);
    assert_int_equal(row->duration_ns, 812400001);
    assert_int_equal(row->ttft_ns, 210500000);
    assert_text(row->name, "an \"answer\"");
    assert_text(row->tags, "[\"production\",\"b\"]");
    assert_text(row->model, "gpt-4o-mini-2024-07-18");
    assert_int_equal(row->cost_source, LLMLAB_COST_PROVIDER);
    assert_int_equal(row->sums.of[LLMLAB__SUM_COST_NANO], 100000000);
    assert_int_equal(row->sums.of[LLMLAB__SUM_CLIENT_NANO], 118200);
    assert_int_equal(row->sums.of[LLMLAB__SUM_INPUT_TEXT], 176);
    assert_non_null(memmem(row->detail.data, row->detail.size,
                           "\"finish_reason\":\"stop\"", 22));
    row = &batch->unsampled[0];
    assert_int_equal(row->sums.of[LLMLAB__SUM_CALLS], 2);
    assert_int_equal(row->sums.of[LLMLAB__SUM_COST_NANO], 250000000);
    llmlab__batch_destroy(batch);
}

/* A reader must not depend on the order of members: the trace's own values
 * and the envelope may come last. */
static void
test_order_of_members(void **state)
{
    static const char text[] =
        "{\"traces\":[{\"steps\":[{\"latency_ms\":1,\"status\":\"success\","
        "\"start\":\"2026-08-21T07:09:40Z\",\"name\":\"x\",\"type\":\"span\","
        "\"n\":9,\"span_id\":\"00000000000000a1\"},{\"latency_ms\":1,"
        "\"user\":\"own\",\"status\":\"success\",\"start\":"
        "\"2026-08-21T07:09:40Z\",\"name\":\"x\",\"type\":\"span\",\"n\":7,"
        "\"span_id\":\"00000000000000a2\"}],\"user\":\"u\",\"tags\":[ \"t\" "
        "],\"agent_name\":\"a\",\"trace_id\":"
        "\"0123456789abcdef0123456789abcdef\"}],\"batch\":{\"totals\":{"
        "\"dropped\":{},\"rejected\":0,\"delivered\":0,\"accepted\":1},"
        "\"sent_at\":\"2026-08-21T07:09:41Z\",\"count\":2,\"first\":8},"
        "\"sdk\":{\"instance\":\"0193a7c8-0000-7000-8000-000000000001\","
        "\"version\":\"1\",\"name\":\"n\"},\"schema\":1}";
    llmlab__batch_t *batch = llmlab__batch_new();
    llmlab__problem_t problem;

    (void)state;
    assert_true(parse(batch, text, &problem));
    assert_int_equal(batch->row_count, 2);
    assert_text(batch->rows[0].user, "u");
    assert_text(batch->rows[0].agent, "a");
    assert_text(batch->rows[0].tags, "[\"t\"]");
    assert_text(batch->rows[1].user, "own");
    assert_int_equal(batch->rows[1].trace_low, 0x0123456789abcdef);
    /* 7 is none of 8 and 9. */
    assert_int_equal(batch->rejection_count, 1);
    assert_int_equal(batch->rejections[0].number, 7);
    assert_int_equal(batch->rows[1].verdict, LLMLAB__ROW_REJECTED);
    assert_int_equal(batch->rows[0].sums.of[LLMLAB__SUM_CALLS], 0);
    llmlab__batch_destroy(batch);
}

/* Each run of a model at its own price; the searches at the step's model. */
static void
test_a_step_in_parts(void **state)
{
    static const char text[] =
        "{\"schema\":1,\"sdk\":{\"name\":\"n\",\"version\":\"1\","
        "\"instance\":\"0193a7c8-0000-7000-8000-000000000001\"},"
        "\"batch\":{\"first\":1,\"count\":2,"
        "\"sent_at\":\"2026-08-21T07:09:41Z\",\"totals\":{\"accepted\":1,"
        "\"delivered\":0,\"rejected\":0,\"dropped\":{}}},"
        "\"traces\":[{\"trace_id\":\"0123456789abcdef0123456789abcdef\","
        "\"steps\":[{\"span_id\":\"00000000000000a1\",\"n\":1,"
        "\"type\":\"llm_call\",\"name\":\"x\",\"status\":\"success\","
        "\"start\":\"2026-08-21T07:09:40Z\",\"latency_ms\":1,"
        "\"provider\":\"anthropic\",\"model\":\"claude-sonnet-4-6\","
        "\"usage\":{\"input_tokens\":1000,\"output_tokens\":100,"
        "\"web_search_requests\":2,\"parts\":["
        "{\"input_tokens\":1000,\"output_tokens\":100},"
        "{\"model\":\"claude-opus-4-8\",\"input_tokens\":2000,"
        "\"output_tokens\":10,\"cache_read_tokens\":1000}]}},"
        "{\"span_id\":\"00000000000000a2\",\"n\":2,"
        "\"type\":\"llm_call\",\"name\":\"x\",\"status\":\"success\","
        "\"start\":\"2026-08-21T07:09:40Z\",\"latency_ms\":1,"
        "\"provider\":\"anthropic\",\"model\":\"claude-sonnet-4-6\","
        "\"usage\":{\"input_tokens\":1000,\"output_tokens\":100,"
        "\"parts\":[{\"model\":\"nobody-knows\",\"input_tokens\":5},{}]}}"
        "]}]}";
    llmlab__batch_t *batch = llmlab__batch_new();
    llmlab__problem_t problem;
    const llmlab__row_t *row;

    (void)state;
    assert_true(parse(batch, text, &problem));
    assert_int_equal(batch->rejection_count, 0);
    row = &batch->rows[0];
    assert_int_equal(row->priced, LLMLAB_PRICED);
    /* 1000 x 3 + 100 x 15, 1000 x 5 + 1000 x 0.5 + 10 x 25, 2 x 10000 */
    assert_int_equal(row->sums.of[LLMLAB__SUM_COST_NANO], 30250000);
    assert_int_equal(row->sums.of[LLMLAB__SUM_INPUT_TEXT], 1000);
    assert_text(row->price_key, "claude-sonnet-4-6");
    assert_non_null(memmem(row->usage.data, row->usage.size, "parts", 5));
    row = &batch->rows[1];
    assert_int_equal(row->priced, LLMLAB_UNPRICED);
    assert_int_equal(row->sums.of[LLMLAB__SUM_UNPRICED], 1);
    assert_int_equal(row->sums.of[LLMLAB__SUM_COST_NANO], 0);
    llmlab__batch_destroy(batch);
}

/* Faults that the server forgives on purpose. What it keeps as raw text it
 * gives back as raw text; what is advisory costs nothing. */
static bool
is_forgiven(const char *path, const char *what)
{
    static const char *const forgiven[] = {"/traces/0/agent_name",
                                           "/traces/0/status",
                                           "/traces/0/total_cost",
                                           "/traces/0/duration_ms",
                                           "/traces/0/tags",
                                           "/traces/0/user",
                                           "/traces/0/session",
                                           "/sdk/language",
                                           "/error",
                                           "/prompt",
                                           "/prefix",
                                           "/fingerprint",
                                           "/attributes",
                                           "/attempt",
                                           "/cost_detail",
                                           "/http_status",
                                           "/batch/sent_at"};

    for (size_t i = 0; i < sizeof(forgiven) / sizeof(forgiven[0]); i++) {
        if (strstr(path, forgiven[i]) != NULL) {
            return true;
        }
    }
    /* Null is as absent (docs/WIRE.md); a trace without steps is nothing. */
    return strcmp(what, "null") == 0 || strcmp(path, "/traces/0") == 0 ||
           strcmp(path, "/traces/0/steps") == 0;
}

typedef struct mutation_s {
    llmlab__batch_t *batch;
    schema_t *schema;
    cJSON *root;
    unsigned tried;
    unsigned differ;
} mutation_t;

static void
judge(mutation_t *mutation, const char *path, const char *what)
{
    char *text = cJSON_PrintUnformatted(mutation->root);
    cJSON *again = cJSON_Parse(text);
    char why[256] = "";
    llmlab__problem_t problem;
    bool allowed = schema_check(mutation->schema, again, why, sizeof(why));
    bool taken = parse(mutation->batch, text, &problem) &&
                 mutation->batch->rejection_count == 0;

    mutation->tried++;
    if (taken && !allowed && !is_forgiven(path, what)) {
        print_error("%s %s: taken, but %s\n", path, what, why);
        mutation->differ++;
    }
    if (!taken && allowed) {
        print_error("%s %s: the schema allows it, the server does not\n", path,
                    what);
        mutation->differ++;
    }
    cJSON_Delete(again);
    cJSON_free(text);
}

/* Take each value away, and put each other type in its place. */
static void
mutate(mutation_t *mutation, cJSON *parent, const char *path)
{
    static const char *const others[] = {"null", "true", "-7", "1.5",
                                         "\"\"", "[]",   "{}", "[[]]"};
    int count = cJSON_GetArraySize(parent);

    for (int i = 0; i < count; i++) {
        cJSON *child = cJSON_GetArrayItem(parent, i);
        char below[256];

        if (cJSON_IsObject(parent)) {
            (void)snprintf(below, sizeof(below), "%s/%s", path, child->string);
        } else {
            (void)snprintf(below, sizeof(below), "%s/%d", path, i);
        }
        for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
            cJSON *other = cJSON_Parse(others[j]);
            cJSON saved = *child;

            /* In place: what the child is, but for its links and name. */
            child->type = other->type;
            child->child = other->child;
            child->valuestring = other->valuestring;
            child->valueint = other->valueint;
            child->valuedouble = other->valuedouble;
            judge(mutation, below, others[j]);
            *child = saved;
            cJSON_Delete(other);
        }
        if (cJSON_IsObject(parent)) {
            cJSON **link = i == 0 ? &parent->child
                                  : &cJSON_GetArrayItem(parent, i - 1)->next;

            *link = child->next;
            judge(mutation, below, "missing");
            *link = child;
        }
        if (cJSON_IsObject(child) || cJSON_IsArray(child)) {
            mutate(mutation, child, below);
        }
    }
}

static void
test_takes_what_the_schema_allows(void **state)
{
    mutation_t mutation = {
        .batch = llmlab__batch_new(),
        .schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json"),
        .root = cJSON_Parse(whole)};
    char why[256] = "";

    (void)state;
    assert_non_null(mutation.schema);
    assert_non_null(mutation.root);
    if (!schema_check(mutation.schema, mutation.root, why, sizeof(why))) {
        fail_msg("%s", why);
    }
    mutate(&mutation, mutation.root, "");
    assert_true(mutation.tried > 800);
    assert_int_equal(mutation.differ, 0);
    cJSON_Delete(mutation.root);
    schema_free(mutation.schema);
    llmlab__batch_destroy(mutation.batch);
}

/* Every prefix of a batch is refused, and none is read past its end. */
static void
test_every_prefix(void **state)
{
    llmlab__limits_t limits;
    llmlab__problem_t problem;

    (void)state;
    llmlab__limits_init(&limits);
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        llmlab__batch_t *batch = llmlab__batch_new();

        batch->now_ns = NOW;
        batch->body.data = malloc(size + 1);
        batch->body.capacity = size + 1;
        batch->body.size = size;
        memcpy(batch->body.data, whole, size);
        assert_false(llmlab__ingest_parse(batch, &limits, NULL, &problem));
        assert_int_equal(problem.status, 400);
        llmlab__batch_destroy(batch);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_order_of_members),
        cmocka_unit_test(test_a_step_in_parts),
        cmocka_unit_test(test_takes_what_the_schema_allows),
        cmocka_unit_test(test_every_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
