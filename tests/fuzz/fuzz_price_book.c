/* Any bytes as a price file. What is taken is used: every model of it is
 * resolved and priced. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pricing/book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
price(const llmlab_price_book_t *book, const char *provider, const char *model,
      const uint8_t *data, size_t size)
{
    static const char *const tiers[] = {NULL, "priority", "flex", "ultrafast"};
    llmlab_call_facts_t facts;
    llmlab_usage_t usage;
    llmlab_cost_t cost;
    unsigned i;

    llmlab_usage_init(&usage);
    for (i = 0; i < LLMLAB_USAGE_FIELDS; i++) {
        uint64_t count = 0;

        memcpy(&count, data + i % size, size - i % size < 8 ? 1 : 8);
        if ((data[i % size] & 1) != 0) {
            llmlab_usage_set(&usage, (llmlab_usage_field_t)i, count);
        }
    }
    llmlab_call_facts_init(&facts);
    facts.provider = provider;
    facts.model = model;
    facts.usage = &usage;
    facts.service_tier = tiers[data[0] % 4];
    facts.region = "us";
    facts.speed = "fast";
    facts.batch = data[size / 2] & 1;
    memcpy(&facts.time_ns, data, size < 8 ? size : 8);
    (void)llmlab_cost_compute(&cost, book, &facts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    llmlab_price_book_t *book;
    uint32_t i;

    if (size == 0 ||
        llmlab_price_book_parse(&book, (const char *)data, size) != LLMLAB_OK) {
        return 0;
    }
    for (i = 0; i < book->table.row_count && i < 64; i++) {
        const llmlab__price_row_t *row = &book->table.rows[i];

        price(book, llmlab__price_text(&book->table, row->provider),
              llmlab__price_text(&book->table, row->key), data, size);
    }
    llmlab_price_book_destroy(book);
    return 0;
}
