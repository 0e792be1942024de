/* From a key to its row. */
#include "pricing/book.h"

static bool
equal_folded(const char *text, const char *folded, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (llmlab__fold(text[i]) != llmlab__fold(folded[i])) {
            return false;
        }
    }
    return text[size] == '\0';
}

llmlab__price_ref_t
llmlab__price_find(const llmlab_price_book_t *book, const char *key)
{
    llmlab__price_ref_t ref = {NULL, NULL};
    size_t size = strlen(key);

    if (book != NULL) {
        ref.table = &book->table;
        ref.row = llmlab__table_find(ref.table, key, size, NULL);
    }
    if (ref.row == NULL) {
        ref.table = llmlab__price_table_builtin();
        ref.row = llmlab__table_find(ref.table, key, size, NULL);
    }
    return ref;
}

const llmlab__price_row_t *
llmlab__table_find(const llmlab__price_table_t *table, const char *key,
                   size_t size, const llmlab__price_row_t **out_folded)
{
    uint32_t slot = llmlab__key_hash(key, size) & table->slot_mask;

    for (; table->slots[slot] != 0; slot = (slot + 1) & table->slot_mask) {
        const llmlab__price_row_t *row = &table->rows[table->slots[slot] - 1];
        const char *text = llmlab__price_text(table, row->key);

        if (strcmp(text, key) == 0) {
            return row;
        }
        if (out_folded != NULL && *out_folded == NULL &&
            equal_folded(text, key, size)) {
            *out_folded = row;
        }
    }
    return NULL;
}

const llmlab__period_t *
llmlab__price_period(llmlab__price_ref_t ref, int64_t time_s)
{
    const llmlab__period_t *periods = ref.table->periods + ref.row->periods;
    unsigned i = ref.row->period_count;

    while (i > 0) {
        i--;
        if (periods[i].from_s <= time_s) {
            return &periods[i];
        }
    }
    return NULL;
}
