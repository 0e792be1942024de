#include "bind/report.h"

#include <string.h>

#include "base/u128.h"
#include "bind/text.h"

static void
put_money(llmlab__json_out_t *out, llmlab_money_t amount)
{
    char text[LLMLAB_MONEY_TEXT];

    llmlab__json_put_string(out, text, llmlab_money_format(amount, text));
}

/* "" and NULL are null. */
static void
put_text_or_null(llmlab__json_out_t *out, const char *text)
{
    llmlab__json_put_text(out, text == NULL || text[0] == '\0' ? NULL : text);
}

static void
put_count(llmlab__json_out_t *out, llmlab_usage_field_t field, uint64_t count)
{
    char text[LLMLAB_MONEY_TEXT];
    size_t size;

    if (field != LLMLAB_USAGE_AUDIO_SECONDS &&
        field != LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS) {
        llmlab__json_put_uint(out, count);
        return;
    }
    /* Micro-seconds as a decimal of seconds: money's own formatting. */
    size = llmlab_money_format(
        llmlab__money_of((llmlab__u128_t)count * 1000000000), text);
    llmlab__json_put_raw(out, text, size);
}

static void
put_usage(llmlab__json_out_t *out, const llmlab_usage_t *usage)
{
    int field;

    llmlab__json_begin_object(out);
    for (field = 0; field < LLMLAB_USAGE_FIELDS; field++) {
        const char *name = llmlab_usage_field_name((llmlab_usage_field_t)field);
        uint64_t count;

        if (llmlab_usage_get(usage, (llmlab_usage_field_t)field, &count)) {
            llmlab__json_key_n(out, name, strlen(name));
            put_count(out, (llmlab_usage_field_t)field, count);
        }
    }
    llmlab__json_end_object(out);
}

static void
put_parts(llmlab__json_out_t *out, const llmlab_cost_t *cost)
{
    int part;

    llmlab__json_begin_object(out);
    for (part = 0; part < LLMLAB_COST_PARTS; part++) {
        const char *name = llmlab_cost_part_name((llmlab_cost_part_t)part);

        if ((cost->parts_present >> part & 1) != 0) {
            llmlab__json_key_n(out, name, strlen(name));
            put_money(out, cost->parts[part]);
        }
    }
    llmlab__json_end_object(out);
}

static void
put_flags(llmlab__json_out_t *out, uint32_t flags)
{
    static const char *const names[] = {"estimated",  "clamped", "off_peak",
                                        "multiplied", "batch",   "custom",
                                        "no_usage",   "retired"};
    size_t i;

    llmlab__json_begin_array(out);
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        if ((flags >> i & 1) != 0) {
            llmlab__json_put_text(out, names[i]);
        }
    }
    llmlab__json_end_array(out);
}

/* The members that tell a cost. */
static void
put_cost(llmlab__json_out_t *out, const llmlab_cost_t *cost)
{
    llmlab__json_key(out, "cost_usd");
    if (cost->priced == LLMLAB_UNPRICED) {
        llmlab__json_put_null(out);
    } else {
        put_money(out, cost->amount);
    }
    llmlab__json_key(out, "match");
    llmlab__json_put_text(out, llmlab_match_name(cost->match));
    llmlab__json_key(out, "pricing");
    llmlab__json_put_text(out, llmlab_priced_name(cost->priced));
    llmlab__json_key(out, "parts");
    put_parts(out, cost);
    llmlab__json_key(out, "key");
    put_text_or_null(out, cost->key);
    llmlab__json_key(out, "table");
    put_text_or_null(out, cost->table);
    llmlab__json_key(out, "tier");
    put_text_or_null(out, cost->tier);
    llmlab__json_key(out, "flags");
    put_flags(out, cost->flags);
}

llmlab_bind_text_t
llmlab__report_cost(const llmlab_cost_t *cost)
{
    llmlab__json_out_t out;
    llmlab__buf_t buf;

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    put_cost(&out, cost);
    llmlab__json_end_object(&out);
    return llmlab__text_of(&buf);
}

/* The names and flags that a reply states. */
static void
put_facts(llmlab__json_out_t *out, const llmlab_reply_t *reply)
{
    llmlab__json_key(out, "provider");
    put_text_or_null(out, reply->provider);
    llmlab__json_key(out, "api");
    put_text_or_null(out, reply->api);
    llmlab__json_key(out, "model");
    put_text_or_null(out, reply->model);
    llmlab__json_key(out, "response_id");
    put_text_or_null(out, reply->response_id);
    llmlab__json_key(out, "finish_reason");
    put_text_or_null(out, reply->finish_reason);
    llmlab__json_key(out, "service_tier");
    put_text_or_null(out, reply->service_tier);
    llmlab__json_key(out, "speed");
    put_text_or_null(out, reply->speed);
    llmlab__json_key(out, "region");
    put_text_or_null(out, reply->region);
    llmlab__json_key(out, "complete");
    llmlab__json_put_bool(out, reply->complete != 0);
    llmlab__json_key(out, "stream");
    llmlab__json_put_bool(out, reply->is_stream != 0);
    llmlab__json_key(out, "tool_calls");
    if (reply->tool_calls < 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_int(out, reply->tool_calls);
    }
    llmlab__json_key(out, "error");
    if (reply->is_error) {
        llmlab__json_begin_object(out);
        llmlab__json_key(out, "type");
        put_text_or_null(out, reply->error_type);
        llmlab__json_key(out, "code");
        put_text_or_null(out, reply->error_code);
        llmlab__json_end_object(out);
    } else {
        llmlab__json_put_null(out);
    }
}

static void
put_stated_cost(llmlab__json_out_t *out, const llmlab_reply_t *reply)
{
    const llmlab_money_t stated = {reply->provider_cost[0],
                                   reply->provider_cost[1]};
    const llmlab_money_t upstream = {reply->upstream_cost[0],
                                     reply->upstream_cost[1]};

    llmlab__json_key(out, "provider_cost_usd");
    if (reply->has_provider_cost) {
        put_money(out, stated);
    } else {
        llmlab__json_put_null(out);
    }
    if (reply->has_upstream_cost) {
        llmlab__json_key(out, "upstream_cost_usd");
        put_money(out, upstream);
    }
    if (reply->is_byok) {
        llmlab__json_key(out, "byok");
        llmlab__json_put_bool(out, true);
    }
}

static const char *
first_of(const char *stated, const char *fallback)
{
    return stated[0] != '\0' ? stated : fallback;
}

static void
price(llmlab_cost_t *cost, const llmlab_reply_t *reply,
      const llmlab_call_facts_t *base)
{
    llmlab_call_facts_t facts;

    llmlab_call_facts_init(&facts);
    if (base != NULL) {
        facts = *base;
    }
    facts.provider = first_of(reply->provider, facts.provider);
    facts.model = first_of(reply->model, facts.model);
    facts.service_tier = first_of(reply->service_tier, facts.service_tier);
    facts.speed = first_of(reply->speed, facts.speed);
    facts.region = first_of(reply->region, facts.region);
    facts.search_context =
        first_of(reply->search_context, facts.search_context);
    if (facts.time_ns == 0) {
        facts.time_ns = reply->created_ns;
    }
    facts.usage = &reply->usage;
    facts.batch = reply->is_batch;
    facts.parts = reply->parts;
    facts.part_count = reply->part_count;
    llmlab_cost_compute(cost, NULL, &facts);
}

static void
put_reading(llmlab__json_out_t *out, llmlab_status_t read)
{
    llmlab__json_key(out, "status");
    llmlab__json_put_text(out, llmlab_status_name(read));
    if (read != LLMLAB_OK) {
        llmlab__json_key(out, "detail");
        llmlab__json_put_text(out, llmlab_status_detail());
    }
}

llmlab_bind_text_t
llmlab__report_reply(const llmlab_reply_t *reply, llmlab_status_t read,
                     const llmlab_call_facts_t *base)
{
    static const char *const sources[] = {"none", "provider", "estimated"};
    llmlab_cost_t cost;
    llmlab__json_out_t out;
    llmlab__buf_t buf;

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    put_reading(&out, read); /* before pricing sets another detail */
    put_facts(&out, reply);
    llmlab__json_key(&out, "usage");
    put_usage(&out, &reply->usage);
    llmlab__json_key(&out, "usage_source");
    llmlab__json_put_text(&out, sources[(unsigned)reply->usage_source % 3]);
    put_stated_cost(&out, reply);
    price(&cost, reply, base);
    put_cost(&out, &cost);
    llmlab__json_end_object(&out);
    return llmlab__text_of(&buf);
}
