/* llmlab-test: link=llmlab_server_core
 *
 * The wire carries everything that a price depends on: what the server computes
 * from it is what the client computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "bind/llmlab_bind.h"
#include "services/ingest.h"
#include "tests/support/schema.h"

#define FIXTURES LLMLAB_SOURCE_DIR "/tests/fixtures/pricing/"
#define GOLDEN   LLMLAB_SOURCE_DIR "/../shared/data/golden/"
#define NOW      INT64_C(1798761600000000000) /* 2027-01-01 */

/* A vector's names for what the wire calls otherwise. */
static const char *const names[][2] = {
    {"provider", "provider"},
    {"model", "model"},
    {"service_tier", "service_tier"},
    {"speed", "speed"},
    {"data_residency", "region"},
    {"vertex_location", "region"},
    {"inference_geo", "region"},
    {"region", "region"},
    {"search_context_size", "search_context"},
    {"batch", "batch"},
    {"at_utc", "start"},
    {"usage", "usage"},
};

typedef struct tally_s {
    unsigned vectors; /* that a span can tell */
    unsigned equal;   /* priced alike on both sides */
    unsigned priced;
    unsigned as_expected; /* of priced: what the vector says */
} tally_t;

static int
open_client(const char *prices, const char *more)
{
    char settings[512];
    int client;

    snprintf(settings, sizeof(settings),
             "{\"exporter\":\"memory\",\"batch.max_calls\":10000,"
             "\"queue.full\":\"wait\",\"prices.file\":%s%s%s%s}",
             prices == NULL ? "null" : "\"", prices == NULL ? "" : prices,
             prices == NULL ? "" : "\"", more);
    client = llmlab_bind_open(settings, strlen(settings));
    assert_true(llmlab_bind_enabled(client));
    return client;
}

/* Record a vector as a span named by its index. False: no span can tell it. */
static bool
record_vector(int client, const cJSON *vector, unsigned index)
{
    cJSON *call = cJSON_CreateObject();
    llmlab_bind_status_t status;
    char name[16];
    char *text;
    size_t i;

    if (cJSON_HasObjectItem(vector, "pricing")) {
        cJSON_Delete(call);
        return false; /* a row of its own: no name to send */
    }
    snprintf(name, sizeof(name), "%u", index);
    cJSON_AddStringToObject(call, "name", name);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const cJSON *item =
            cJSON_GetObjectItemCaseSensitive(vector, names[i][0]);

        if (item != NULL && !cJSON_HasObjectItem(call, names[i][1])) {
            cJSON_AddItemToObject(call, names[i][1],
                                  cJSON_Duplicate(item, true));
        }
    }
    if (!cJSON_HasObjectItem(call, "start")) {
        cJSON_AddStringToObject(call, "start", "2026-08-21T07:09:40Z");
    }
    text = cJSON_PrintUnformatted(call);
    status = llmlab_bind_record(client, text, strlen(text));
    free(text);
    cJSON_Delete(call);
    return status == LLMLAB_OK;
}

static bool
is_amount(const llmlab__row_t *row, const char *text)
{
    llmlab_money_t want;
    llmlab_money_t unit = {1000000, 0};
    llmlab_money_t got = {(uint64_t)row->sums.of[LLMLAB__SUM_COST_REST], 0};
    int64_t nano = row->sums.of[LLMLAB__SUM_COST_NANO];
    int64_t bit;

    assert_int_equal(llmlab_money_parse(&want, text, strlen(text), NULL),
                     LLMLAB_OK);
    for (bit = 1; bit <= nano && bit > 0; bit <<= 1) {
        if ((nano & bit) != 0) {
            assert_int_equal(llmlab_money_add(&got, unit), LLMLAB_OK);
        }
        assert_int_equal(llmlab_money_add(&unit, unit), LLMLAB_OK);
    }
    return got.low == want.low && got.high == want.high;
}

static void
check_row(const llmlab__row_t *row, const cJSON *vectors, tally_t *tally)
{
    const int64_t *of = row->sums.of;
    char name[16] = "";
    const cJSON *expected;

    memcpy(name, row->name.data,
           row->name.size < sizeof(name) ? row->name.size : 0);
    if (row->has_cost != row->has_client_cost ||
        of[LLMLAB__SUM_COST_NANO] != of[LLMLAB__SUM_CLIENT_NANO] ||
        of[LLMLAB__SUM_COST_REST] != of[LLMLAB__SUM_CLIENT_REST]) {
        print_error("vector %s: the server computes %lld.%06lld nano-USD, the "
                    "client %lld.%06lld\n",
                    name, (long long)of[LLMLAB__SUM_COST_NANO],
                    (long long)of[LLMLAB__SUM_COST_REST],
                    (long long)of[LLMLAB__SUM_CLIENT_NANO],
                    (long long)of[LLMLAB__SUM_CLIENT_REST]);
        return;
    }
    tally->equal++;
    expected = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetArrayItem(vectors, atoi(name)), "expected_usd");
    tally->priced += row->has_cost;
    tally->as_expected += row->has_cost && cJSON_IsString(expected) &&
                          is_amount(row, cJSON_GetStringValue(expected));
}

/* Take what the client sent as the server takes it. */
static void
check_batches(int client, const llmlab_price_book_t *book, const cJSON *vectors,
              tally_t *tally)
{
    schema_t *schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json");
    llmlab__batch_t *batch = llmlab__batch_new();
    llmlab__limits_t limits;
    llmlab__problem_t problem;
    llmlab_bind_text_t text;
    char why[256];

    llmlab__limits_init(&limits);
    while ((text = llmlab_bind_take_batch(client)) > 0) {
        const char *json = llmlab_bind_text_data(text, NULL);
        cJSON *tree = cJSON_Parse(json);

        if (!schema_check(schema, tree, why, sizeof(why))) {
            fail_msg("%s", why);
        }
        llmlab__batch_clear(batch);
        batch->now_ns = NOW;
        batch->any_time = true;
        llmlab__buf_text(&batch->body, json);
        assert_true(llmlab__ingest_parse(batch, &limits, book, &problem));
        assert_int_equal(batch->rejection_count, 0);
        for (size_t i = 0; i < batch->row_count; i++) {
            check_row(&batch->rows[i], vectors, tally);
        }
        cJSON_Delete(tree);
        llmlab_bind_text_free(text);
    }
    llmlab__batch_destroy(batch);
    schema_free(schema);
}

static tally_t
check_vectors(const cJSON *vectors, const char *prices)
{
    int client = open_client(prices, "");
    llmlab_price_book_t *book = NULL;
    tally_t tally = {0};
    const cJSON *vector;
    unsigned index = 0;

    if (prices != NULL) {
        assert_int_equal(llmlab_price_book_load(&book, prices), LLMLAB_OK);
    }
    cJSON_ArrayForEach(vector, vectors)
    {
        tally.vectors += record_vector(client, vector, index++);
    }
    llmlab_bind_text_free(llmlab_bind_flush(client, 10000));
    check_batches(client, book, vectors, &tally);
    llmlab_bind_close(client, 2000);
    llmlab_price_book_destroy(book);
    assert_int_equal(tally.equal, tally.vectors);
    return tally;
}

/* The lines of a file as an array; NULL when there is no such file. */
static cJSON *
load_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    cJSON *array;
    char *line = NULL;
    size_t room = 0;

    if (file == NULL) {
        return NULL;
    }
    array = cJSON_CreateArray();
    while (getline(&line, &room, file) > 0) {
        cJSON *vector = cJSON_Parse(line);

        assert_non_null(vector);
        cJSON_AddItemToArray(array, vector);
    }
    free(line);
    fclose(file);
    return array;
}

static void
test_own_vectors(void **state)
{
    cJSON *vectors = load_lines(FIXTURES "costs.jsonl");
    tally_t tally = check_vectors(vectors, FIXTURES "book.json");

    (void)state;
    print_message("%u vectors, %u priced, %u as expected\n", tally.vectors,
                  tally.priced, tally.as_expected);
    assert_true(tally.vectors > 80);
    assert_int_equal(tally.as_expected, tally.priced);
    cJSON_Delete(vectors);
}

static void
test_golden_vectors(void **state)
{
    static const char *const files[] = {GOLDEN "costs.jsonl",
                                        GOLDEN "deviations.jsonl"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cJSON *vectors = load_lines(files[i]);
        tally_t tally;

        if (vectors == NULL) {
            print_message("SKIP test_wire_prices: ../shared/data is not "
                          "here\n");
            skip();
        }
        tally = check_vectors(vectors, NULL);
        print_message("%u vectors, %u priced, %u as expected\n", tally.vectors,
                      tally.priced, tally.as_expected);
        cJSON_Delete(vectors);
    }
}

/* A search is dearer the more it takes in: sonar's row says so. */
static void
test_search_context(void **state)
{
    static const char *const sizes[] = {"low", "medium", "high"};
    cJSON *vectors = cJSON_CreateArray();
    tally_t tally;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const char *const costs[] = {"0.005006", "0.008006", "0.012006"};
        cJSON *vector = cJSON_Parse(
            "{\"provider\":\"perplexity\",\"model\":\"sonar\",\"usage\":{"
            "\"input_tokens\":5,\"output_tokens\":1}}");

        cJSON_AddStringToObject(vector, "search_context_size", sizes[i]);
        cJSON_AddStringToObject(vector, "expected_usd", costs[i]);
        cJSON_AddItemToArray(vectors, vector);
    }
    tally = check_vectors(vectors, NULL);
    assert_int_equal(tally.as_expected, 3);
    cJSON_Delete(vectors);
}

/* What is too long to be a name is not stated, on both sides. */
static void
test_long_texts(void **state)
{
    static const char *const fields[] = {
        "provider", "model",          "service_tier",
        "speed",    "data_residency", "search_context_size"};
    static const size_t sizes[] = {15, 16, 31, 32, 63, 64, 255, 256, 500};
    cJSON *vectors = cJSON_CreateArray();
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            cJSON *vector = cJSON_Parse(
                "{\"provider\":\"perplexity\",\"model\":\"sonar\",\"usage\":{"
                "\"input_tokens\":5,\"output_tokens\":1}}");

            memset(text, 'x', sizes[j]);
            text[sizes[j]] = '\0';
            cJSON_DeleteItemFromObject(vector, fields[i]);
            cJSON_AddStringToObject(vector, fields[i], text);
            cJSON_AddItemToArray(vectors, vector);
        }
    }
    check_vectors(vectors, NULL);
    cJSON_Delete(vectors);
}

/* Unsampled calls state it, too: they are summed by it. */
static void
test_search_context_of_the_unsampled(void **state)
{
    static const char low[] =
        "{\"provider\":\"perplexity\",\"model\":\"sonar\","
        "\"search_context\":\"low\",\"usage\":{\"input_tokens\":5}}";
    static const char high[] =
        "{\"provider\":\"perplexity\",\"model\":\"sonar\","
        "\"search_context\":\"high\",\"usage\":{\"input_tokens\":5}}";
    int client = open_client(NULL, ",\"sample_rate\":0");
    llmlab_bind_text_t text;
    const char *json;

    (void)state;
    assert_int_equal(llmlab_bind_record(client, low, sizeof(low) - 1), 0);
    assert_int_equal(llmlab_bind_record(client, high, sizeof(high) - 1), 0);
    llmlab_bind_text_free(llmlab_bind_flush(client, 10000));
    text = llmlab_bind_take_batch(client);
    json = llmlab_bind_text_data(text, NULL);
    assert_non_null(strstr(json, "\"search_context\":\"low\""));
    assert_non_null(strstr(json, "\"search_context\":\"high\""));
    assert_non_null(strstr(json, "\"cost\":\"0.005005\""));
    assert_non_null(strstr(json, "\"cost\":\"0.012005\""));
    llmlab_bind_text_free(text);
    llmlab_bind_close(client, 2000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_vectors),
        cmocka_unit_test(test_golden_vectors),
        cmocka_unit_test(test_search_context),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_search_context_of_the_unsampled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
