/* llmlab pricing update: our price file from a newer public one. A price that
 * cannot be right, or changed beyond bounds, is left out: then the built-in
 * one still holds. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/fetch.h"
#include "cli/pricing.h"
#include "pricing/compare.h"
#include "pricing/describe.h"
#include "pricing/read_file.h"
#include "pricing/signed.h"
#include "pricing/windows.h"

#define FILE_MAX      ((size_t)64 << 20)
#define PUBLIC_SOURCE "litellm" /* of a row in LiteLLM's form */
#define NS_PER_S      INT64_C(1000000000)
#define REFUSED_MAX   10 /* percent of the models: then it is no price file */

typedef struct update_s {
    const llmlab__price_table_t *old;
    const llmlab__price_table_t *new;
    llmlab__buf_t buf;
    bool force;
    bool refused;  /* the row that is being looked at */
    unsigned news; /* of its rates: what the built-in table has not */
    unsigned taken;
    unsigned same;
    unsigned left_out;
} update_t;

static void
check_change(void *context, const llmlab__rate_change_t *change)
{
    update_t *update = context;
    char old_text[LLMLAB_MONEY_TEXT];
    char new_text[LLMLAB_MONEY_TEXT];

    update->news += change->has_new;
    if (llmlab__change_is_odd(change)) {
        llmlab__rate_format(change->new_table, change->new_rate, new_text);
        fprintf(stderr, "llmlab: %s: %s: %s is far from its other rates\n",
                change->key, change->title, new_text);
        update->refused = true;
    }
    if (llmlab__change_is_beyond(change)) {
        llmlab__rate_format(change->old_table, change->old_rate, old_text);
        llmlab__rate_format(change->new_table, change->new_rate, new_text);
        fprintf(stderr, "llmlab: %s: %s: %s -> %s is beyond %d times\n",
                change->key, change->title, old_text, new_text,
                LLMLAB__CHANGE_MAX);
        update->refused = true;
    }
}

/* Has the built-in table all that this row says? It may know more: hours of
 * the day, a tier that the public file forgot. */
static bool
is_known(update_t *update, llmlab__price_ref_t old, llmlab__price_ref_t new)
{
    update->news = 0;
    update->refused = false;
    if (old.row == NULL) {
        return false;
    }
    if (llmlab__price_knows(old, new)) {
        return true;
    }
    (void)llmlab__price_compare(old, old.row->period_count - 1u, new,
                                check_change, update);
    return update->news == 0;
}

/* Does the row belong into the file? */
static bool
is_taken(update_t *update, llmlab__price_ref_t new)
{
    const char *key = llmlab__price_ref_key(new);
    llmlab__price_ref_t old = {update->old, NULL};

    old.row = llmlab__table_find(old.table, key, strlen(key), NULL);
    if (llmlab__price_is_absurd(new)) {
        fprintf(stderr, "llmlab: %s: a rate above 0.001 USD a token\n", key);
        update->left_out++;
        return false;
    }
    if (is_known(update, old, new)) {
        update->same++;
        return false;
    }
    if (update->refused && !update->force) {
        update->left_out++;
        return false;
    }
    update->taken++;
    return true;
}

static void
write_models(update_t *update)
{
    char now[LLMLAB__TIME_TEXT];
    const char *separator = "";
    uint16_t today = 0;
    uint32_t i;

    llmlab__time_format(llmlab__clock_real_ns(), now);
    now[10] = '\0';
    (void)llmlab__date_parse(now, &today);
    llmlab__buf_printf(&update->buf,
                       "{\"llmlab_prices\": 1,\n\"version\": \"%s\",\n"
                       "\"models\": {\n",
                       now);
    for (i = 0; i < update->new->row_count; i++) {
        llmlab__price_row_t row = update->new->rows[i];
        llmlab__price_ref_t ref = {update->new, &row};
        llmlab__json_out_t json;

        if (row.checked == 0) {
            row.checked = today;
        }

        if (!is_taken(update, ref)) {
            continue;
        }
        llmlab__buf_text(&update->buf, separator);
        llmlab__json_out_init(&json, &update->buf);
        llmlab__json_put_text(&json, llmlab__price_ref_key(ref));
        llmlab__buf_text(&update->buf, ": ");
        llmlab__json_out_init(&json, &update->buf);
        llmlab__price_row_write(&json, ref);
        separator = ",\n";
    }
    llmlab__buf_text(&update->buf, "\n}}\n");
}

/* What this command has written before may be written again; the user's own
 * prices, aliases and discounts, or a file of another kind, may not. */
static bool
may_replace(const char *output)
{
    llmlab_price_book_t *book = NULL;
    bool is_ours;
    uint32_t i;

    if (access(output, F_OK) != 0) {
        return true;
    }
    is_ours = llmlab_price_book_load(&book, output) == LLMLAB_OK &&
              book->alias_count == 0 && book->discount_count == 0;
    for (i = 0; is_ours && i < book->table.row_count; i++) {
        is_ours =
            strcmp(llmlab__price_text(&book->table, book->table.rows[i].source),
                   PUBLIC_SOURCE) == 0;
    }
    llmlab_price_book_destroy(book);
    if (!is_ours) {
        fprintf(stderr,
                "llmlab: %s: holds more than public prices: name another "
                "file, or add --force\n",
                output);
    }
    return is_ours;
}

static int
update_to(update_t *update, const char *output)
{
    unsigned total;

    if (!update->force && !may_replace(output)) {
        return CLI_FAILED;
    }

    write_models(update);
    total = update->taken + update->same + update->left_out;
    if (total == 0) {
        fprintf(stderr, "llmlab: there is no model in it: nothing is "
                        "written\n");
        return CLI_FAILED;
    }
    if (update->buf.failed) {
        fprintf(stderr, "llmlab: out of memory\n");
        return CLI_FAILED;
    }
    if (update->left_out * 100 > total * REFUSED_MAX) {
        fprintf(stderr,
                "llmlab: %u of %u models are beyond bounds: nothing is "
                "written\n",
                update->left_out, total);
        return CLI_FAILED;
    }
    if (!cli_pricing_replace(output, update->buf.data, update->buf.size,
                             false)) {
        return CLI_FAILED;
    }
    printf("%s: %u models new or changed, %u as built in, %u left out\n",
           output, update->taken, update->same, update->left_out);
    return CLI_OK;
}

/* A signed file, whole or not at all. The one that it replaces sets the version
 * that it must be above. */
static int
update_signed(const llmlab__buf_t *file, const char *output,
              const char *public_key)
{
    int64_t now_s = llmlab__clock_real_ns() / NS_PER_S;
    llmlab_price_book_t *present = NULL;
    llmlab_price_book_t *book = NULL;
    int result = CLI_FAILED;
    const char *above = NULL;
    llmlab__buf_t old;

    /* Expired or not: an older file must not come back. */
    llmlab__buf_init(&old);
    if (llmlab__price_file_read(&old, output) == LLMLAB_OK &&
        llmlab__price_book_parse_signed(&present, (const char *)old.data,
                                        old.size, public_key, NULL,
                                        INT64_MIN) == LLMLAB_OK) {
        above = llmlab_price_book_version(present);
    }
    llmlab__buf_cleanup(&old);
    if (llmlab__price_book_parse_signed(&book, (const char *)file->data,
                                        file->size, public_key, above,
                                        now_s) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: refused: %s\n", llmlab_status_detail());
    } else if (cli_pricing_replace(output, file->data, file->size, false)) {
        printf("%s: %u models of %s\n", output, book->table.row_count,
               llmlab_price_book_version(book));
        result = CLI_OK;
    }
    llmlab_price_book_destroy(present);
    llmlab_price_book_destroy(book);
    return result;
}

int
cli_pricing_update(const cli_args_t *args)
{
    const char *public_key = cli_args_get(args, "public-key");
    const char *output = cli_args_get(args, "output");
    llmlab_price_book_t *book = NULL;
    update_t update = {.old = llmlab__price_table_builtin(),
                       .force = cli_args_flag(args, "force")};
    int result = CLI_FAILED;
    llmlab__buf_t file;

    if (output == NULL) {
        fprintf(stderr, "llmlab: where to? Give --output FILE\n");
        return CLI_MISUSED;
    }
    llmlab__buf_init(&file);
    llmlab__buf_init(&update.buf);
    if (!cli_fetch(&file, args->operands[1], FILE_MAX)) {
        result = CLI_FAILED;
    } else if (public_key != NULL) {
        result = update_signed(&file, output, public_key);
    } else {
        if (llmlab_price_book_parse(&book, (const char *)file.data,
                                    file.size) != LLMLAB_OK) {
            fprintf(stderr, "llmlab: %s: %s\n", args->operands[1],
                    llmlab_status_detail());
        } else {
            update.new = &book->table;
            result = update_to(&update, output);
        }
    }
    llmlab_price_book_destroy(book);
    llmlab__buf_cleanup(&file);
    llmlab__buf_cleanup(&update.buf);
    return result;
}
