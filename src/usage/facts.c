/* Small things that the formats share. */
#include "usage/reader.h"

#define COUNT_MAX ((uint64_t)INT64_MAX)

void
llmlab__fault(llmlab__facts_t *facts, llmlab_status_t status, const char *text,
              const char *key)
{
    if (facts->fault.status == LLMLAB_OK) {
        facts->fault.status = status;
        facts->fault.text = text;
        facts->fault.key = key;
        facts->fault.offset = UINT64_MAX;
    }
}

void
llmlab__add(llmlab__facts_t *facts, llmlab__slot_t slot, uint64_t count)
{
    uint64_t sum = llmlab__get(facts, slot);

    if (count > COUNT_MAX - sum) {
        llmlab__fault(facts, LLMLAB_EOVERFLOW,
                      "a sum of counts is above 2^63 - 1", NULL);
        return;
    }
    llmlab__put(facts, slot, sum + count);
}

bool
llmlab__give(llmlab__facts_t *facts, llmlab_usage_field_t field,
             llmlab__slot_t slot)
{

    if (!llmlab__has(facts, slot)) {
        return false;
    }
    llmlab_usage_set(&facts->reply.usage, field, facts->count[slot]);
    return true;
}

void
llmlab__give_sum(llmlab__facts_t *facts, llmlab_usage_field_t field, uint64_t a,
                 uint64_t b, uint64_t c)
{
    if (a > COUNT_MAX || b > COUNT_MAX - a || c > COUNT_MAX - a - b) {
        llmlab__fault(facts, LLMLAB_EOVERFLOW, "the sum is above 2^63 - 1",
                      llmlab_usage_field_name(field));
        return;
    }
    llmlab_usage_set(&facts->reply.usage, field, a + b + c);
}

void
llmlab__copy_word(char *out, size_t capacity, const llmlab__json_text_t *text)
{
    if (!text->escaped && text->size < capacity) {
        memcpy(out, text->data, text->size);
        out[text->size] = '\0';
    } else {
        (void)llmlab__json_unescape(text, out, capacity);
    }
}

void
llmlab__copy_text(char *out, size_t capacity, const char *text)
{
    llmlab__json_text_t word = {text, strlen(text), false};

    if (word.size >= capacity) {
        word.size = capacity - 1;
    }
    llmlab__copy_word(out, capacity, &word);
}

bool
llmlab__word_is(const char *word, const char *literal)
{
    return strcmp(word, literal) == 0;
}

bool
llmlab__read_money(llmlab__facts_t *facts, uint64_t out[2],
                   llmlab__json_type_t type, const llmlab__json_text_t *text,
                   const char *key)
{
    llmlab_money_t money;
    llmlab_status_t status;

    if (type == LLMLAB__JSON_NULL) {
        return false;
    }
    if ((type != LLMLAB__JSON_NUMBER && type != LLMLAB__JSON_STRING) ||
        text->escaped) {
        llmlab__fault(facts, LLMLAB_EPARSE, "not an amount", key);
        return false;
    }
    status = llmlab_money_parse(&money, text->data, text->size, NULL);
    if (status == LLMLAB_EOVERFLOW) {
        llmlab__fault(facts, status, "the amount is too large", key);
        return false;
    }
    if (status != LLMLAB_OK) {
        llmlab__fault(facts, LLMLAB_EPARSE, "not an amount", key);
        return false;
    }
    out[0] = money.low;
    out[1] = money.high;
    return true;
}

void
llmlab__count_tool(llmlab__facts_t *facts, int calls)
{
    llmlab_reply_t *reply = &facts->reply;

    if (reply->tool_calls < 0) {
        reply->tool_calls = 0;
    }
    if (reply->tool_calls <= INT32_MAX - calls) {
        reply->tool_calls += calls;
    }
}

void
llmlab__item_begin(llmlab__facts_t *facts)
{
    facts->present &= (UINT64_C(1) << LLMLAB__ITEM_IN) - 1;
    facts->item_type[0] = '\0';
    facts->item_name[0] = '\0';
    facts->item_status[0] = '\0';
    facts->item_model[0] = '\0';
}

void
llmlab__on_stop(llmlab__reader_t *reader, llmlab__moment_t moment,
                llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab_reply_t *reply = &reader->facts.reply;

    (void)moment;
    if (type == LLMLAB__JSON_STRING && text->size > 0) {
        llmlab__copy_word(reply->finish_reason, sizeof(reply->finish_reason),
                          text);
        reader->facts.stopped = true;
    }
}

void
llmlab__on_several(llmlab__reader_t *reader, llmlab__moment_t moment,
                   llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN || moment == LLMLAB__CLOSE) {
        reader->facts.adding = moment == LLMLAB__OPEN;
    }
}

void
llmlab__on_created(llmlab__reader_t *reader, llmlab__moment_t moment,
                   llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    const int64_t latest_s = INT64_MAX / 1000000000;
    int64_t seconds;

    (void)moment;
    /* Some write a date instead, which no price needs: unknown. */
    if (type == LLMLAB__JSON_NUMBER && llmlab__json_int(text, &seconds) == 0 &&
        seconds > 0 && seconds <= latest_s) {
        reader->facts.reply.created_ns = seconds * 1000000000;
    }
}

/* --- errors -------------------------------------------------------------- */

const llmlab__node_t llmlab__error_nodes[] = {
    LLMLAB__WORD("type", ERROR_TYPE),
    LLMLAB__WORD("status", ERROR_TYPE),
    LLMLAB__WORD("code", ERROR_CODE),
    LLMLAB__NODES_END,
};

/* An object, or a bare message; false and "" are none. */
void
llmlab__on_error(llmlab__reader_t *reader, llmlab__moment_t moment,
                 llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    if (moment == LLMLAB__OPEN ||
        (moment == LLMLAB__VALUE && text->size > 0 &&
         (type == LLMLAB__JSON_STRING || type == LLMLAB__JSON_TRUE))) {
        reader->facts.reply.is_error = 1;
    }
}

void
llmlab__on_bare_message(llmlab__reader_t *reader, llmlab__moment_t moment,
                        llmlab__json_type_t type,
                        const llmlab__json_text_t *text)
{
    (void)moment;
    (void)text;
    if (type == LLMLAB__JSON_STRING) {
        reader->facts.reply.is_error = 1;
    }
}
