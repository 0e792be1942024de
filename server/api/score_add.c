/* POST /scores: one score, or up to 1,000 of which bad ones alone are
 * refused. */
#include <math.h>
#include <string.h>

#include "api/api.h"
#include "api/scores.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_scan.h"
#include "services/ingest_fields.h"

#define SCORES_MAX 1000
#define ID_MAX     128
#define FUTURE_NS  (INT64_C(600) * 1000000000)

/* A score of the body, and what is wrong with it. */
typedef struct draft_s {
    llmlab__score_t score;
    char new_id[37];
    const char *field;
    const char *type; /* NULL: nothing is */
    bool duplicate;
} draft_t;

static const char *
text_read(const cJSON *item, size_t max, const char **out)
{
    const char *text = llmlab__json_dom_string(item);

    if (cJSON_IsNull(item)) {
        return NULL;
    }
    if (text == NULL) {
        return "type";
    }
    *out = *text == '\0' ? NULL : text;
    return strlen(text) > max ? "too_long" : NULL;
}

/* It stands in addresses, beside the word "summary". */
static const char *
id_read(const cJSON *item, const char **out)
{
    static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789._:-";
    const char *why = text_read(item, ID_MAX, out);
    const char *text = *out;

    return why != NULL    ? why
           : text == NULL ? NULL
           : text[strspn(text, others)] != '\0' ||
                   strchr("._:-", text[0]) != NULL ||
                   strcmp(text, "summary") == 0
               ? "value"
               : NULL;
}

static const char *
hex_read(const cJSON *item, size_t digits, uint64_t *high, uint64_t *low)
{
    const char *text = llmlab__json_dom_string(item);

    if (text == NULL) {
        return "type";
    }
    if (strlen(text) != digits ||
        (digits == 32 && llmlab__unhex64(text, high) != 0) ||
        llmlab__unhex64(text + digits - 16, low) != 0 || (*high | *low) == 0) {
        return "value";
    }
    return NULL;
}

static const char *
value_read(const cJSON *item, llmlab__score_t *score)
{
    llmlab__json_text_t number = {llmlab__json_dom_number(item), 0, false};

    if (cJSON_IsNull(item)) {
        return NULL;
    }
    if (cJSON_IsBool(item)) {
        score->label = cJSON_IsTrue(item) ? "true" : "false";
        score->value = cJSON_IsTrue(item) ? 1 : 0;
        score->has_value = true;
        return NULL;
    }
    if (number.data == NULL) {
        return text_read(item, LLMLAB__NAME_MAX, &score->label);
    }
    number.size = strlen(number.data);
    score->value = llmlab__json_double(&number);
    score->has_value = true;
    return isfinite(score->value) ? NULL : "range";
}

static const char *
at_read(const cJSON *item, int64_t now_ns, int64_t *out)
{
    const char *text = llmlab__json_dom_string(item);

    if (cJSON_IsNull(item)) {
        return NULL;
    }
    if (text == NULL) {
        return "type";
    }
    if (llmlab__time_parse(text, strlen(text), out) != 0) {
        return "value";
    }
    return *out > now_ns + FUTURE_NS ? "in_future"
           : *out < 0                ? "too_old"
                                     : NULL;
}

static const char *
member_read(const cJSON *item, int64_t now_ns, llmlab__score_t *score,
            const char **label)
{
    const struct {
        const char *name;
        size_t max;
        const char **out;
    } texts[] = {{"name", LLMLAB__LABEL_MAX, &score->name},
                 {"label", LLMLAB__NAME_MAX, label},
                 {"source", LLMLAB__LABEL_MAX, &score->source},
                 {"version", LLMLAB__LABEL_MAX, &score->version},
                 {"comment", LLMLAB__NAME_MAX, &score->comment}};
    uint64_t none = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(item->string, texts[i].name) == 0) {
            return text_read(item, texts[i].max, texts[i].out);
        }
    }
    if (strcmp(item->string, "id") == 0) {
        return id_read(item, &score->id);
    }
    if (strcmp(item->string, "trace_id") == 0) {
        return hex_read(item, 32, &score->trace_high, &score->trace_low);
    }
    if (strcmp(item->string, "span_id") == 0) {
        return cJSON_IsNull(item) ? NULL
                                  : hex_read(item, 16, &none, &score->span_id);
    }
    if (strcmp(item->string, "value") == 0) {
        return value_read(item, score);
    }
    return strcmp(item->string, "at") == 0
               ? at_read(item, now_ns, &score->at_ns)
               : "unknown";
}

static void
draft_read(const cJSON *object, int64_t now_ns, draft_t *draft)
{
    llmlab__score_t *score = &draft->score;
    const char *label = NULL;
    const cJSON *item;

    memset(draft, 0, sizeof(*draft));
    score->at_ns = now_ns;
    draft->field = "";
    draft->type = cJSON_IsObject(object) ? NULL : "type";
    if (draft->type == NULL) {
        cJSON_ArrayForEach(item, object)
        {
            draft->type = member_read(item, now_ns, score, &label);
            draft->field = item->string;
            if (draft->type != NULL) {
                return;
            }
        }
        draft->field =
            (score->trace_high | score->trace_low) == 0 ? "trace_id"
            : score->name == NULL                       ? "name"
            : !score->has_value && score->label == NULL && label == NULL
                ? "value"
                : "";
        draft->type = *draft->field != '\0' ? "missing" : NULL;
    }
    if (draft->type == NULL && label != NULL) {
        draft->field = "label";
        draft->type = score->label == NULL ? NULL : "conflict";
        score->label = label;
    }
    if (score->id == NULL) {
        llmlab__uuid7(draft->new_id);
        score->id = draft->new_id;
    }
}

static bool
is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A score of the same id: the same one sent again? */
static bool
on_earlier(void *payload, const llmlab__score_t *is)
{
    draft_t *draft = payload;
    llmlab__score_t *score = &draft->score;

    draft->duplicate =
        is->trace_high == score->trace_high &&
        is->trace_low == score->trace_low && is->span_id == score->span_id &&
        is->has_value == score->has_value &&
        memcmp(&is->value, &score->value, sizeof(is->value)) == 0 &&
        is_same_text(is->name, score->name) &&
        is_same_text(is->label, score->label) &&
        is_same_text(is->source, score->source) &&
        is_same_text(is->version, score->version) &&
        is_same_text(is->comment, score->comment);
    score->at_ns = is->at_ns;
    return true;
}

static llmlab_status_t
draft_add(llmlab__request_t *request, draft_t *draft)
{
    const llmlab__score_ops_t *ops = request->server->store->scores;
    int64_t project = request->project.id;
    llmlab_status_t status = ops->add(request->changer, project, &draft->score);

    if (status == LLMLAB_EUNSUPPORTED) {
        draft->field = "trace_id";
        draft->type = "deleted";
        return LLMLAB_OK;
    }
    if (status == LLMLAB_EINVAL) {
        status = ops->get(request->changer, project, draft->score.id,
                          on_earlier, draft);
        draft->field = "id";
        draft->type = draft->duplicate ? NULL : "conflict";
    }
    return status;
}

static void
one_create(llmlab__request_t *request)
{
    draft_t draft;

    draft_read(request->json, llmlab__clock_real_ns(), &draft);
    if (draft.type == NULL && draft_add(request, &draft) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot add a score");
        return;
    }
    if (draft.type == NULL) {
        llmlab__score_reply(request, draft.duplicate ? 200 : 201, &draft.score);
        llmlab__reply_header(request, "Location", "/v1/projects/%s/scores/%s",
                             request->project.uuid, draft.score.id);
    } else if (strcmp(draft.type, "missing") == 0) {
        llmlab__reply_refuse(request, 400, "missing-field",
                             "A field of the body is missing", draft.field,
                             "%s is needed", draft.field);
    } else if (strcmp(draft.type, "unknown") == 0) {
        llmlab__reply_refuse(request, 400, "unknown-field",
                             "A field of the body is not known", draft.field,
                             "%.64s is not known here", draft.field);
    } else if (strcmp(draft.type, "deleted") == 0) {
        llmlab__reply_refuse(request, 409, "trace-deleted",
                             "The trace was deleted", "trace_id",
                             "a deleted trace takes no scores");
    } else if (strcmp(draft.field, "id") == 0 &&
               strcmp(draft.type, "conflict") == 0) {
        llmlab__reply_refuse(request, 409, "score-exists",
                             "There is such a score already", "id",
                             "one of the same id says something else");
    } else {
        llmlab__reply_refuse(request, 400, "bad-field",
                             "A field of the body is wrong", draft.field,
                             "%s: %s", draft.field, draft.type);
    }
}

static void
rejection_write(llmlab__json_out_t *out, int64_t index, const draft_t *draft)
{
    llmlab__json_begin_object(out);
    llmlab__json_key(out, "index");
    llmlab__json_put_int(out, index);
    llmlab__json_key(out, "field");
    llmlab__json_put_text(out, draft->field);
    llmlab__json_key(out, "type");
    llmlab__json_put_text(out, draft->type);
    llmlab__json_end_object(out);
}

/* The ids in the order of the scores, null for refused ones; beside them the
 * refused ones are told. */
static bool
each_create(llmlab__request_t *request, const cJSON *scores,
            llmlab__json_out_t *ids, llmlab__json_out_t *rejected)
{
    int64_t now_ns = llmlab__clock_real_ns();
    int64_t counts[2] = {0, 0};
    int64_t index = 0;
    const cJSON *item;
    draft_t draft;

    llmlab__json_begin_object(ids);
    llmlab__json_key(ids, "ids");
    llmlab__json_begin_array(ids);
    cJSON_ArrayForEach(item, scores)
    {
        draft_read(item, now_ns, &draft);
        if (draft.type == NULL && draft_add(request, &draft) != LLMLAB_OK) {
            return llmlab__reply_failure(request, "cannot add a score");
        }
        if (draft.type != NULL) {
            llmlab__json_put_null(ids);
            rejection_write(rejected, index, &draft);
        } else {
            llmlab__json_put_text(ids, draft.score.id);
            counts[draft.duplicate]++;
        }
        index++;
    }
    llmlab__json_end_array(ids);
    llmlab__json_key(ids, "accepted");
    llmlab__json_put_int(ids, counts[0]);
    llmlab__json_key(ids, "duplicate");
    llmlab__json_put_int(ids, counts[1]);
    return true;
}

static void
many_create(llmlab__request_t *request, const cJSON *scores)
{
    int count = cJSON_IsArray(scores) ? cJSON_GetArraySize(scores) : 0;
    llmlab__json_out_t out;
    llmlab__json_out_t rejected;
    llmlab__buf_t buf;

    if (request->json->child->next != NULL || count < 1 || count > SCORES_MAX) {
        llmlab__reply_refuse(
            request, 400, "bad-field", "A field of the body is wrong", "scores",
            "scores: an array of 1 to %d alone is needed", SCORES_MAX);
        return;
    }
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&rejected, &buf);
    llmlab__json_begin_array(&rejected);
    llmlab__reply_json(request, &out);
    if (each_create(request, scores, &out, &rejected)) {
        llmlab__json_end_array(&rejected);
        llmlab__json_key(&out, "rejected");
        llmlab__json_put_raw(&out, (const char *)buf.data, buf.size);
        llmlab__json_end_object(&out);
        request->reply.body.failed |= buf.failed;
    }
    llmlab__buf_cleanup(&buf);
}

void
llmlab__api_scores_create(llmlab__request_t *request)
{
    const cJSON *scores = llmlab__json_dom_get(request->json, "scores");

    if (scores != NULL) {
        many_create(request, scores);
    } else {
        one_create(request);
    }
}
