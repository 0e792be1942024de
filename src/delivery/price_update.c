#include "delivery/price_update.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"
#include "delivery/fetch.h"
#include "delivery/retry.h"
#include "pricing/signed.h"
#include "pricing/windows.h"

#define NS_PER_S      INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define FILE_MAX      ((size_t)8 << 20)
#define TICK_NS       (20 * NS_PER_MS) /* while a fetch is under way */
#define FIRST_MAX_NS  (60 * NS_PER_S)
#define RETRY_BASE_MS 5000
#define RETRY_MAX_MS  600000

struct llmlab__price_update_s {
    const llmlab__delivery_options_t *options;
    llmlab__tracer_t *tracer;
    const atomic_bool *is_muted; /* the client is gone: log no more */
    llmlab__fetch_t *fetch;      /* made by the worker's thread */
    llmlab__rng_t rng;
    llmlab__backoff_t backoff;
    bool has_begun; /* the first time is chosen */
    bool is_under_way;
    int64_t next_ns;
    /* Of the file that was judged last, and how. */
    char etag[LLMLAB__VALIDATOR_TEXT];
    char modified[LLMLAB__VALIDATOR_TEXT];
    llmlab_status_t judged;
    char judged_why[200];

    pthread_mutex_t lock; /* guards the state */
    llmlab__price_update_state_t state;
};

llmlab__price_update_t *
llmlab__price_update_new(const llmlab__delivery_options_t *options,
                         llmlab__tracer_t *tracer, const atomic_bool *is_muted)
{
    llmlab__price_update_t *update = llmlab__calloc(1, sizeof(*update));

    if (update != NULL) {
        update->options = options;
        update->tracer = tracer;
        update->is_muted = is_muted;
        update->backoff.base_ms = RETRY_BASE_MS;
        update->backoff.max_ms = RETRY_MAX_MS;
        llmlab__rng_seed(&update->rng);
        pthread_mutex_init(&update->lock, NULL);
    }
    return update;
}

void
llmlab__price_update_stop(llmlab__price_update_t *update)
{
    llmlab__fetch_destroy(update->fetch);
    update->fetch = NULL;
    update->is_under_way = false;
}

void
llmlab__price_update_destroy(llmlab__price_update_t *update)
{
    if (update != NULL) {
        llmlab__price_update_stop(update);
        pthread_mutex_destroy(&update->lock);
        llmlab__free(update);
    }
}

void
llmlab__price_update_read(llmlab__price_update_t *update,
                          llmlab__price_update_state_t *out)
{
    pthread_mutex_lock(&update->lock);
    *out = update->state;
    pthread_mutex_unlock(&update->lock);
}

/* A random time up to a bound, so that a fleet does not come at once. */
static int64_t
up_to(llmlab__price_update_t *update, int64_t bound_ns)
{
    return (int64_t)(llmlab__rng_next(&update->rng) % (uint64_t)(bound_ns + 1));
}

static void
schedule(llmlab__price_update_t *update, int64_t now_ns, bool is_outage)
{
    int64_t interval_ns = update->options->prices_interval_ns;
    int64_t wait_ns =
        interval_ns - interval_ns / 10 + up_to(update, interval_ns / 5);

    if (is_outage) {
        int64_t retry_ns =
            llmlab__backoff_next(&update->backoff, &update->rng, -1) *
            NS_PER_MS;

        wait_ns = retry_ns < wait_ns ? retry_ns : wait_ns;
    } else {
        update->backoff.failures = 0;
    }
    update->next_ns = now_ns + wait_ns;
}

/* One line where something has changed. */
static void
tell(const llmlab__price_update_t *update, bool is_new, llmlab_status_t status,
     const char *detail, const char *version)
{
    const llmlab__log_t *log = update->options->log;

    if (atomic_load(update->is_muted)) {
        return;
    }
    if (status == LLMLAB_OK) {
        if (version != NULL) {
            llmlab__log(log, LLMLAB_LOG_INFO, "prices of %.40s are in use",
                        version);
        }
    } else if (is_new) {
        llmlab__log(log, LLMLAB_LOG_WARNING,
                    "the prices stay as they are: %.200s: %s",
                    update->options->prices_url, detail);
    }
}

/* Remember how a fetch ended; version: of the book that it brought. */
static void
note(llmlab__price_update_t *update, llmlab_status_t status, bool is_refusal,
     const char *detail, const char *version)
{
    llmlab__price_update_state_t *state = &update->state;
    bool is_new;

    pthread_mutex_lock(&update->lock);
    is_new = state->status != status || strcmp(state->detail, detail) != 0;
    state->status = status;
    snprintf(state->detail, sizeof(state->detail), "%s", detail);
    state->taken += version != NULL;
    state->refused += is_refusal;
    if (status == LLMLAB_OK) {
        state->checked_ns = llmlab__clock_real_ns();
    }
    pthread_mutex_unlock(&update->lock);
    tell(update, is_new, status, detail, version);
}

/* Below 0: older than the book in use, 0: the same version, above 0: newer.
 * Whatever book is no update's is older. */
static int
compare_versions(const llmlab_price_book_t *book,
                 const llmlab_price_book_t *present)
{
    int64_t before_s;
    int64_t after_s;

    if (present == NULL ||
        !llmlab__instant_parse(llmlab_price_book_version(present), &before_s) ||
        !llmlab__instant_parse(llmlab_price_book_version(book), &after_s)) {
        return 1;
    }
    return (after_s > before_s) - (after_s < before_s);
}

/* Take the file over if it is what it must be. */
static llmlab_status_t
take(llmlab__price_update_t *update, const llmlab__buf_t *body,
     const char **out_version)
{
    llmlab__books_t *books = &update->tracer->books;
    const llmlab_price_book_t *present = llmlab__books_newest(books);
    llmlab_price_book_t *book = NULL;
    llmlab_status_t status = llmlab__price_book_parse_signed(
        &book, (const char *)body->data, body->size,
        update->options->prices_public_key, NULL,
        llmlab__clock_real_ns() / NS_PER_S);
    int order;

    if (status != LLMLAB_OK) {
        return status;
    }
    order = compare_versions(book, present);
    if (order == 0) {
        goto out; /* the one in use */
    }
    if (order < 0) {
        status = llmlab__fail(LLMLAB_EAUTH, "version %.40s is not above %.40s",
                              llmlab_price_book_version(book),
                              llmlab_price_book_version(present));
        goto out;
    }
    status = llmlab__price_book_check_change(book, present);
    if (status != LLMLAB_OK) {
        goto out;
    }
    if (!llmlab__books_replace(books, book)) {
        status = llmlab__fail(LLMLAB_EFULL, "open spans hold older prices");
        goto out;
    }
    *out_version = llmlab_price_book_version(book);
    book = NULL;
out:
    llmlab_price_book_destroy(book);
    return status;
}

static void
judge_file(llmlab__price_update_t *update, const llmlab__fetched_t *fetched,
           int64_t now_ns)
{
    const char *version = NULL;
    llmlab_status_t status = take(update, &fetched->body, &version);
    const char *why = status == LLMLAB_OK ? "" : llmlab_status_detail();
    bool may_pass = status == LLMLAB_EFULL || status == LLMLAB_ENOMEM;

    if (!may_pass) {
        /* It need not come again. */
        memcpy(update->etag, fetched->etag, sizeof(update->etag));
        memcpy(update->modified, fetched->modified, sizeof(update->modified));
        update->judged = status;
        snprintf(update->judged_why, sizeof(update->judged_why), "%s", why);
    }
    note(update, status, status != LLMLAB_OK && !may_pass, why, version);
    schedule(update, now_ns, may_pass);
}

static void
judge(llmlab__price_update_t *update, const llmlab__fetched_t *fetched,
      int64_t now_ns)
{
    int http_status = fetched->http_status;
    char detail[64];

    if (http_status == 200) {
        judge_file(update, fetched, now_ns);
    } else if (http_status == 304) {
        note(update, update->judged, false, update->judged_why, NULL);
        schedule(update, now_ns, false);
    } else if (fetched->is_too_large) {
        snprintf(detail, sizeof(detail), "larger than %zu bytes", FILE_MAX);
        note(update, LLMLAB_ETOOBIG, true, detail, NULL);
        schedule(update, now_ns, false);
    } else if (http_status == 0) {
        note(update, LLMLAB_ENETWORK, false, fetched->why, NULL);
        schedule(update, now_ns, true);
    } else {
        bool is_outage =
            llmlab__verdict(http_status, true) == LLMLAB__VERDICT_RETRY;

        snprintf(detail, sizeof(detail), "HTTP status %d", http_status);
        note(update, is_outage ? LLMLAB_ENETWORK : LLMLAB_EREJECTED, !is_outage,
             detail, NULL);
        schedule(update, now_ns, is_outage);
    }
}

static bool
begin(llmlab__price_update_t *update, int64_t now_ns)
{
    const llmlab__delivery_options_t *options = update->options;

    if (update->fetch == NULL) {
        update->fetch = llmlab__fetch_new(options, FILE_MAX);
    }
    return update->fetch != NULL &&
           llmlab__fetch_begin(update->fetch, options->prices_url, update->etag,
                               update->modified,
                               now_ns + options->http_timeout_ns);
}

int64_t
llmlab__price_update_step(llmlab__price_update_t *update, int64_t now_ns)
{
    int64_t interval_ns = update->options->prices_interval_ns;
    const llmlab__fetched_t *fetched;

    if (!update->has_begun) {
        update->has_begun = true;
        update->next_ns =
            now_ns + up_to(update, interval_ns < FIRST_MAX_NS ? interval_ns
                                                              : FIRST_MAX_NS);
    }
    if (!update->is_under_way) {
        if (now_ns < update->next_ns) {
            return update->next_ns;
        }
        if (!begin(update, now_ns)) {
            note(update, LLMLAB_EINTERNAL, false, "libcurl refuses", NULL);
            schedule(update, now_ns, true);
            return update->next_ns;
        }
        update->is_under_way = true;
    }
    fetched = llmlab__fetch_step(update->fetch, now_ns);
    if (fetched == NULL) {
        return now_ns + TICK_NS;
    }
    update->is_under_way = false;
    judge(update, fetched, now_ns);
    return update->next_ns;
}
