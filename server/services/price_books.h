/* The price books of projects: the built-in table with what the project says
 * it pays over it. Made when first asked for, kept until a price changes. */
#ifndef LLMLAB_SERVICES_PRICE_BOOKS_H
#define LLMLAB_SERVICES_PRICE_BOOKS_H

#include <stdatomic.h>

#include <llmlab/pricing.h>

#include "base/buf.h"
#include "store/store.h"

typedef struct llmlab__price_books_s llmlab__price_books_t;

/* One state of a project's prices; whoever holds it keeps it alive. */
typedef struct llmlab__project_book_s {
    _Atomic int holders;
    llmlab_price_book_t *book; /* NULL: the built-in table */
} llmlab__project_book_t;

/* NULL: out of memory. */
llmlab__price_books_t *llmlab__price_books_new(llmlab__store_t *store);
/* Nobody holds a book any more. NULL: no-op. */
void llmlab__price_books_destroy(llmlab__price_books_t *books);

/* Of a project, as its prices are now; NULL when they cannot be read (the
 * detail tells). Any thread. Give it back with the release. */
llmlab__project_book_t *llmlab__price_books_hold(llmlab__price_books_t *books,
                                                 int64_t project);
/* NULL: no-op. */
void llmlab__project_book_release(llmlab__project_book_t *held);
/* The project's prices have changed, and the change is committed. */
void llmlab__price_books_forget(llmlab__price_books_t *books, int64_t project);

/* Append the project's prices as a price file; *any tells whether there are
 * some. */
llmlab_status_t llmlab__price_file_write(llmlab__reader_t *reader,
                                         const llmlab__price_ops_t *ops,
                                         int64_t project, llmlab__buf_t *out,
                                         bool *any);

#endif
