#include "services/price_books.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/status.h"
#include "log.h"

typedef struct entry_s {
    int64_t project;
    llmlab__project_book_t *held;
} entry_t;

struct llmlab__price_books_s {
    llmlab__store_t *store;
    pthread_mutex_t lock;
    entry_t *entries; /* by project, ascending */
    size_t count;
    size_t capacity;
    uint64_t changes; /* what was read before the last one is not kept */
};

llmlab__price_books_t *
llmlab__price_books_new(llmlab__store_t *store)
{
    llmlab__price_books_t *books = llmlab__calloc(1, sizeof(*books));

    if (books != NULL) {
        books->store = store;
        pthread_mutex_init(&books->lock, NULL);
    }
    return books;
}

void
llmlab__price_books_destroy(llmlab__price_books_t *books)
{
    if (books == NULL) {
        return;
    }
    for (size_t i = 0; i < books->count; i++) {
        llmlab__project_book_release(books->entries[i].held);
    }
    pthread_mutex_destroy(&books->lock);
    llmlab__free(books->entries);
    llmlab__free(books);
}

void
llmlab__project_book_release(llmlab__project_book_t *held)
{
    if (held != NULL && atomic_fetch_sub(&held->holders, 1) == 1) {
        llmlab_price_book_destroy(held->book);
        llmlab__free(held);
    }
}

/* The first entry whose project is not below. */
static size_t
place_of(const llmlab__price_books_t *books, int64_t project)
{
    size_t low = 0;
    size_t high = books->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (books->entries[middle].project < project) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
has(const llmlab__price_books_t *books, size_t place, int64_t project)
{
    return place < books->count && books->entries[place].project == project;
}

/* Keep it for the next who asks; without memory it is read anew. */
static void
keep(llmlab__price_books_t *books, int64_t project,
     llmlab__project_book_t *held)
{
    size_t place = place_of(books, project);

    if (has(books, place, project)) {
        return;
    }
    if (books->count == books->capacity) {
        size_t capacity = books->capacity == 0 ? 16 : 2 * books->capacity;
        entry_t *entries =
            llmlab__realloc(books->entries, capacity * sizeof(*entries));

        if (entries == NULL) {
            return;
        }
        books->entries = entries;
        books->capacity = capacity;
    }
    for (size_t i = books->count; i > place; i--) {
        books->entries[i] = books->entries[i - 1];
    }
    books->count++;
    books->entries[place] = (entry_t){.project = project, .held = held};
    atomic_fetch_add(&held->holders, 1);
}

static llmlab_status_t
book_read(llmlab__store_t *store, int64_t project, llmlab_price_book_t **out)
{
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab_status_t status;
    llmlab__buf_t text;
    bool any = false;

    *out = NULL;
    if (reader == NULL) {
        return llmlab__fail(LLMLAB_EIO, "cannot open the database");
    }
    llmlab__buf_init(&text);
    status =
        llmlab__price_file_write(reader, store->prices, project, &text, &any);
    store->ops->release(store, reader);
    if (status == LLMLAB_OK && any) {
        status =
            llmlab_price_book_parse(out, (const char *)text.data, text.size);
        if (status == LLMLAB_EPARSE) {
            /* Made for another table: a batch must not be refused for it. */
            llmlab__server_log(LLMLAB_LOG_ERROR, "prices unusable",
                               "project %lld: %s", (long long)project,
                               llmlab_status_detail());
            status = LLMLAB_OK;
        }
    }
    llmlab__buf_cleanup(&text);
    return status;
}

static llmlab__project_book_t *
book_make(llmlab__store_t *store, int64_t project)
{
    llmlab__project_book_t *held = llmlab__calloc(1, sizeof(*held));

    if (held == NULL) {
        (void)llmlab__fail(LLMLAB_ENOMEM, "no memory for a price book");
        return NULL;
    }
    atomic_store(&held->holders, 1);
    if (book_read(store, project, &held->book) != LLMLAB_OK) {
        llmlab__free(held);
        return NULL;
    }
    return held;
}

llmlab__project_book_t *
llmlab__price_books_hold(llmlab__price_books_t *books, int64_t project)
{
    llmlab__project_book_t *held = NULL;
    uint64_t changes;
    size_t place;

    pthread_mutex_lock(&books->lock);
    place = place_of(books, project);
    if (has(books, place, project)) {
        held = books->entries[place].held;
        atomic_fetch_add(&held->holders, 1);
    }
    changes = books->changes;
    pthread_mutex_unlock(&books->lock);
    if (held != NULL) {
        return held;
    }
    held = book_make(books->store, project);
    pthread_mutex_lock(&books->lock);
    if (held != NULL && changes == books->changes) {
        keep(books, project, held);
    }
    pthread_mutex_unlock(&books->lock);
    return held;
}

void
llmlab__price_books_forget(llmlab__price_books_t *books, int64_t project)
{
    llmlab__project_book_t *held = NULL;
    size_t place;

    pthread_mutex_lock(&books->lock);
    books->changes++;
    place = place_of(books, project);
    if (has(books, place, project)) {
        held = books->entries[place].held;
        books->count--;
        for (size_t i = place; i < books->count; i++) {
            books->entries[i] = books->entries[i + 1];
        }
    }
    pthread_mutex_unlock(&books->lock);
    llmlab__project_book_release(held);
}
