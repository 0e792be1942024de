/* One reply by several models: what each run used. */
#include "usage/reader.h"

#define COUNT_MAX ((uint64_t)INT64_MAX)

static const struct {
    llmlab__slot_t slot;
    llmlab_usage_field_t field;
    bool is_cache;
} classes[] = {
    {LLMLAB__ITEM_IN, LLMLAB_USAGE_INPUT_TOKENS, false},
    {LLMLAB__ITEM_OUT, LLMLAB_USAGE_OUTPUT_TOKENS, false},
    {LLMLAB__ITEM_READ, LLMLAB_USAGE_CACHE_READ_TOKENS, true},
    {LLMLAB__ITEM_5M, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS, true},
    {LLMLAB__ITEM_1H, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS, true},
    {LLMLAB__ITEM_REASONING, LLMLAB_USAGE_REASONING_TOKENS, false},
};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static void
add_count(llmlab__facts_t *facts, llmlab_usage_t *usage,
          llmlab_usage_field_t field, uint64_t count)
{
    uint64_t sum = 0;

    (void)llmlab_usage_get(usage, field, &sum);
    if (count > COUNT_MAX - sum) {
        llmlab__fault(facts, LLMLAB_EOVERFLOW,
                      "a sum of counts is above 2^63 - 1", NULL);
        return;
    }
    llmlab_usage_set(usage, field, sum + count);
}

/* Where the next run is counted. There is no room for any number of models:
 * the last part then takes all, under a name that no price has. */
static llmlab_usage_part_t *
place_of(llmlab_reply_t *reply, const char *model)
{
    llmlab_usage_part_t *part = &reply->parts[reply->part_count];

    if (reply->part_count < LLMLAB_USAGE_PARTS) {
        reply->part_count++;
        memset(&part->usage, 0, sizeof(part->usage));
        llmlab__copy_text(part->model, sizeof(part->model), model);
        return part;
    }
    while (part-- > reply->parts) {
        if (llmlab__word_is(part->model, model)) {
            return part;
        }
    }
    part = &reply->parts[LLMLAB_USAGE_PARTS - 1];
    llmlab__copy_text(part->model, sizeof(part->model), "(several models)");
    return part;
}

void
llmlab__part_add(llmlab__facts_t *facts, bool cache_is_inside)
{
    llmlab_reply_t *reply = &facts->reply;
    llmlab_usage_part_t *part;
    bool has_any = false;
    uint64_t written = llmlab__get(facts, LLMLAB__ITEM_5M) +
                       llmlab__get(facts, LLMLAB__ITEM_1H);

    /* What is not split by its time to live lives five minutes. */
    if (llmlab__get(facts, LLMLAB__ITEM_WRITE) > written) {
        llmlab__add(facts, LLMLAB__ITEM_5M,
                    facts->count[LLMLAB__ITEM_WRITE] - written);
    }
    for (size_t i = 0; i < CLASSES; i++) {
        has_any |= llmlab__has(facts, classes[i].slot);
    }
    if (!has_any) {
        return;
    }
    part = place_of(reply, facts->item_model);
    for (size_t i = 0; i < CLASSES; i++) {
        if (!llmlab__has(facts, classes[i].slot)) {
            continue;
        }
        add_count(facts, &part->usage, classes[i].field,
                  facts->count[classes[i].slot]);
        if (classes[i].is_cache && !cache_is_inside) {
            add_count(facts, &part->usage, LLMLAB_USAGE_INPUT_TOKENS,
                      facts->count[classes[i].slot]);
        }
    }
    if (llmlab__word_is(facts->item_type, "message") &&
        llmlab__get(facts, LLMLAB__ITEM_OUT) == 0) {
        facts->silent_parts |= UINT32_C(1) << (part - reply->parts);
    }
}

void
llmlab__parts_clear(llmlab__facts_t *facts)
{
    facts->reply.part_count = 0;
    facts->silent_parts = 0;
    facts->has_fallback = false;
}

void
llmlab__parts_finish(llmlab__facts_t *facts)
{
    llmlab_reply_t *reply = &facts->reply;
    unsigned kept = 0;

    if (reply->usage.present == 0) {
        reply->part_count = 0;
    }
    for (unsigned i = 0; i < reply->part_count; i++) {
        /* Who declined before a word was said is not paid. */
        if (facts->has_fallback && (facts->silent_parts >> i & 1) != 0) {
            continue;
        }
        if (kept != i) {
            reply->parts[kept] = reply->parts[i];
        }
        kept++;
    }
    reply->part_count = kept;
    if (kept == 1 && (reply->parts[0].model[0] == '\0' ||
                      llmlab__word_is(reply->parts[0].model, reply->model))) {
        reply->part_count = 0;
    }
}
