/* llmlab pricing update: our price file from a newer public one. A price that
 * cannot be right, or changed beyond bounds, is left out: then the built-in
 * one still holds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/u128.h"
#include "cli/command.h"
#include "cli/fetch.h"
#include "cli/pricing.h"
#include "pricing/describe.h"

#define FILE_MAX    ((size_t)64 << 20)
#define TOKEN_MAX   (LLMLAB__FEMTO / 1000) /* 0.001 USD */
#define CHANGE_MAX  3
#define REFUSED_MAX 10 /* percent of the models: then it is no price file */

typedef struct update_s {
    const llmlab__price_table_t *old;
    const llmlab__price_table_t *new;
    llmlab__buf_t buf;
    bool force;
    bool refused; /* the row that is being looked at */
    unsigned taken;
    unsigned same;
    unsigned left_out;
} update_t;

static void
check_change(void *context, const cli_rate_change_t *change)
{
    update_t *update = context;
    uint64_t before;
    uint64_t after;

    if (!change->has_old || !change->has_new) {
        return;
    }
    before = update->old->amounts[LLMLAB__RATE_AMOUNT(change->old_rate)];
    after = update->new->amounts[LLMLAB__RATE_AMOUNT(change->new_rate)];
    if ((llmlab__u128_t)after > (llmlab__u128_t)before * CHANGE_MAX ||
        (llmlab__u128_t)before > (llmlab__u128_t)after * CHANGE_MAX) {
        char old_text[LLMLAB_MONEY_TEXT];
        char new_text[LLMLAB_MONEY_TEXT];

        llmlab__rate_format(update->old, change->old_rate, old_text);
        llmlab__rate_format(update->new, change->new_rate, new_text);
        fprintf(stderr, "llmlab: %s: %s: %s -> %s is beyond %d times\n",
                change->key, change->title, old_text, new_text, CHANGE_MAX);
        update->refused = true;
    }
}

static bool
is_absurd(update_t *update, llmlab__price_ref_t ref)
{
    const llmlab__period_t *period = &ref.table->periods[ref.row->periods];
    unsigned i;

    for (i = 0; i < period->rate_count; i++) {
        uint32_t rate = ref.table->rates[period->rates + i];

        if (!llmlab__rate_is_unit(LLMLAB__RATE_CLASS(rate)) &&
            ref.table->amounts[LLMLAB__RATE_AMOUNT(rate)] > TOKEN_MAX) {
            fprintf(stderr, "llmlab: %s: a rate above 0.001 USD a token\n",
                    llmlab__price_ref_key(ref));
            update->refused = true;
            return true;
        }
    }
    return false;
}

/* Has the old row these prices, now or at another time? An older public file
 * must not undo a change that the built-in table has the date of. */
static bool
knows(llmlab__price_ref_t old, llmlab__price_ref_t new)
{
    unsigned i;

    for (i = 0; i < old.row->period_count; i++) {
        if (cli_pricing_compare(old, i, new, NULL, NULL) == 0) {
            return true;
        }
    }
    return false;
}

/* Does the row belong into the file? Rows that the built-in table has alike
 * need not. */
static bool
is_taken(update_t *update, llmlab__price_ref_t new)
{
    const char *key = llmlab__price_ref_key(new);
    llmlab__price_ref_t old = {update->old, NULL};

    update->refused = false;
    old.row = llmlab__table_find(old.table, key, strlen(key), NULL);
    if (is_absurd(update, new)) {
        update->left_out++;
        return false;
    }
    if (old.row != NULL && knows(old, new)) {
        update->same++;
        return false;
    }
    if (old.row != NULL) {
        (void)cli_pricing_compare(old, old.row->period_count - 1u, new,
                                  check_change, update);
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
    uint32_t i;

    llmlab__time_format(llmlab__clock_real_ns(), now);
    llmlab__buf_printf(&update->buf,
                       "{\"llmlab_prices\": 1,\n\"version\": \"%.10s\",\n"
                       "\"models\": {\n",
                       now);
    for (i = 0; i < update->new->row_count; i++) {
        llmlab__price_ref_t ref = {update->new, &update->new->rows[i]};
        llmlab__json_out_t json;

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

/* All or nothing: whoever reads the file meanwhile reads the old one. */
static bool
replace_file(const char *path, const llmlab__buf_t *buf)
{
    size_t size = strlen(path) + sizeof(".new");
    char *temporary = malloc(size);
    FILE *file = NULL;
    bool written = false;

    if (temporary == NULL) {
        return false;
    }
    snprintf(temporary, size, "%s.new", path);
    file = fopen(temporary, "wb");
    if (file != NULL) {
        written = fwrite(buf->data, 1, buf->size, file) == buf->size;
        written = fclose(file) == 0 && written;
        written = written && rename(temporary, path) == 0;
    }
    if (!written) {
        fprintf(stderr, "llmlab: %s: %s\n", path, strerror(errno));
        remove(temporary);
    }
    free(temporary);
    return written;
}

static int
update_to(update_t *update, const char *output)
{
    unsigned total;

    write_models(update);
    total = update->taken + update->same + update->left_out;
    if (update->buf.failed) {
        fprintf(stderr, "llmlab: out of memory\n");
        return CLI_FAILED;
    }
    if (total == 0 || update->left_out * 100 > total * REFUSED_MAX) {
        fprintf(stderr,
                "llmlab: %u of %u models are beyond bounds: nothing is "
                "written\n",
                update->left_out, total);
        return CLI_FAILED;
    }
    if (!replace_file(output, &update->buf)) {
        return CLI_FAILED;
    }
    printf("%s: %u models new or changed, %u as built in, %u left out\n",
           output, update->taken, update->same, update->left_out);
    return CLI_OK;
}

int
cli_pricing_update(const cli_args_t *args)
{
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
    if (cli_fetch(&file, args->operands[1], FILE_MAX)) {
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
