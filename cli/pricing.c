/* llmlab pricing: look into price tables. */
#include <stdio.h>
#include <string.h>

#include "cli/pricing.h"

#include "cli/command.h"
#include "cli/put.h"
#include "pricing/describe.h"
#include "pricing/windows.h"

static const cli_option_t options[] = {
    {"provider", "NAME", "show: who serves the model", 'p'},
    {"prices", "FILE",
     "version, show: your own prices, over the built-in table", 0},
    {"json", NULL, "show: as our price files have it", 0},
    {"output", "FILE", "update: where the new prices go", 'o'},
    {"force", NULL, "update: take changes beyond the bounds, replace any file",
     0},
    {"public-key", "HEX", "version, update: only what this key has signed", 0},
    {"secret-key", "FILE", "sign: with this key", 0},
    {0}};

bool
cli_pricing_open(const char *name, llmlab_price_book_t **out_book,
                 const llmlab__price_table_t **out_table)
{
    *out_book = NULL;
    if (strcmp(name, "builtin") == 0) {
        *out_table = llmlab__price_table_builtin();
        return true;
    }
    if (llmlab_price_book_load(out_book, name) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s\n", llmlab_status_detail());
        return false;
    }
    *out_table = &(*out_book)->table;
    return true;
}

static void
show_rates(const llmlab__price_table_t *table, const llmlab__period_t *period)
{
    const uint32_t *rates = table->rates + period->rates;
    unsigned i;

    for (i = 0; i < period->rate_count; i++) {
        char title[LLMLAB__RATE_TITLE];
        char amount[LLMLAB_MONEY_TEXT];
        bool unit = llmlab__rate_is_unit(LLMLAB__RATE_CLASS(rates[i]));

        llmlab__rate_title(table, period, rates[i], title);
        llmlab__rate_format(table, rates[i], amount);
        printf("  %-40s %s USD per %s\n", title, amount,
               unit ? "unit" : "million tokens");
    }
    for (i = 0; i < period->factor_count; i++) {
        const llmlab__factor_t *factor = &table->factors[period->factors + i];
        const char *text = llmlab__price_text(table, factor->text);

        printf("  x %u/%u for %s%s\n", factor->numerator, factor->denominator,
               factor->kind == LLMLAB__FACTOR_SPEED        ? "speed "
               : factor->kind == LLMLAB__FACTOR_REGION_NOT ? "regions but "
                                                           : "region ",
               text);
    }
    for (i = 0; i < period->window_count; i++) {
        const llmlab__window_t *window = &table->windows[period->windows + i];

        printf("  off-peak %02u:%02u-%02u:%02u UTC%s\n", window->start / 60u,
               window->start % 60u, window->end / 60u, window->end % 60u,
               window->days != LLMLAB__EVERY_DAY ? " on some weekdays" : "");
    }
}

static void
show_row(llmlab__price_ref_t ref, llmlab_match_t match)
{
    const llmlab__period_t *periods = ref.table->periods + ref.row->periods;
    char date[16];
    unsigned i;

    printf("%s (%s match)\n", llmlab__price_ref_key(ref),
           llmlab_match_name(match));
    printf("  provider %s, mode %s, table %s, source %s",
           llmlab__price_text(ref.table, ref.row->provider),
           llmlab__price_text(ref.table, ref.row->mode), ref.table->version,
           llmlab__price_text(ref.table, ref.row->source));
    if (ref.row->checked != 0) {
        llmlab__date_format(ref.row->checked, date);
        printf(" of %s", date);
    }
    if (ref.row->retires != 0) {
        llmlab__date_format(ref.row->retires, date);
        printf(", retires %s", date);
    }
    printf("\n");
    for (i = 0; i < ref.row->period_count; i++) {
        if (periods[i].from_s != INT64_MIN) {
            llmlab__date_format((uint16_t)(periods[i].from_s / 86400), date);
            printf(" from %s\n", date);
        }
        show_rates(ref.table, &periods[i]);
    }
}

static void
show_json(llmlab__price_ref_t ref)
{
    llmlab__json_out_t json;
    llmlab__buf_t buf;
    const char *key = llmlab__price_ref_key(ref);

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&json, &buf);
    llmlab__json_begin_object(&json);
    llmlab__json_key_n(&json, key, strlen(key));
    llmlab__price_row_write(&json, ref);
    llmlab__json_end_object(&json);
    (void)cli_put_line(&buf);
    llmlab__buf_cleanup(&buf);
}

int
cli_pricing_show(const cli_args_t *args)
{
    const char *prices = cli_args_get(args, "prices");
    const llmlab__price_table_t *table;
    llmlab_price_book_t *book = NULL;
    int result = CLI_OK;
    int i;

    if (prices != NULL && !cli_pricing_open(prices, &book, &table)) {
        return CLI_FAILED;
    }
    for (i = 1; i < args->count; i++) {
        llmlab__price_ref_t ref = llmlab__price_find(book, args->operands[i]);
        llmlab_match_t match = LLMLAB_MATCH_EXACT;

        if (ref.row == NULL || cli_args_get(args, "provider") != NULL) {
            match = llmlab__price_resolve(
                &ref, book, cli_args_get(args, "provider"), args->operands[i]);
        }
        if (ref.row == NULL) {
            fprintf(stderr, "llmlab: no price is known for %s\n",
                    args->operands[i]);
            result = CLI_FAILED;
        } else if (cli_args_flag(args, "json")) {
            show_json(ref);
        } else {
            show_row(ref, match);
        }
    }
    llmlab_price_book_destroy(book);
    return result;
}

static int
run(const cli_args_t *args)
{
    static const struct {
        const char *verb;
        int operands; /* with the verb; -1: at least two */
        int (*run)(const cli_args_t *args);
    } verbs[] = {
        {"version", 1, cli_pricing_version}, {"show", -1, cli_pricing_show},
        {"diff", 3, cli_pricing_diff},       {"update", 2, cli_pricing_update},
        {"keygen", 2, cli_pricing_keygen},   {"sign", 2, cli_pricing_sign},
    };
    size_t i;

    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]) && args->count > 0; i++) {
        if (strcmp(verbs[i].verb, args->operands[0]) != 0) {
            continue;
        }
        if (verbs[i].operands < 0 ? args->count < 2
                                  : args->count != verbs[i].operands) {
            break;
        }
        return verbs[i].run(args);
    }
    fprintf(stderr,
            "llmlab: pricing wants version, show MODEL..., diff OLD NEW, "
            "update FILE|URL, keygen FILE or sign FILE\n");
    return CLI_MISUSED;
}

const cli_command_t cli_command_pricing = {
    .name = "pricing",
    .synopsis = "version | show MODEL... | diff OLD NEW | update FILE|URL",
    .summary = "look into price tables, compare and update them",
    .help =
        "version which prices are here and how old they are; with --prices\n"
        "        also of a file, or why it would be refused (--public-key)\n"
        "show    the prices of models, with their source and date\n"
        "diff    what differs between two price files; builtin names the\n"
        "        built-in table\n"
        "update  make a price file of ours (--output) from a newer public one\n"
        "        in LiteLLM's form; prices that cannot be right and changes\n"
        "        beyond three times are left out and told; with --public-key\n"
        "        a signed file of ours, taken whole or not at all\n"
        "keygen  write a secret key into a file, print its public key\n"
        "sign    sign a price file of ours, which states version and expires\n"
        "\n"
        "Use a price file by LLMLAB_PRICES_FILE, or --prices FILE here.",
    .options = options,
    .run = run,
};
