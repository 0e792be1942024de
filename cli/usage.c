/* llmlab usage: what a provider's reply says of its tokens and money. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "base/u128.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/jsonl.h"
#include "cli/put.h"
#include "cli/reply_row.h"
#include "cli/times.h"

static const cli_option_t options[] = {
    {"jsonl", NULL, "read rows of an index.jsonl on standard input", 0},
    {"root", "DIR", "where the rows' response_file lie (default: .)", 0},
    {"provider", "P", "who replied (default: found from the reply)", 0},
    {"api", "A", "in which API's form (default: found)", 0},
    {"url", "URL", "the request's URL, where it names the model", 0},
    {"at-utc", "TIME", "price at this time instead of the recorded one", 0},
    {"prices", "FILE", "your own prices over the built-in ones", 0},
    {"json", NULL, "print one JSON object", 0},
    {0}};

static void
put_parts(llmlab__json_out_t *out, const llmlab_reply_t *reply,
          const cli_reply_cost_t *cost)
{
    if (reply->part_count == 0) {
        return;
    }
    llmlab__json_key(out, "parts");
    llmlab__json_begin_array(out);
    for (unsigned i = 0; i < reply->part_count; i++) {
        const llmlab_usage_part_t *part = &reply->parts[i];

        llmlab__json_begin_object(out);
        llmlab__json_key(out, "model");
        cli_put_text(out, part->model[0] != '\0' ? part->model : reply->model);
        cli_put_counts(out, &part->usage);
        llmlab__json_key(out, "cost_usd");
        cli_put_money(out, cost->parts[i].has_cost, cost->parts[i].cost);
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
}

static void
put_reply(llmlab__json_out_t *out, const llmlab_reply_t *reply,
          const cli_reply_cost_t *cost)
{
    llmlab_money_t effective = {0, 0};
    bool has_effective = cli_reply_cost_effective(cost, &effective);

    llmlab__json_key(out, "provider");
    cli_put_text(out, reply->provider);
    llmlab__json_key(out, "api");
    cli_put_text(out, reply->api);
    llmlab__json_key(out, "model");
    cli_put_text(out, reply->model);
    llmlab__json_key(out, "usage");
    cli_put_usage(out, &reply->usage);
    put_parts(out, reply, cost);
    llmlab__json_key(out, "cost_usd");
    cli_put_money(out, cost->has_computed, cost->computed.amount);
    llmlab__json_key(out, "provider_cost_usd");
    cli_put_money(out, cost->has_stated, cost->stated);
    llmlab__json_key(out, "effective_cost_usd");
    cli_put_money(out, has_effective, effective);
    llmlab__json_key(out, "complete");
    llmlab__json_put_bool(out, reply->complete != 0);
    llmlab__json_key(out, "match");
    llmlab__json_put_text(out, llmlab_match_name(cost->computed.match));
    llmlab__json_key(out, "pricing");
    llmlab__json_put_text(out, llmlab_priced_name(cost->computed.priced));
    llmlab__json_key(out, "usage_source");
    llmlab__json_put_text(out, cli_usage_source_name(reply->usage_source));
    llmlab__json_key(out, "key");
    cli_put_text(out, cost->computed.key);
    llmlab__json_key(out, "table");
    cli_put_text(out, cost->computed.table);
    llmlab__json_key(out, "response_id");
    cli_put_text(out, reply->response_id);
    llmlab__json_key(out, "finish_reason");
    cli_put_text(out, reply->finish_reason);
    llmlab__json_key(out, "service_tier");
    cli_put_text(out, reply->service_tier);
    llmlab__json_key(out, "error_type");
    cli_put_text(out, reply->error_type);
}

typedef struct rows_s {
    const char *root;
    const llmlab_price_book_t *book;
    int64_t at_ns; /* 0: each row's own time */
    llmlab__buf_t *body;
} rows_t;

/* Every line has an answer of the same form, also one that cannot be read. */
static void
print_row(llmlab__buf_t *buf, const cli_reply_row_t *row,
          const llmlab_reply_t *reply, const cli_reply_cost_t *cost,
          const char *fault, const char *reply_fault)
{
    llmlab__json_out_t out;

    llmlab__buf_clear(buf);
    llmlab__json_out_init(&out, buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "id");
    if (row->id.data != NULL) {
        llmlab__json_put_raw(&out, row->id.data, row->id.size);
    } else {
        llmlab__json_put_null(&out);
    }
    put_reply(&out, reply, cost);
    if (reply_fault != NULL) {
        llmlab__json_key(&out, "fault");
        llmlab__json_put_text(&out, reply_fault);
    }
    cli_put_fault(&out, fault);
    llmlab__json_end_object(&out);
    (void)cli_put_line(buf);
}

static void
answer_row(cli_jsonl_t *lines, llmlab__buf_t *buf, const char *line,
           size_t size, const void *context)
{
    const rows_t *rows = context;
    llmlab_reply_t reply;
    llmlab_status_t status = LLMLAB_OK;
    cli_reply_row_t row;
    cli_reply_cost_t cost;
    const char *fault = cli_reply_row_parse(&row, line, size);

    memset(&reply, 0, sizeof(reply));
    if (fault != NULL) {
        row.id.data = NULL; /* it may be cut */
        cli_jsonl_bad(lines, "%s", fault);
    } else {
        fault =
            cli_reply_row_read(&row, rows->root, rows->body, &reply, &status);
        if (fault != NULL) {
            memset(&reply, 0, sizeof(reply));
            cli_jsonl_bad(lines, "%s: %s", row.response_file, fault);
        }
    }
    cli_reply_price(&cost, rows->book, &reply,
                    rows->at_ns != 0 ? rows->at_ns : row.time_ns);
    print_row(buf, &row, &reply, &cost, fault,
              status == LLMLAB_EPARSE || status == LLMLAB_EOVERFLOW
                  ? llmlab_status_detail()
                  : NULL);
}

static int
run_rows(const char *root, const llmlab_price_book_t *book, int64_t at_ns)
{
    llmlab__buf_t body;
    const rows_t rows = {
        .root = root, .book = book, .at_ns = at_ns, .body = &body};
    int code;

    llmlab__buf_init(&body);
    code = cli_jsonl_answer(NULL, answer_row, &rows);
    llmlab__buf_cleanup(&body);
    return code;
}

static void
print_field(const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        printf("  %-22s %s\n", name, value);
    }
}

/* How far the computed cost is from the charge. */
static void
print_drift(const cli_reply_cost_t *cost)
{
    llmlab__u128_t computed = llmlab__u128_of(cost->computed.amount);
    llmlab__u128_t charged = llmlab__u128_of(cost->stated);
    bool less = computed < charged;
    char text[LLMLAB_MONEY_TEXT];

    if (!cost->has_computed) {
        return;
    }
    if (computed == charged) {
        printf("  %-22s none\n", "drift");
        return;
    }
    llmlab_money_format(
        llmlab__money_of(less ? charged - computed : computed - charged), text);
    printf("  %-22s computed is %s USD %s than charged\n", "drift", text,
           less ? "less" : "more");
}

static void
print_for_people(const llmlab_reply_t *reply, const cli_reply_cost_t *cost)
{
    char text[LLMLAB_MONEY_TEXT];

    print_field("provider", reply->provider);
    print_field("api", reply->api);
    print_field("model", reply->model);
    print_field("response id", reply->response_id);
    print_field("finish reason", reply->finish_reason);
    print_field("service tier", reply->service_tier);
    print_field("error", reply->error_type);
    print_field("complete", reply->complete ? "yes" : "no: the reply is cut");
    for (int i = 0; i < (int)LLMLAB_USAGE_FIELDS; i++) {
        llmlab_usage_field_t field = (llmlab_usage_field_t)i;
        uint64_t count;

        if (llmlab_usage_get(&reply->usage, field, &count)) {
            printf("  %-22s %llu\n", llmlab_usage_field_name(field),
                   (unsigned long long)count);
        }
    }
    for (unsigned i = 0; i < reply->part_count; i++) {
        const llmlab_usage_part_t *part = &reply->parts[i];

        llmlab_money_format(cost->parts[i].cost, text);
        printf(
            "  %-22s %s: %llu in, %llu out, %s%s\n", i == 0 ? "parts" : "",
            part->model[0] != '\0' ? part->model : reply->model,
            (unsigned long long)part->usage.count[LLMLAB_USAGE_INPUT_TOKENS],
            (unsigned long long)part->usage.count[LLMLAB_USAGE_OUTPUT_TOKENS],
            cost->parts[i].has_cost ? text : "unpriced",
            cost->parts[i].has_cost ? " USD" : "");
    }
    if (cost->has_computed) {
        llmlab_money_format(cost->computed.amount, text);
        printf("  %-22s %s USD  (%s, %s, prices of %s)\n", "cost", text,
               cost->computed.key, llmlab_match_name(cost->computed.match),
               cost->computed.table);
    } else {
        printf("  %-22s unknown: %s\n", "cost",
               reply->usage_source == LLMLAB_USAGE_NONE
                   ? "the reply states no usage"
                   : "no price is known for this model");
    }
    if (cost->has_stated) {
        llmlab_money_format(cost->stated, text);
        printf("  %-22s %s USD\n", "charged by provider", text);
        print_drift(cost);
    }
}

static int
run_one(const cli_args_t *args, const llmlab_price_book_t *book, int64_t at_ns)
{
    const char *path = args->count > 0 ? args->operands[0] : "-";
    const char *url = cli_args_get(args, "url");
    llmlab__buf_t buf;
    llmlab_reply_t reply;
    llmlab_status_t status;
    cli_reply_cost_t cost;
    int code = CLI_OK;

    llmlab__buf_init(&buf);
    if (!cli_file_read(&buf, strcmp(path, "-") == 0 ? "/dev/stdin" : path)) {
        fprintf(stderr, "llmlab: %s: %s\n", path, strerror(errno));
        llmlab__buf_cleanup(&buf);
        return CLI_FAILED;
    }
    status = llmlab_usage_read(&reply, cli_args_get(args, "provider"),
                               cli_args_get(args, "api"), buf.data, buf.size);
    if (status != LLMLAB_OK && status != LLMLAB_ENOUSAGE) {
        fprintf(stderr, "llmlab: %s: %s\n", path,
                llmlab_status_detail()[0] != '\0' ? llmlab_status_detail()
                                                  : llmlab_status_text(status));
        code = CLI_FAILED;
    }
    if (url != NULL) {
        llmlab_reply_set_url(&reply, url, strlen(url));
    }
    cli_reply_price(&cost, book, &reply, at_ns);
    if (cli_args_flag(args, "json")) {
        llmlab__json_out_t out;

        llmlab__buf_clear(&buf);
        llmlab__json_out_init(&out, &buf);
        llmlab__json_begin_object(&out);
        put_reply(&out, &reply, &cost);
        llmlab__json_end_object(&out);
        if (!cli_put_line(&buf)) {
            code = CLI_FAILED;
        }
    } else {
        print_for_people(&reply, &cost);
    }
    llmlab__buf_cleanup(&buf);
    return code;
}

static int
run(const cli_args_t *args)
{
    const char *prices = cli_args_get(args, "prices");
    const char *root = cli_args_get(args, "root");
    llmlab_price_book_t *book = NULL;
    int64_t at_ns;
    int code;

    if (!cli_args_time(args, "at-utc", 0, &at_ns)) {
        return CLI_MISUSED;
    }
    if (args->count > (cli_args_flag(args, "jsonl") ? 0 : 1)) {
        fputs("llmlab: too many operands; see llmlab usage --help\n", stderr);
        return CLI_MISUSED;
    }
    if (prices != NULL && llmlab_price_book_load(&book, prices) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s: %s\n", prices, llmlab_status_detail());
        return CLI_MISUSED;
    }
    code = cli_args_flag(args, "jsonl")
               ? run_rows(root != NULL ? root : ".", book, at_ns)
               : run_one(args, book, at_ns);
    llmlab_price_book_destroy(book);
    return code;
}

const cli_command_t cli_command_usage = {
    .name = "usage",
    .synopsis = "[FILE | --jsonl --root DIR] [options]",
    .summary = "read tokens, model and cost out of a provider's reply",
    .help =
        "Reads one reply (JSON, SSE, NDJSON or a Bedrock event stream) from "
        "FILE or, as \"-\"\nor without it, from standard input, and prints "
        "what it says of itself.\n\n"
        "With --jsonl, reads one row a line, {\"id\",\"provider\",\"api\","
        "\"status\",\"stream\",\n\"url\",\"headers\",\"response_file\","
        "\"recorded_at\",\"request_model\",\"request_file\"},\nand writes one "
        "object a line: cost_usd is what the price table computes,\n"
        "provider_cost_usd what the provider says it charged, "
        "effective_cost_usd the\nlatter where it is stated, else the former; "
        "parts lists the runs of a reply by\nseveral models; usage_source "
        "\"estimated\": nobody counted, the text was measured.\nThe request "
        "is read where the reply names no model or its usage is estimated.\n"
        "Prices are those of --at-utc, else of the row's at_utc or "
        "recorded_at, else of the\nreply's own creation, else of the table's "
        "date; never of now.",
    .options = options,
    .run = run,
};
