/* The price books of a tracer: the one in use, and those before it that spans
 * still refer to. The worker replaces the book while other threads price by it;
 * whoever prices takes it by one atomic addition and never waits.
 *
 * The word in use holds a slot and how often it was taken. When another book
 * comes, the old one's count is final, and the book is freed once it was
 * released as often. */
#ifndef LLMLAB_TRACE_BOOKS_H
#define LLMLAB_TRACE_BOOKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <llmlab/pricing.h>

/* Books that may be alive at once. Where long spans hold them all, the next
 * replacement fails. */
#define LLMLAB__BOOKS 8

typedef struct llmlab__book_slot_s {
    llmlab_price_book_t *book; /* NULL: the built-in table */
    /* Of the worker alone. */
    bool is_used;
    uint64_t taken; /* final, of a book that was replaced */

    _Atomic uint64_t released;
} llmlab__book_slot_t;

typedef struct llmlab__books_s {
    bool may_change;         /* constant after open; false: nothing counts */
    _Atomic uint64_t in_use; /* slot << 56 | times taken */
    llmlab__book_slot_t slots[LLMLAB__BOOKS];
} llmlab__books_t;

/* Owns the book, which may be NULL. */
void llmlab__books_init(llmlab__books_t *books, llmlab_price_book_t *book,
                        bool may_change);
/* Nobody prices any more. */
void llmlab__books_cleanup(llmlab__books_t *books);

/* Take the book in use: its slot, to be released as often. Any thread. */
static inline unsigned
llmlab__books_take(llmlab__books_t *books)
{
    return !books->may_change
               ? 0
               : (unsigned)(atomic_fetch_add_explicit(&books->in_use, 1,
                                                      memory_order_acquire) >>
                            56);
}

/* The book of a slot that was taken. */
static inline const llmlab_price_book_t *
llmlab__books_at(const llmlab__books_t *books, unsigned slot)
{
    return books->slots[slot].book;
}

static inline void
llmlab__books_release(llmlab__books_t *books, unsigned slot)
{
    if (books->may_change) {
        atomic_fetch_add_explicit(&books->slots[slot].released, 1,
                                  memory_order_release);
    }
}

/* The book in use, for the one thread that replaces it. @thread worker */
const llmlab_price_book_t *llmlab__books_newest(const llmlab__books_t *books);

/* Put a book into use, and own it. False: all slots are held, try later.
 * @thread worker */
bool llmlab__books_replace(llmlab__books_t *books, llmlab_price_book_t *book);

#endif
