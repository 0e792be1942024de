/* llmlab pricing version: which prices are here, how old they are, and whether
 * a signed file would be taken. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/pricing.h"
#include "pricing/windows.h"

#define NS_PER_S  INT64_C(1000000000)
#define S_PER_DAY 86400

static void
print_table(const char *name, const char *version, uint32_t models)
{
    int64_t version_s;

    printf("%s: ", name);
    if (llmlab__instant_parse(version, &version_s)) {
        int64_t age_s = llmlab__clock_real_ns() / NS_PER_S - version_s;

        printf("prices of %s, %" PRId64 " days old", version,
               age_s < 0 ? 0 : age_s / S_PER_DAY);
    } else {
        printf("prices of no stated date");
    }
    printf(", %" PRIu32 " models\n", models);
}

int
cli_pricing_version(const cli_args_t *args)
{
    const char *prices = cli_args_get(args, "prices");
    const char *public_key = cli_args_get(args, "public-key");
    const llmlab__price_table_t *builtin = llmlab__price_table_builtin();
    llmlab_price_book_t *book = NULL;
    llmlab_status_t status;

    print_table("built in", builtin->version, builtin->row_count);
    if (prices == NULL) {
        prices = getenv("LLMLAB_PRICES_FILE");
    }
    if (public_key == NULL) {
        public_key = getenv("LLMLAB_PRICES_PUBLIC_KEY");
    }
    if (prices == NULL || prices[0] == '\0') {
        return CLI_OK;
    }
    status =
        public_key != NULL && public_key[0] != '\0'
            ? llmlab_price_book_load_signed(&book, prices, public_key, NULL)
            : llmlab_price_book_load(&book, prices);
    if (status != LLMLAB_OK) {
        fprintf(stderr, "llmlab: refused: %s\n", llmlab_status_detail());
        return CLI_FAILED;
    }
    print_table(prices, book->table.version, book->table.row_count);
    llmlab_price_book_destroy(book);
    return CLI_OK;
}
