#include "client/client.h"

#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <llmlab/sys/mock.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/sabotage.h"
#include "base/status.h"
#include "client/config.h"
#include "delivery/exit_hook.h"
#include "delivery/recovery.h"
#include "delivery/transport.h"
#include "pricing/windows.h"

#define NS_PER_S        INT64_C(1000000000)
#define NS_PER_MS       INT64_C(1000000)
#define DEFAULT_WAIT_MS 2000
#define GRACE_NS        (20 * NS_PER_MS) /* of the 50 ms past a deadline */
#define TWO_TO_THE_64TH 18446744073709551616.0

enum { EXPORT_SERVER = 0, EXPORT_MEMORY = 3 };

#define TEXT(id)   llmlab__settings_text(settings, LLMLAB__SETTING_##id)
#define INT(id)    llmlab__settings_int(settings, LLMLAB__SETTING_##id)
#define BOOL(id)   llmlab__settings_bool(settings, LLMLAB__SETTING_##id)
#define DOUBLE(id) llmlab__settings_double(settings, LLMLAB__SETTING_##id)
#define CHOICE(id) llmlab__settings_choice(settings, LLMLAB__SETTING_##id)

static void
on_root_ended(llmlab__tracer_t *tracer)
{
    llmlab__worker_t *worker = llmlab__client_worker(llmlab__client_of(tracer));

    if (worker != NULL) {
        llmlab__worker_hurry(worker);
    }
}

static void
on_unpriced(llmlab__tracer_t *tracer, const char *provider, const char *model)
{
    llmlab__unpriced_note(&llmlab__client_of(tracer)->unpriced, provider,
                          model);
}

void
llmlab__client_free(llmlab_client_t *client)
{
    llmlab__tracer_cleanup(&client->tracer);
    llmlab__mock_destroy(client->mock);
    llmlab__settings_cleanup(&client->settings);
    llmlab__free(client);
}

static void
set_log(llmlab_client_t *client)
{
    const llmlab__settings_t *settings = &client->settings;

    client->log.level =
        BOOL(DEBUG) ? LLMLAB_LOG_DEBUG : (llmlab_log_level_t)CHOICE(LOG_LEVEL);
}

/* The user's transport, for the first client that opens with it. */
static llmlab_status_t
take_transport(llmlab_client_t *client, const llmlab_config_t *config)
{
    if (config == NULL || config->transport == NULL) {
        return LLMLAB_OK;
    }
    if (config->transport->hooks.send == NULL ||
        atomic_flag_test_and_set(&config->transport->taken)) {
        return llmlab__fail(LLMLAB_ECONFIG,
                            "the transport has no send function, or belongs "
                            "to another client");
    }
    client->transport = config->transport->hooks;
    return LLMLAB_OK;
}

static llmlab_status_t
take_prices(llmlab_client_t *client)
{
    const llmlab__settings_t *settings = &client->settings;
    llmlab_price_book_t *book = NULL;
    llmlab_status_t status;

    if (TEXT(PRICES_URL)[0] != '\0') {
        if (TEXT(PRICES_PUBLIC_KEY)[0] == '\0') {
            return llmlab__fail(LLMLAB_ECONFIG,
                                "prices.url needs prices.public_key");
        }
        if (!llmlab__curl_ready()) {
            return llmlab__fail(LLMLAB_EINTERNAL, "libcurl cannot be used");
        }
    }
    if (TEXT(PRICES_FILE)[0] != '\0') {
        status =
            TEXT(PRICES_PUBLIC_KEY)[0] != '\0'
                ? llmlab_price_book_load_signed(&book, TEXT(PRICES_FILE),
                                                TEXT(PRICES_PUBLIC_KEY), NULL)
                : llmlab_price_book_load(&book, TEXT(PRICES_FILE));
        if (status != LLMLAB_OK) {
            return LLMLAB_ECONFIG; /* the detail tells line and field */
        }
    }
    llmlab__books_init(&client->tracer.books, book,
                       TEXT(PRICES_URL)[0] != '\0');
    return LLMLAB_OK;
}

static void
set_tracer(llmlab_client_t *client)
{
    const llmlab__settings_t *settings = &client->settings;
    llmlab__tracer_t *tracer = &client->tracer;
    double rate = DOUBLE(SAMPLE_RATE);

    tracer->live = BOOL(LIVE);
    tracer->capture = (llmlab__capture_t)CHOICE(CAPTURE_CONTENT);
    tracer->capture_max_bytes = (uint32_t)INT(CAPTURE_MAX_BYTES);
    tracer->fingerprint = (llmlab__fingerprints_t)CHOICE(FINGERPRINT);
    if (tracer->fingerprint != LLMLAB__FINGERPRINT_OFF) {
        llmlab__fingerprint_key(tracer->fingerprint_key, TEXT(PROJECT),
                                TEXT(FINGERPRINT_KEY));
    }
    tracer->sample_below =
        rate >= 1 ? UINT64_MAX : (uint64_t)(rate * TWO_TO_THE_64TH);
    tracer->full_wait_ns =
        CHOICE(QUEUE_FULL) == 1 ? INT(QUEUE_WAIT_MS) * NS_PER_MS : 0;
    tracer->hooks.prepare = llmlab__client_prepare;
    tracer->hooks.root_ended = on_root_ended;
    tracer->hooks.unpriced = on_unpriced;
    tracer->enabled = true;
}

/* A key on an open network is everybody's. */
static void
warn_of_plain_http(const llmlab_client_t *client)
{
    const llmlab__settings_t *settings = &client->settings;
    CURLU *url = curl_url();
    char *host = NULL;

    if (url != NULL && strncmp(TEXT(URL), "http:", 5) == 0 &&
        curl_url_set(url, CURLUPART_URL, TEXT(URL), 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        strncmp(host, "127.", 4) != 0 && strcmp(host, "localhost") != 0 &&
        strcmp(host, "[::1]") != 0) {
        llmlab__log(&client->log, LLMLAB_LOG_WARNING,
                    "the key goes to %.100s without TLS", host);
    }
    curl_free(host);
    curl_url_cleanup(url);
}

/* Complete a client whose settings are its own. */
static llmlab_status_t
set_up(llmlab_client_t *client, const llmlab_config_t *config)
{
    const llmlab__settings_t *settings = &client->settings;
    llmlab_status_t status = llmlab__settings_environment(&client->settings);

    set_log(client);
    if (status != LLMLAB_OK) {
        return status;
    }
    if (!BOOL(ENABLED)) {
        return llmlab__fail(LLMLAB_EDISABLED, "enabled is false");
    }
    status = take_transport(client, config);
    if (status != LLMLAB_OK) {
        return status;
    }
    if (CHOICE(EXPORTER) == EXPORT_SERVER && client->transport.send == NULL) {
        if (TEXT(API_KEY)[0] == '\0') {
            return llmlab__fail(LLMLAB_EDISABLED,
                                "no key: set api_key or LLMLAB_API_KEY, or "
                                "exporter=console");
        }
        if (!llmlab__curl_ready()) {
            return llmlab__fail(LLMLAB_EINTERNAL, "libcurl cannot be used");
        }
        warn_of_plain_http(client);
        if (llmlab__sabotaged("key_is_logged")) {
            llmlab__log(&client->log, LLMLAB_LOG_DEBUG, "%s", TEXT(API_KEY));
        }
    }
    llmlab__exit_register();
    if (CHOICE(EXPORTER) == EXPORT_MEMORY) {
        client->mock = llmlab__mock_new();
        if (client->mock == NULL) {
            return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        }
    }
    return take_prices(client);
}

/* What an earlier process left is sent although nothing is recorded here. */
static void
recover(llmlab_client_t *client)
{
    llmlab__delivery_options_t options;

    llmlab__client_options(client, &options);
    if (llmlab__recovery_is_due(&options)) {
        llmlab__client_prepare(&client->tracer);
    }
}

llmlab_status_t
llmlab_client_open(llmlab_client_t **out, const llmlab_config_t *config)
{
    llmlab_client_t *client;
    llmlab_status_t status = LLMLAB_OK;

    if (out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "out is NULL");
    }
    *out = NULL;
    client = llmlab__calloc(1, sizeof(*client));
    if (client == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    client->opened_in = llmlab__fork_generation();
    llmlab__tracer_init(&client->tracer);
    if (config != NULL) {
        client->log.fn = config->log_fn;
        client->log.payload = config->log_payload;
        status = llmlab__settings_copy(&client->settings, &config->settings);
    }
    if (status == LLMLAB_OK) {
        status = set_up(client, config);
    }
    if (status == LLMLAB_OK) {
        set_tracer(client);
        recover(client);
    } else {
        llmlab__log(&client->log,
                    status == LLMLAB_EDISABLED &&
                            !llmlab__settings_bool(&client->settings,
                                                   LLMLAB__SETTING_ENABLED)
                        ? LLMLAB_LOG_INFO
                        : LLMLAB_LOG_ERROR,
                    "disabled: %s", llmlab_status_detail());
    }
    *out = client;
    return status;
}

int
llmlab_client_enabled(const llmlab_client_t *client)
{
    return client != NULL && client->tracer.enabled;
}

/* Is the client one that was opened before a fork, and not used since? */
static bool
is_parents(const llmlab_client_t *client)
{
    return client->opened_in != llmlab__fork_generation() &&
           llmlab__client_worker(client) == NULL;
}

llmlab_status_t
llmlab_client_flush(llmlab_client_t *client, int64_t timeout_ms,
                    llmlab_flush_result_t *result)
{
    llmlab__worker_t *worker;

    if (result != NULL) {
        memset(result, 0, sizeof(*result));
    }
    if (client == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "client is NULL");
    }
    if (!client->tracer.enabled) {
        return llmlab__fail(LLMLAB_EDISABLED, "the client is disabled");
    }
    if (is_parents(client)) {
        return llmlab__fail(LLMLAB_EFORKED, "nothing was recorded in this "
                                            "process");
    }
    worker = llmlab__client_worker(client);
    if (worker == NULL) {
        return LLMLAB_OK;
    }
    return llmlab__worker_flush(
        worker, timeout_ms < 0 ? DEFAULT_WAIT_MS : timeout_ms, result);
}

static void
log_losses(const llmlab__log_t *log, uint64_t lost)
{
    if (lost > 0) {
        llmlab__log(log, LLMLAB_LOG_WARNING,
                    "closed with %llu calls undelivered: %s",
                    (unsigned long long)lost, llmlab_status_detail());
    }
}

llmlab_status_t
llmlab_client_close(llmlab_client_t *client, int64_t timeout_ms)
{
    llmlab__worker_t *worker;
    llmlab_flush_result_t left;
    llmlab_stats_t stats;
    llmlab_status_t status;
    llmlab__log_t log;
    bool is_parent;

    if (client == NULL || is_parents(client)) {
        return LLMLAB_OK;
    }
    is_parent = client->opened_in == llmlab__fork_generation();
    timeout_ms = timeout_ms < 0 ? DEFAULT_WAIT_MS : timeout_ms;
    worker = llmlab__client_worker(client);
    if (worker != NULL) {
        llmlab__worker_want_all(worker);
    }
    status = llmlab_client_flush(client, timeout_ms, &left);
    if (worker == NULL) {
        if (is_parent && client->transport.destroy != NULL) {
            client->transport.destroy(client->transport.self);
        }
        llmlab__client_free(client);
        return status;
    }
    log = client->log;
    if (!llmlab__worker_stop(worker, llmlab__clock_mono_ns() + GRACE_NS)) {
        /* Its thread is stuck in a transport, and frees both when it is not. */
        log_losses(&log, left.pending);
        return status;
    }
    llmlab_stats_init(&stats);
    llmlab_client_stats(client, &stats);
    log_losses(&log, stats.dropped[LLMLAB_DROP_CLOSED]);
    if (stats.spooled > 0) {
        llmlab__log(&log, LLMLAB_LOG_INFO,
                    "closed with %llu calls in the spool: the next process "
                    "sends them",
                    (unsigned long long)stats.spooled);
    }
    llmlab__worker_destroy(worker);
    llmlab__client_free(client);
    return status;
}

static void
read_price_table(const llmlab_client_t *client, llmlab_stats_t *stats)
{
    /* Taking a book counts, and changes nothing else. */
    llmlab__books_t *books =
        (llmlab__books_t *)(uintptr_t)&client->tracer.books;
    unsigned slot = llmlab__books_take(books);
    int64_t version_s;

    snprintf(stats->price_table, sizeof(stats->price_table), "%s",
             llmlab_price_book_version(llmlab__books_at(books, slot)));
    llmlab__books_release(books, slot);
    stats->price_age_s = llmlab__instant_parse(stats->price_table, &version_s)
                             ? llmlab__clock_real_ns() / NS_PER_S - version_s
                             : -1;
    if (stats->price_age_s < -1) {
        stats->price_age_s = 0; /* of the future */
    }
}

llmlab_status_t
llmlab_client_stats(const llmlab_client_t *client, llmlab_stats_t *out)
{
    llmlab_stats_t stats;
    size_t size;

    if (client == NULL || out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%s is NULL",
                            client == NULL ? "client" : "out");
    }
    llmlab_stats_init(&stats);
    llmlab__worker_stats(llmlab__client_worker(client), &client->tracer,
                         &stats);
    read_price_table(client, &stats);
    /* A caller built against an older header has a shorter struct. */
    size = out->struct_size < sizeof(stats) ? out->struct_size : sizeof(stats);
    if (size < sizeof(size)) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "struct_size: call llmlab_stats_init() first");
    }
    stats.struct_size = out->struct_size;
    memcpy(out, &stats, size);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_mock_take_batch(llmlab_client_t *client, char **out, size_t *out_size)
{
    if (client == NULL || out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%s is NULL",
                            client == NULL ? "client" : "out");
    }
    *out = NULL;
    if (client->mock == NULL) {
        return llmlab__fail(LLMLAB_EUNSUPPORTED, "exporter is not memory");
    }
    return llmlab__mock_take(client->mock, out, out_size);
}

llmlab_status_t
llmlab_mock_push_status(llmlab_client_t *client, int http_status,
                        int64_t retry_after_ms)
{
    if (client == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "client is NULL");
    }
    if (client->mock == NULL) {
        return llmlab__fail(LLMLAB_EUNSUPPORTED, "exporter is not memory");
    }
    return llmlab__mock_push(client->mock, http_status, retry_after_ms);
}
