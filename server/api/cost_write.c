#include "api/cost_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <llmlab/pricing.h>

#include "api/write.h"
#include "base/clock.h"
#include "services/ingest_fields.h"

const char *const llmlab__cost_dimensions[LLMLAB__DIMENSIONS + 1] = {
    [LLMLAB__BY_PROVIDER] = "provider",
    [LLMLAB__BY_MODEL] = "model",
    [LLMLAB__BY_AGENT] = "agent",
    [LLMLAB__BY_STATUS] = "status",
    [LLMLAB__BY_ENVIRONMENT] = "environment",
    [LLMLAB__BY_KEY] = "key",
    [LLMLAB__BY_USER] = "user",
    [LLMLAB__BY_TAG] = "tag",
    [LLMLAB__BY_SESSION] = "session",
};

const char *const llmlab__cost_granularities[] = {"total", "daily", "hourly",
                                                  NULL};

/* What is shown of sums that are whole numbers: X(name, expression of `of`
 * and `sums`). The rare ones are left out of JSON where they are 0. */
#define NUMBERS(X)                                                    \
    X("calls", of[LLMLAB__SUM_CALLS])                                 \
    X("unpriced_calls", of[LLMLAB__SUM_UNPRICED])                     \
    X("estimated_calls", of[LLMLAB__SUM_ESTIMATED])                   \
    X("spans", of[LLMLAB__SUM_SPANS])                                 \
    X("input_tokens", llmlab__sums_input(sums))                       \
    X("cache_read_tokens", of[LLMLAB__SUM_INPUT_CACHE_READ])          \
    X("cache_write_tokens", of[LLMLAB__SUM_INPUT_CACHE_WRITE] +       \
                                of[LLMLAB__SUM_INPUT_CACHE_WRITE_1H]) \
    X("output_tokens", llmlab__sums_output(sums))                     \
    X("reasoning_tokens", of[LLMLAB__SUM_OUTPUT_REASONING])           \
    X("web_search_requests", of[LLMLAB__SUM_WEB_SEARCHES])
#define RARE_NUMBERS(X)                                              \
    X("cache_write_1h_tokens", of[LLMLAB__SUM_INPUT_CACHE_WRITE_1H]) \
    X("input_audio_tokens", of[LLMLAB__SUM_INPUT_AUDIO])             \
    X("input_image_tokens", of[LLMLAB__SUM_INPUT_IMAGE])             \
    X("input_video_tokens", of[LLMLAB__SUM_INPUT_VIDEO])             \
    X("output_audio_tokens", of[LLMLAB__SUM_OUTPUT_AUDIO])           \
    X("output_image_tokens", of[LLMLAB__SUM_OUTPUT_IMAGE])           \
    X("output_video_tokens", of[LLMLAB__SUM_OUTPUT_VIDEO])

void
llmlab__cost_sums_write(llmlab__json_out_t *out, const llmlab__sums_t *sums)
{
    const int64_t *of = sums->of;

    llmlab__json_key(out, "cost_usd");
    llmlab__write_money(out, of[LLMLAB__SUM_COST_NANO],
                        of[LLMLAB__SUM_COST_REST]);
#define NUMBER_WRITE(name, value) \
    llmlab__json_key(out, name);  \
    llmlab__json_put_int(out, value);
    NUMBERS(NUMBER_WRITE)
#undef NUMBER_WRITE
#define NUMBER_WRITE(name, value)         \
    if ((value) != 0) {                   \
        llmlab__json_key(out, name);      \
        llmlab__json_put_int(out, value); \
    }
    RARE_NUMBERS(NUMBER_WRITE)
#undef NUMBER_WRITE
    llmlab__json_key(out, "client_cost_usd");
    llmlab__write_money(out, of[LLMLAB__SUM_CLIENT_NANO],
                        of[LLMLAB__SUM_CLIENT_REST]);
    llmlab__json_key(out, "latency_ms_sum");
    llmlab__write_ms(out, of[LLMLAB__SUM_DURATION_NS]);
}

static void
latency_write(llmlab__json_out_t *out, const llmlab__latency_t *latency)
{
    static const struct {
        const char *name;
        unsigned percent;
    } quantiles[] = {{"p50", 50}, {"p95", 95}, {"p99", 99}};
    static const llmlab__latency_t none = {{NULL}, 0};

    latency = latency == NULL ? &none : latency;
    llmlab__json_key(out, "latency_ms");
    llmlab__json_begin_object(out);
    llmlab__json_key(out, "calls");
    llmlab__json_put_int(out, latency->total);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        int64_t ns = llmlab__latency_quantile(latency, quantiles[i].percent);

        llmlab__json_key_n(out, quantiles[i].name, 3);
        if (ns < 0) {
            llmlab__json_put_null(out);
        } else {
            llmlab__write_ms(out, ns);
        }
    }
    llmlab__json_end_object(out);
}

/* A dimension's value as text; none: NULL. key has room for a number. */
static llmlab__text_t
value_text(const llmlab__cost_answer_t *answer, llmlab__dimension_t dimension,
           int64_t value, char key[24])
{
    const llmlab__request_t *request = answer->request;
    llmlab__text_t text = {NULL, 0};

    if (dimension == LLMLAB__BY_STATUS) {
        text.data = llmlab__outcome_word((int)value);
    } else if (dimension == LLMLAB__BY_KEY) {
        (void)snprintf(key, 24, "%" PRId64, value);
        text.data = key;
    } else if (dimension == LLMLAB__BY_SESSION) {
        text.data = value == 0 ? NULL : answer->result->sessions[value - 1];
    } else {
        return request->server->store->ops->label_text(request->reader, value);
    }
    text.size = text.data == NULL ? 0 : strlen(text.data);
    return text;
}

void
llmlab__cost_value_write(const llmlab__cost_answer_t *answer,
                         llmlab__json_out_t *out, llmlab__dimension_t dimension,
                         const llmlab__cost_row_t *row)
{
    char key[24];

    llmlab__write_text(out,
                       value_text(answer, dimension, row->by[dimension], key));
}

static void
row_write(const llmlab__cost_answer_t *answer, llmlab__json_out_t *out,
          const llmlab__cost_row_t *row)
{
    llmlab__json_begin_object(out);
    if (answer->query->granularity != LLMLAB__TOTAL) {
        llmlab__json_key(out, "start");
        llmlab__write_time(out, row->start * 1000000000);
    }
    for (size_t i = 0; i < answer->dimensions; i++) {
        const char *name = llmlab__cost_dimensions[answer->order[i]];

        llmlab__json_key_n(out, name, strlen(name));
        llmlab__cost_value_write(answer, out, answer->order[i], row);
    }
    llmlab__cost_sums_write(out, &row->sums);
    if (answer->query->latency) {
        latency_write(out, row->latency);
    }
    llmlab__json_end_object(out);
}

void
llmlab__cost_write_json(const llmlab__cost_answer_t *answer, llmlab__buf_t *to)
{
    const llmlab__cost_query_t *query = answer->query;
    const llmlab__cost_result_t *result = answer->result;
    unsigned tag = 1u << LLMLAB__BY_TAG;
    llmlab__json_out_t out;

    llmlab__json_out_init(&out, to);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "project");
    llmlab__json_put_text(&out, answer->request->project.slug);
    llmlab__json_key(&out, "start");
    llmlab__write_time(&out, query->range->start * 1000000000);
    llmlab__json_key(&out, "end");
    llmlab__write_time(&out, query->range->end * 1000000000);
    llmlab__json_key(&out, "tz");
    llmlab__json_put_text(&out, query->range->zone_name);
    llmlab__json_key(&out, "granularity");
    llmlab__json_put_text(&out, llmlab__cost_granularities[query->granularity]);
    llmlab__json_key(&out, "group_by");
    llmlab__json_begin_array(&out);
    for (size_t i = 0; i < answer->dimensions; i++) {
        llmlab__json_put_text(&out, llmlab__cost_dimensions[answer->order[i]]);
    }
    llmlab__json_end_array(&out);
    llmlab__json_key(&out, "approximate");
    llmlab__json_put_bool(&out, false);
    llmlab__json_key(&out, "overlapping");
    llmlab__json_put_bool(&out, (query->group_by & tag) != 0 &&
                                    (query->only & tag) == 0);
    llmlab__json_key(&out, "data");
    llmlab__json_begin_array(&out);
    for (size_t i = 0; i < result->count; i++) {
        row_write(answer, &out, &result->rows[i]);
    }
    llmlab__json_end_array(&out);
    llmlab__json_key(&out, "total");
    llmlab__json_begin_object(&out);
    llmlab__cost_sums_write(&out, &result->total);
    if (query->latency) {
        latency_write(&out, &result->latency);
    }
    llmlab__json_end_object(&out);
    llmlab__json_end_object(&out);
}

/* A text that a spreadsheet would take for a formula gets a mark before it. */
static void
csv_text(llmlab__buf_t *out, llmlab__text_t text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.size && !quoted; i++) {
        quoted = strchr(",\"\r\n", text.data[i]) != NULL;
    }
    llmlab__buf_text(out, quoted ? "\"" : "");
    if (text.size > 0 && strchr("=+-@\t\r", text.data[0]) != NULL) {
        llmlab__buf_text(out, "'");
    }
    for (size_t i = 0; i < text.size; i++) {
        llmlab__buf_append(out, text.data[i] == '"' ? "\"\"" : text.data + i,
                           text.data[i] == '"' ? 2 : 1);
    }
    llmlab__buf_text(out, quoted ? "\"" : "");
}

static void
csv_money(llmlab__buf_t *out, int64_t nano, int64_t rest)
{
    char text[LLMLAB_MONEY_TEXT];
    size_t size = llmlab_money_format(llmlab__money_join(nano, rest), text);

    llmlab__buf_append(out, text, size);
}

static void
csv_row(const llmlab__cost_answer_t *answer, llmlab__buf_t *out,
        const llmlab__cost_row_t *row)
{
    const llmlab__sums_t *sums = &row->sums;
    const int64_t *of = sums->of;
    static const unsigned percents[] = {50, 95, 99};
    llmlab__json_out_t json;
    char text[LLMLAB__TIME_TEXT];
    char key[24];

    if (answer->query->granularity != LLMLAB__TOTAL) {
        (void)llmlab__time_format(row->start * 1000000000, text);
        llmlab__buf_printf(out, "%s,", text);
    }
    for (size_t i = 0; i < answer->dimensions; i++) {
        csv_text(out, value_text(answer, answer->order[i],
                                 row->by[answer->order[i]], key));
        llmlab__buf_text(out, ",");
    }
    csv_money(out, of[LLMLAB__SUM_COST_NANO], of[LLMLAB__SUM_COST_REST]);
#define NUMBER_PRINT(name, value) llmlab__buf_printf(out, ",%" PRId64, value);
    NUMBERS(NUMBER_PRINT)
    RARE_NUMBERS(NUMBER_PRINT)
#undef NUMBER_PRINT
    llmlab__buf_text(out, ",");
    csv_money(out, of[LLMLAB__SUM_CLIENT_NANO], of[LLMLAB__SUM_CLIENT_REST]);
    for (size_t i = 0; answer->query->latency && i < 3; i++) {
        int64_t ns = row->latency == NULL
                         ? -1
                         : llmlab__latency_quantile(row->latency, percents[i]);

        llmlab__buf_text(out, ",");
        if (ns >= 0) {
            llmlab__json_out_init(&json, out);
            llmlab__write_ms(&json, ns);
        }
    }
    llmlab__buf_text(out, "\r\n");
}

void
llmlab__cost_write_csv(const llmlab__cost_answer_t *answer, llmlab__buf_t *out)
{
    if (answer->query->granularity != LLMLAB__TOTAL) {
        llmlab__buf_text(out, "start,");
    }
    for (size_t i = 0; i < answer->dimensions; i++) {
        llmlab__buf_printf(out, "%s,",
                           llmlab__cost_dimensions[answer->order[i]]);
    }
    llmlab__buf_text(out, "cost_usd");
#define NUMBER_NAME(name, value) llmlab__buf_text(out, "," name);
    NUMBERS(NUMBER_NAME)
    RARE_NUMBERS(NUMBER_NAME)
#undef NUMBER_NAME
    llmlab__buf_text(out, ",client_cost_usd");
    if (answer->query->latency) {
        llmlab__buf_text(out, ",latency_ms_p50,latency_ms_p95,latency_ms_p99");
    }
    llmlab__buf_text(out, "\r\n");
    for (size_t i = 0; i < answer->result->count; i++) {
        csv_row(answer, out, &answer->result->rows[i]);
    }
}
