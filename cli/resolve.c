/* llmlab resolve: find a model's price row by its name. */
#include <stdio.h>
#include <string.h>

#include <llmlab/pricing.h>

#include "base/json_dom.h"
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/put.h"

#define DEPTH_MAX 8

static const cli_option_t options[] = {
    {"jsonl", NULL, "read names as JSON lines, write keys as JSON lines", 0},
    {"prices", "FILE", "your own prices, over the built-in table", 0},
    {"provider", "NAME", "who serves the model", 'p'},
    {0}};

static void
print_match(llmlab__buf_t *buf, const cJSON *root, llmlab_match_t match,
            const char *key, const char *fault)
{
    llmlab__json_out_t json;

    llmlab__buf_clear(buf);
    llmlab__json_out_init(&json, buf);
    llmlab__json_begin_object(&json);
    cli_put_id(&json, root);
    llmlab__json_key(&json, "status");
    llmlab__json_put_text(&json, llmlab_match_name(match));
    llmlab__json_key(&json, "key");
    llmlab__json_put_text(&json, key);
    cli_put_fault(&json, fault);
    llmlab__json_end_object(&json);
    (void)cli_put_line(buf);
}

static void
resolve_line(cli_jsonl_t *lines, llmlab__buf_t *buf, const char *line,
             size_t size, const void *context)
{
    const llmlab_price_book_t *book = context;
    llmlab_match_t match = LLMLAB_MATCH_UNKNOWN;
    const char *fault = NULL;
    const char *key = NULL;
    const char *name;
    const char *provider;
    cJSON *root = NULL;

    if (llmlab__json_dom_parse(&root, line, size, DEPTH_MAX) != LLMLAB_OK) {
        fault = cli_jsonl_parse_fault();
    }
    name = llmlab__json_dom_string(llmlab__json_dom_get(root, "name"));
    provider = llmlab__json_dom_string(llmlab__json_dom_get(root, "provider"));
    if (name != NULL) {
        match = llmlab_pricing_resolve(book, provider, name, &key);
    } else if (fault == NULL) {
        fault = "name: is missing or no text";
    }
    print_match(buf, root, match, key, fault);
    if (fault != NULL) {
        cli_jsonl_bad(lines, "%s", fault);
    }
    cJSON_Delete(root);
}

static int
resolve_operands(const cli_args_t *args, const llmlab_price_book_t *book)
{
    const char *provider = cli_args_get(args, "provider");
    int result = CLI_OK;
    int i;

    if (args->count == 0) {
        fprintf(stderr, "llmlab: which model? Give names, or --jsonl\n");
        return CLI_MISUSED;
    }
    for (i = 0; i < args->count; i++) {
        const char *key = NULL;
        llmlab_match_t match =
            llmlab_pricing_resolve(book, provider, args->operands[i], &key);

        printf("%s\t%s\t%s\n", args->operands[i], llmlab_match_name(match),
               key != NULL ? key : "-");
        if (match == LLMLAB_MATCH_UNKNOWN) {
            result = CLI_FAILED;
        }
    }
    return result;
}

static int
run(const cli_args_t *args)
{
    const char *prices = cli_args_get(args, "prices");
    llmlab_price_book_t *book = NULL;
    int result;

    if (prices != NULL && llmlab_price_book_load(&book, prices) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s: %s\n", prices, llmlab_status_detail());
        return CLI_FAILED;
    }
    result = cli_args_flag(args, "jsonl")
                 ? cli_jsonl_answer(args->operands[0], resolve_line, book)
                 : resolve_operands(args, book);
    llmlab_price_book_destroy(book);
    return result;
}

const cli_command_t cli_command_resolve = {
    .name = "resolve",
    .synopsis = "[--provider NAME] MODEL... | --jsonl [FILE]",
    .summary = "find a model's price row by its name",
    .help = "Tells which row of the price table a model's name means, and how\n"
            "it was found: exact, case, normalized, dated_fallback or\n"
            "unknown. As JSON lines it reads {\"id\", \"name\", \"provider\"}.",
    .options = options,
    .run = run,
};
