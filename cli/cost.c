/* llmlab cost: price calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/put.h"
#include "cli/times.h"
#include "cli/vector.h"

static const cli_option_t options[] = {
    {"jsonl", NULL, "read calls as JSON lines, write costs as JSON lines", 0},
    {"prices", "FILE", "your own prices, over the built-in table", 0},
    {"model", "NAME", "the model", 'm'},
    {"provider", "NAME", "who serves it", 'p'},
    {"input", "N", "input tokens, those of the cache included", 'i'},
    {"output", "N", "output tokens, reasoning included", 'o'},
    {"cache-read", "N", "input tokens read from the cache", 0},
    {"cache-write", "N", "input tokens written to the cache", 0},
    {"cache-write-1h", "N", "those of them kept for an hour", 0},
    {"reasoning", "N", "output tokens that were reasoning", 0},
    {"searches", "N", "web searches", 0},
    {"tier", "NAME", "the service tier served: priority, flex", 0},
    {"region", "NAME", "data residency, inference geo or location", 0},
    {"speed", "NAME", "fast", 0},
    {"batch", NULL, "a batch request", 0},
    {"at", "TIME", "when the call was made; the table's date if not given", 0},
    {0}};

static void
put_parts(llmlab__json_out_t *json, const llmlab_cost_t *cost, bool priced)
{
    unsigned i;

    llmlab__json_begin_object(json);
    for (i = 0; i < LLMLAB_COST_PARTS && priced; i++) {
        const char *name = llmlab_cost_part_name((llmlab_cost_part_t)i);

        if ((cost->parts_present >> i & 1) != 0) {
            llmlab__json_key_n(json, name, strlen(name));
            cli_put_money(json, true, cost->parts[i]);
        }
    }
    llmlab__json_end_object(json);
}

static void
print_cost(llmlab__buf_t *buf, const cJSON *root, const llmlab_cost_t *cost,
           bool priced, const char *fault)
{
    llmlab__json_out_t json;

    llmlab__buf_clear(buf);
    llmlab__json_out_init(&json, buf);
    llmlab__json_begin_object(&json);
    cli_put_id(&json, root);
    llmlab__json_key(&json, "cost_usd");
    cli_put_money(&json, priced, cost->amount);
    llmlab__json_key(&json, "match");
    llmlab__json_put_text(&json, llmlab_match_name(cost->match));
    llmlab__json_key(&json, "pricing");
    llmlab__json_put_text(&json, llmlab_priced_name(cost->priced));
    llmlab__json_key(&json, "parts");
    put_parts(&json, cost, priced);
    llmlab__json_key(&json, "key");
    llmlab__json_put_text(&json, cost->key);
    llmlab__json_key(&json, "table");
    llmlab__json_put_text(&json, cost->table);
    cli_put_fault(&json, fault);
    llmlab__json_end_object(&json);
    (void)cli_put_line(buf);
}

static void
price_line(cli_jsonl_t *lines, llmlab__buf_t *buf, const char *line,
           size_t size, const void *context)
{
    const llmlab_price_book_t *book = context;
    llmlab_cost_t cost;
    llmlab_status_t status = LLMLAB_EINVAL;
    cli_vector_t vector;

    memset(&cost, 0, sizeof(cost));
    cost.table = llmlab_pricing_version();
    if (!cli_vector_read(&vector, line, size)) {
        vector.fault = cli_jsonl_parse_fault();
    }
    if (vector.fault == NULL) {
        status = llmlab_cost_compute(
            &cost, vector.inline_book ? vector.inline_book : book,
            &vector.facts);
        if (cost.match == LLMLAB_MATCH_UNKNOWN && vector.facts.key != NULL) {
            vector.facts.key = NULL; /* no key: then a name */
            status = llmlab_cost_compute(&cost, book, &vector.facts);
        }
        if (status == LLMLAB_EOVERFLOW) {
            vector.fault = llmlab_status_detail();
        }
    }
    print_cost(buf, vector.root, &cost, status == LLMLAB_OK, vector.fault);
    if (vector.fault != NULL) {
        cli_jsonl_bad(lines, "%s", vector.fault);
    }
    cli_vector_cleanup(&vector);
}

/* The counts that stand as options; false after a line on stderr. */
static bool
read_counts(const cli_args_t *args, llmlab_usage_t *usage)
{
    static const struct {
        const char *option;
        llmlab_usage_field_t field;
    } counts[] = {
        {"input", LLMLAB_USAGE_INPUT_TOKENS},
        {"output", LLMLAB_USAGE_OUTPUT_TOKENS},
        {"cache-read", LLMLAB_USAGE_CACHE_READ_TOKENS},
        {"cache-write", LLMLAB_USAGE_CACHE_WRITE_TOKENS},
        {"reasoning", LLMLAB_USAGE_REASONING_TOKENS},
        {"searches", LLMLAB_USAGE_WEB_SEARCH_REQUESTS},
    };
    int64_t write_1h;
    int64_t count;
    size_t i;

    llmlab_usage_init(usage);
    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (!cli_args_int(args, counts[i].option, 0, INT64_MAX, -1, &count)) {
            return false;
        }
        if (count >= 0) {
            llmlab_usage_set(usage, counts[i].field, (uint64_t)count);
        }
    }
    if (!cli_args_int(args, "cache-write", 0, INT64_MAX, 0, &count) ||
        !cli_args_int(args, "cache-write-1h", 0, INT64_MAX, -1, &write_1h)) {
        return false;
    }
    if (write_1h >= 0) {
        uint64_t rest = count > write_1h ? (uint64_t)(count - write_1h) : 0;

        llmlab_usage_set(usage, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS,
                         (uint64_t)write_1h);
        llmlab_usage_set(usage, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS, rest);
    }
    return true;
}

static void
tell_cost(const llmlab_cost_t *cost)
{
    char text[LLMLAB_MONEY_TEXT];
    unsigned i;

    for (i = 0; i < LLMLAB_COST_PARTS; i++) {
        if ((cost->parts_present >> i & 1) != 0) {
            llmlab_money_format(cost->parts[i], text);
            printf("%-17s %s\n", llmlab_cost_part_name((llmlab_cost_part_t)i),
                   text);
        }
    }
    llmlab_money_format(cost->amount, text);
    printf("%-17s %s USD\n\n", "total", text);
    printf("%s (%s match), prices of %s, %s%s%s\n", cost->key,
           llmlab_match_name(cost->match), cost->table,
           llmlab_priced_name(cost->priced),
           cost->tier[0] != '\0' ? ", tier " : "", cost->tier);
    if (cost->context_threshold != 0) {
        printf("the rates for requests beyond %u input tokens apply\n",
               cost->context_threshold);
    }
    if ((cost->flags & LLMLAB_COST_FLAG_OFF_PEAK) != 0) {
        printf("off-peak rates apply\n");
    }
    if ((cost->flags & LLMLAB_COST_FLAG_RETIRED) != 0) {
        printf("the provider has retired this model\n");
    }
    if ((cost->flags & LLMLAB_COST_FLAG_CLAMPED) != 0) {
        printf("parts exceed the total that they are parts of\n");
    }
}

static int
price_options(const cli_args_t *args, const llmlab_price_book_t *book)
{
    llmlab_call_facts_t facts;
    llmlab_usage_t usage;
    llmlab_cost_t cost;

    llmlab_call_facts_init(&facts);
    facts.usage = &usage;
    facts.model = cli_args_get(args, "model");
    facts.provider = cli_args_get(args, "provider");
    facts.service_tier = cli_args_get(args, "tier");
    facts.region = cli_args_get(args, "region");
    facts.speed = cli_args_get(args, "speed");
    facts.batch = cli_args_flag(args, "batch");
    if (facts.model == NULL) {
        fprintf(stderr, "llmlab: which model? Give --model, or --jsonl\n");
        return CLI_MISUSED;
    }
    if (!read_counts(args, &usage) ||
        !cli_args_time(args, "at", 0, &facts.time_ns)) {
        return CLI_MISUSED;
    }
    if (llmlab_cost_compute(&cost, book, &facts) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s\n", llmlab_status_detail());
        return CLI_FAILED;
    }
    tell_cost(&cost);
    return CLI_OK;
}

static int
run(const cli_args_t *args)
{
    const char *prices = cli_args_get(args, "prices");
    llmlab_price_book_t *book = NULL;
    int result;

    if (prices != NULL && llmlab_price_book_load(&book, prices) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s\n", llmlab_status_detail());
        return CLI_FAILED;
    }
    result = cli_args_flag(args, "jsonl")
                 ? cli_jsonl_answer(args->operands[0], price_line, book)
                 : price_options(args, book);
    llmlab_price_book_destroy(book);
    return result;
}

const cli_command_t cli_command_cost = {
    .name = "cost",
    .synopsis = "--model NAME --input N --output N | --jsonl [FILE]",
    .summary = "price a call",
    .help =
        "Prices one call by its options, or many as JSON lines:\n"
        "\n"
        "  {\"id\": 1, \"provider\": \"openai\", \"model\": \"gpt-4o\",\n"
        "   \"usage\": {\"input_tokens\": 1200, \"output_tokens\": 80}}\n"
        "\n"
        "Each may state service_tier, batch, data_residency, vertex_location,\n"
        "inference_geo, speed, search_context_size, at_utc, and an own price\n"
        "row in LiteLLM's form as pricing. A line that names a price table\n"
        "(\"table\") names a key of it as its model. What cannot be priced "
        "has\n"
        "cost_usd null.",
    .options = options,
    .run = run,
};
