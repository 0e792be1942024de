#include "cli/vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/money.h"
#include "cli/times.h"

#define DEPTH_MAX      32
#define COUNT_MAX      ((uint64_t)INT64_MAX)
#define FEMTO_TO_MICRO (-9) /* a second is a million microseconds */

/* A number as a count of whole units. */
static bool
read_count(const char *number, uint64_t *out)
{
    llmlab__json_text_t text = {number, strlen(number), false};

    return llmlab__json_count(&text, out) == 0;
}

/* A number of seconds as microseconds; finer digits are refused. */
static bool
read_seconds(const char *number, uint64_t *out)
{
    llmlab_money_t micro;
    int inexact = 0;

    if (llmlab__money_parse_scaled(&micro, number, strlen(number),
                                   FEMTO_TO_MICRO, &inexact) != LLMLAB_OK ||
        inexact || micro.high != 0 || micro.low > COUNT_MAX) {
        return false;
    }
    *out = micro.low;
    return true;
}

/* Bedrock names the policies in its own way. */
static bool
read_guardrails(llmlab_usage_t *out, const cJSON *object,
                const char **out_field)
{
    static const struct {
        const char *name;
        llmlab_usage_field_t field;
    } policies[] = {
        {"contentPolicyUnits", LLMLAB_USAGE_GUARDRAIL_CONTENT},
        {"contentPolicyImageUnits", LLMLAB_USAGE_GUARDRAIL_CONTENT_IMAGE},
        {"topicPolicyUnits", LLMLAB_USAGE_GUARDRAIL_TOPIC},
        {"wordPolicyUnits", LLMLAB_USAGE_GUARDRAIL_WORD},
        {"sensitiveInformationPolicyUnits", LLMLAB_USAGE_GUARDRAIL_SENSITIVE},
        {"sensitiveInformationPolicyFreeUnits",
         LLMLAB_USAGE_GUARDRAIL_SENSITIVE_FREE},
        {"contextualGroundingPolicyUnits", LLMLAB_USAGE_GUARDRAIL_GROUNDING},
        {"automatedReasoningPolicyUnits", LLMLAB_USAGE_GUARDRAIL_REASONING},
    };
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        const char *number = llmlab__json_dom_number(item);
        uint64_t count;
        size_t i;

        for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
            if (strcmp(policies[i].name, item->string) == 0) {
                break;
            }
        }
        if (i == sizeof(policies) / sizeof(policies[0]) || number == NULL ||
            !read_count(number, &count)) {
            *out_field = item->string;
            return false;
        }
        llmlab_usage_set(out, policies[i].field, count);
    }
    return true;
}

bool
cli_usage_read(llmlab_usage_t *out, const cJSON *object, const char **out_field)
{
    const cJSON *item;

    llmlab_usage_init(out);
    cJSON_ArrayForEach(item, object)
    {
        llmlab_usage_field_t field =
            llmlab_usage_field_find(item->string, strlen(item->string));
        const char *number = llmlab__json_dom_number(item);
        bool is_seconds = field == LLMLAB_USAGE_AUDIO_SECONDS ||
                          field == LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS;
        uint64_t count;

        if (field == LLMLAB_USAGE_FIELDS || cJSON_IsNull(item)) {
            continue;
        }
        if (field == LLMLAB_USAGE_GUARDRAIL_UNITS && cJSON_IsObject(item)) {
            if (!read_guardrails(out, item, out_field)) {
                return false;
            }
            continue;
        }
        if (number == NULL || !(is_seconds ? read_seconds(number, &count)
                                           : read_count(number, &count))) {
            *out_field = item->string;
            return false;
        }
        llmlab_usage_set(out, field, count);
    }
    return true;
}

static const char *
text_of(const cli_vector_t *vector, const char *name)
{
    return llmlab__json_dom_string(llmlab__json_dom_get(vector->root, name));
}

static void
fault(cli_vector_t *vector, const char *field, const char *what)
{
    if (vector->fault == NULL) {
        snprintf(vector->fault_text, sizeof(vector->fault_text), "%s: %s",
                 field, what);
        vector->fault = vector->fault_text;
    }
}

/* An inline row: a price file of one model, whose key the call names. */
static void
read_pricing(cli_vector_t *vector, const cJSON *pricing)
{
    cJSON *file = cJSON_CreateObject();
    cJSON *row = cJSON_Duplicate(pricing, true);
    char *text = NULL;

    if (file != NULL && row != NULL) {
        if (vector->facts.provider != NULL &&
            llmlab__json_dom_get(row, "litellm_provider") == NULL) {
            cJSON_AddStringToObject(row, "litellm_provider",
                                    vector->facts.provider);
        }
        if (cJSON_AddItemToObject(file, vector->facts.model, row)) {
            row = NULL;
            text = cJSON_PrintUnformatted(file);
        }
    }
    if (text == NULL || llmlab_price_book_parse(&vector->inline_book, text,
                                                strlen(text)) != LLMLAB_OK) {
        fault(vector, "pricing",
              text != NULL ? llmlab_status_detail() : "out of memory");
    }
    cJSON_free(text);
    cJSON_Delete(row);
    cJSON_Delete(file);
}

static void
read_facts(cli_vector_t *vector)
{
    static const char *const regions[] = {"data_residency", "vertex_location",
                                          "inference_geo", "region"};
    llmlab_call_facts_t *facts = &vector->facts;
    const char *at = text_of(vector, "at_utc");
    const cJSON *pricing = llmlab__json_dom_get(vector->root, "pricing");
    size_t i;

    llmlab_call_facts_init(facts);
    facts->usage = &vector->usage;
    facts->provider = text_of(vector, "provider");
    facts->model = text_of(vector, "model");
    facts->service_tier = text_of(vector, "service_tier");
    facts->speed = text_of(vector, "speed");
    facts->search_context = text_of(vector, "search_context_size");
    facts->batch = cJSON_IsTrue(llmlab__json_dom_get(vector->root, "batch"));
    for (i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        if (facts->region == NULL) {
            facts->region = text_of(vector, regions[i]);
        }
    }
    if (facts->model == NULL) {
        fault(vector, "model", "is missing or no text");
        return;
    }
    /* A row that names its price table names a key of it, not a model as its
     * provider calls it. */
    if (text_of(vector, "table") != NULL || cJSON_IsObject(pricing)) {
        facts->key = facts->model;
    }
    if (at != NULL && !cli_time_parse(at, strlen(at), &facts->time_ns)) {
        fault(vector, "at_utc", "is no time");
    }
    if (cJSON_IsObject(pricing)) {
        read_pricing(vector, pricing);
    }
}

bool
cli_vector_read(cli_vector_t *out, const char *line, size_t size)
{
    const char *field = NULL;

    memset(out, 0, sizeof(*out));
    if (llmlab__json_dom_parse(&out->root, line, size, DEPTH_MAX) !=
        LLMLAB_OK) {
        return false;
    }
    read_facts(out);
    if (!cli_usage_read(&out->usage, llmlab__json_dom_get(out->root, "usage"),
                        &field)) {
        fault(out, field, "is no number of 0 or more");
    }
    return true;
}

void
cli_vector_cleanup(cli_vector_t *vector)
{
    llmlab_price_book_destroy(vector->inline_book);
    cJSON_Delete(vector->root);
    memset(vector, 0, sizeof(*vector));
}
