/* What scores say together: for each name its count, mean and
 * distribution. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/scores.h"
#include "base/alloc.h"

/* Scores looked at; of more the range must be narrowed. */
#define SCORES_MAX 50000
/* Labels of a name that are told apart; the others are one. */
#define LABELS_MAX 50

typedef struct summary_s {
    llmlab__json_out_t out;
    char name[513];
    bool begun; /* an object, and in it the labels' array */
    double *values;
    size_t value_count;
    char label[4097];
    int64_t label_count;
    int64_t count;
    int label_kinds;
    int64_t other;
} summary_t;

static void
text_copy(char *out, size_t capacity, const char *text)
{
    size_t size = text == NULL ? 0 : strnlen(text, capacity - 1);

    if (size > 0) {
        memcpy(out, text, size);
    }
    out[size] = '\0';
}

static void
label_end(summary_t *summary)
{
    llmlab__json_out_t *out = &summary->out;

    if (summary->label_count > 0 && summary->label_kinds++ < LABELS_MAX) {
        llmlab__json_begin_object(out);
        llmlab__json_key(out, "label");
        llmlab__json_put_text(out, summary->label);
        llmlab__json_key(out, "count");
        llmlab__json_put_int(out, summary->label_count);
        llmlab__json_end_object(out);
    } else {
        summary->other += summary->label_count;
    }
    summary->label_count = 0;
}

static int
by_size(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static void
numbers_write(summary_t *summary)
{
    static const struct {
        const char *name;
        size_t percent;
    } places[] = {{"min", 0},  {"p10", 10}, {"p25", 25}, {"p50", 50},
                  {"p75", 75}, {"p90", 90}, {"max", 100}};
    llmlab__json_out_t *out = &summary->out;
    size_t count = summary->value_count;
    double mean = 0;

    qsort(summary->values, count, sizeof(double), by_size);
    /* Each is divided first: a sum of great ones would be too great. */
    for (size_t i = 0; i < count; i++) {
        mean += summary->values[i] / (double)count;
    }
    llmlab__json_key(out, "mean");
    if (count == 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_double(out, mean);
    }
    llmlab__json_key(out, "distribution");
    if (count == 0) {
        llmlab__json_put_null(out);
        return;
    }
    llmlab__json_begin_object(out);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        llmlab__json_key_n(out, places[i].name, strlen(places[i].name));
        llmlab__json_put_double(
            out, summary->values[(count - 1) * places[i].percent / 100]);
    }
    llmlab__json_end_object(out);
}

static void
name_end(summary_t *summary)
{
    llmlab__json_out_t *out = &summary->out;

    if (!summary->begun) {
        return;
    }
    label_end(summary);
    llmlab__json_end_array(out);
    llmlab__json_key(out, "other_labels");
    llmlab__json_put_int(out, summary->other);
    llmlab__json_key(out, "count");
    llmlab__json_put_int(out, summary->count);
    llmlab__json_key(out, "numeric");
    llmlab__json_put_int(out, (int64_t)summary->value_count);
    numbers_write(summary);
    llmlab__json_end_object(out);
}

static void
name_begin(summary_t *summary, const char *name)
{
    name_end(summary);
    text_copy(summary->name, sizeof(summary->name), name);
    summary->begun = true;
    summary->value_count = 0;
    summary->count = 0;
    summary->label_kinds = 0;
    summary->other = 0;
    llmlab__json_begin_object(&summary->out);
    llmlab__json_key(&summary->out, "name");
    llmlab__json_put_text(&summary->out, summary->name);
    llmlab__json_key(&summary->out, "labels");
    llmlab__json_begin_array(&summary->out);
}

static bool
on_value(void *payload, const char *name, bool has_value, double value,
         const char *label)
{
    summary_t *summary = payload;

    if (!summary->begun || strcmp(summary->name, name) != 0) {
        name_begin(summary, name);
    }
    summary->count++;
    if (has_value) {
        summary->values[summary->value_count++] = value;
    }
    if (label == NULL) {
        return true;
    }
    if (strcmp(summary->label, label) != 0) {
        label_end(summary);
        text_copy(summary->label, sizeof(summary->label), label);
    }
    summary->label_count++;
    return true;
}

void
llmlab__api_scores_summary(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    llmlab__score_query_t query;
    llmlab_status_t status = LLMLAB_ENOMEM;
    bool more = false;
    summary_t *summary;

    if (!llmlab__score_query_read(request, &query)) {
        return;
    }
    query.limit = SCORES_MAX;
    summary = llmlab__calloc(1, sizeof(*summary));
    if (summary != NULL) {
        summary->values = llmlab__calloc(SCORES_MAX, sizeof(double));
    }
    if (summary != NULL && summary->values != NULL) {
        llmlab__reply_json(request, &summary->out);
        llmlab__json_begin_object(&summary->out);
        llmlab__json_key(&summary->out, "data");
        llmlab__json_begin_array(&summary->out);
        status = store->scores->values(request->reader, &query, on_value,
                                       summary, &more);
        name_end(summary);
        llmlab__json_end_array(&summary->out);
        llmlab__json_end_object(&summary->out);
    }
    if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot sum scores up");
    } else if (more) {
        llmlab__reply_refuse(request, 422, "too-many", "There are too many",
                             NULL,
                             "more than %d scores match: ask for a shorter "
                             "time, or for one name",
                             SCORES_MAX);
    }
    if (summary != NULL) {
        llmlab__free(summary->values);
    }
    llmlab__free(summary);
}
