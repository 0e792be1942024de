/* Until the rooms usage and pricing are there: one model, one reply form. */
#include <stdlib.h>
#include <string.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#define WEAK __attribute__((weak))

WEAK void
llmlab_usage_init(llmlab_usage_t *usage)
{
    usage->present = 0;
}

WEAK void
llmlab_usage_set(llmlab_usage_t *usage, llmlab_usage_field_t field,
                 uint64_t count)
{
    usage->present |= UINT64_C(1) << field;
    usage->count[field] = count;
}

WEAK int
llmlab_usage_get(const llmlab_usage_t *usage, llmlab_usage_field_t field,
                 uint64_t *out)
{
    if (usage == NULL || (usage->present >> field & 1) == 0) {
        return 0;
    }
    *out = usage->count[field];
    return 1;
}

static uint64_t
number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

WEAK llmlab_status_t
llmlab_usage_read(llmlab_reply_t *out, const char *provider, const char *api,
                  const void *body, size_t size)
{
    char text[4096];

    memset(out, 0, sizeof(*out));
    if (body == NULL && size > 0) {
        return LLMLAB_EINVAL;
    }
    size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    memcpy(text, body, size);
    text[size] = '\0';
    if (size == 0 || text[0] != '{') {
        return LLMLAB_EPARSE;
    }
    strncpy(out->provider, provider, sizeof(out->provider) - 1);
    strncpy(out->api, api, sizeof(out->api) - 1);
    if (strstr(text, "\"error\"") != NULL) {
        out->is_error = 1;
        strcpy(out->error_type, "rate_limit_error");
        return LLMLAB_ENOUSAGE;
    }
    strcpy(out->model, strstr(text, "gpt-4o-mini") != NULL
                           ? "gpt-4o-mini-2024-07-18"
                           : "no-such-model");
    strcpy(out->response_id, "chatcmpl-1");
    strcpy(out->finish_reason, "stop");
    out->complete = 1;
    out->usage_source = LLMLAB_USAGE_PROVIDER;
    llmlab_usage_set(&out->usage, LLMLAB_USAGE_INPUT_TOKENS,
                     number_after(text, "\"prompt_tokens\":"));
    llmlab_usage_set(&out->usage, LLMLAB_USAGE_OUTPUT_TOKENS,
                     number_after(text, "\"completion_tokens\":"));
    return LLMLAB_OK;
}

WEAK void
llmlab_call_facts_init(llmlab_call_facts_t *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->struct_size = sizeof(*facts);
}

WEAK llmlab_status_t
llmlab_cost_compute(llmlab_cost_t *out, const llmlab_price_book_t *book,
                    const llmlab_call_facts_t *facts)
{
    uint64_t input = 0;
    uint64_t output = 0;

    (void)book;
    memset(out, 0, sizeof(*out));
    if (facts->usage == NULL || facts->usage->present == 0) {
        return LLMLAB_ENOUSAGE;
    }
    if (facts->model == NULL || strncmp(facts->model, "gpt-4o-mini", 11) != 0) {
        return LLMLAB_EUNPRICED;
    }
    llmlab_usage_get(facts->usage, LLMLAB_USAGE_INPUT_TOKENS, &input);
    llmlab_usage_get(facts->usage, LLMLAB_USAGE_OUTPUT_TOKENS, &output);
    out->amount.low = input * 150000000 + output * 600000000;
    out->match = LLMLAB_MATCH_EXACT;
    out->priced = LLMLAB_PRICED;
    out->key = "gpt-4o-mini-2024-07-18";
    out->table = "2026-08-21";
    return LLMLAB_OK;
}
