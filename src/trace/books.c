#include "trace/books.h"

#include <string.h>

#define COUNT_MASK ((UINT64_C(1) << 56) - 1)

void
llmlab__books_init(llmlab__books_t *books, llmlab_price_book_t *book,
                   bool may_change)
{
    memset(books, 0, sizeof(*books));
    books->may_change = may_change;
    books->slots[0].book = book;
    books->slots[0].is_used = true;
}

void
llmlab__books_cleanup(llmlab__books_t *books)
{
    for (unsigned i = 0; i < LLMLAB__BOOKS; i++) {
        llmlab_price_book_destroy(books->slots[i].book);
        books->slots[i].book = NULL;
        books->slots[i].is_used = false;
    }
}

static unsigned
slot_in_use(const llmlab__books_t *books)
{
    return (
        unsigned)(atomic_load_explicit(&books->in_use, memory_order_relaxed) >>
                  56);
}

const llmlab_price_book_t *
llmlab__books_newest(const llmlab__books_t *books)
{
    return books->slots[slot_in_use(books)].book;
}

/* Free the books that nobody holds any more. Returns a free slot; LLMLAB__BOOKS
 * when there is none. */
static unsigned
reap(llmlab__books_t *books)
{
    unsigned in_use = slot_in_use(books);
    unsigned free_slot = LLMLAB__BOOKS;

    for (unsigned i = 0; i < LLMLAB__BOOKS; i++) {
        llmlab__book_slot_t *slot = &books->slots[i];

        if (i != in_use && slot->is_used &&
            atomic_load_explicit(&slot->released, memory_order_acquire) ==
                slot->taken) {
            llmlab_price_book_destroy(slot->book);
            slot->book = NULL;
            slot->is_used = false;
        }
        if (!slot->is_used) {
            free_slot = i;
        }
    }
    return free_slot;
}

bool
llmlab__books_replace(llmlab__books_t *books, llmlab_price_book_t *book)
{
    unsigned next = reap(books);
    uint64_t before;

    if (next == LLMLAB__BOOKS) {
        return false;
    }
    books->slots[next].book = book;
    books->slots[next].is_used = true;
    atomic_store_explicit(&books->slots[next].released, 0,
                          memory_order_relaxed);
    before = atomic_exchange_explicit(&books->in_use, (uint64_t)next << 56,
                                      memory_order_acq_rel);
    books->slots[before >> 56].taken = before & COUNT_MASK;
    reap(books);
    return true;
}
