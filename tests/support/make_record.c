#include "support/make_record.h"

#include <string.h>

void
make_record(made_record_t *made, llmlab__record_type_t type, uint64_t trace,
            uint64_t span)
{
    llmlab__record_t *record = made_head(made);

    memset(record, 0, sizeof(*record));
    record->size = sizeof(*record);
    record->version = LLMLAB__RECORD_VERSION;
    record->type = (uint8_t)type;
    record->outcome = LLMLAB_SUCCESS;
    record->trace_id[0] = 1;
    record->trace_id[1] = trace;
    record->span_id = span;
    record->start_ns = INT64_C(1787000000123456789);
    record->end_ns = record->start_ns + 1000000;
    record->flags = LLMLAB__RECORD_REAL_TIME;
}

void
make_item(made_record_t *made, llmlab__item_type_t type, const char *key,
          const void *value, size_t size)
{
    llmlab__record_t *record = made_head(made);
    llmlab__item_t item = {(uint8_t)type,
                           (uint8_t)(key == NULL ? 0 : strlen(key)),
                           (uint16_t)size};
    unsigned char *at = made->bytes + sizeof(*record) + record->items;
    uint32_t room = (uint32_t)(sizeof(item) + item.key_size + size + 3) & ~3u;

    memset(at, 0, room + 8);
    memcpy(at, &item, sizeof(item));
    if (key != NULL) {
        memcpy(at + sizeof(item), key, item.key_size);
    }
    memcpy(at + sizeof(item) + item.key_size, value, size);
    record->items += room;
    record->size = ((uint32_t)sizeof(*record) + record->items + 7) & ~7u;
}

void
make_text(made_record_t *made, llmlab__item_type_t type, const char *text)
{
    make_item(made, type, NULL, text, strlen(text));
}

void
make_usage(made_record_t *made, const llmlab_usage_t *usage)
{
    uint64_t value[1 + LLMLAB_USAGE_CAPACITY] = {usage->present};
    size_t count = 1;

    for (int i = 0; i < LLMLAB_USAGE_CAPACITY; i++) {
        if ((usage->present >> i & 1) != 0) {
            value[count++] = usage->count[i];
        }
    }
    make_item(made, LLMLAB__ITEM_USAGE, NULL, value, count * sizeof(value[0]));
}

/* By hand: the tests of other rooms must not need the usage room. */
static void
state_count(llmlab_usage_t *usage, llmlab_usage_field_t field, uint64_t count)
{
    usage->present |= UINT64_C(1) << field;
    usage->count[field] = count;
}

void
make_call(made_record_t *made, uint64_t trace, uint64_t span)
{
    llmlab__record_t *record = made_head(made);
    llmlab_usage_t usage = {0};

    make_record(made, LLMLAB__RECORD_SPAN, trace, span);
    record->kind = LLMLAB_SPAN_LLM;
    record->flags |= LLMLAB__RECORD_CALL | LLMLAB__RECORD_USAGE_COMPLETE |
                     LLMLAB__RECORD_STREAM;
    record->attempt = 1;
    record->parent_id = 1;
    record->end_ns = record->start_ns + 812400000;
    record->ttft_ns = 210000000;
    record->match = LLMLAB_MATCH_EXACT;
    record->priced = LLMLAB_PRICED;
    record->usage_source = LLMLAB_USAGE_PROVIDER;
    record->cost_source = LLMLAB_COST_COMPUTED;
    record->cost[0] = 118200000000;
    make_text(made, LLMLAB__ITEM_NAME, "answer");
    make_text(made, LLMLAB__ITEM_AGENT, "answer_question");
    make_text(made, LLMLAB__ITEM_USER, "user-17");
    make_text(made, LLMLAB__ITEM_PROVIDER, "openai");
    make_text(made, LLMLAB__ITEM_API, "chat_completions");
    make_text(made, LLMLAB__ITEM_MODEL, "gpt-4o-mini-2024-07-18");
    make_text(made, LLMLAB__ITEM_RESPONSE_ID, "chatcmpl-AbCdEf0123456789");
    make_text(made, LLMLAB__ITEM_FINISH_REASON, "stop");
    make_text(made, LLMLAB__ITEM_PRICE_KEY, "gpt-4o-mini-2024-07-18");
    make_text(made, LLMLAB__ITEM_PRICE_TABLE, "2026-08-21");
    state_count(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1200 + span % 777);
    state_count(&usage, LLMLAB_USAGE_CACHE_READ_TOKENS, 1024);
    state_count(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80 + span % 99);
    make_usage(made, &usage);
}
