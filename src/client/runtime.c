/* A client's worker, made by the first record in each process. A fork leaves
 * the parent's rings, thread and connection behind in the child; the child
 * leaks them and starts anew. */
#include <string.h>

#include "base/clock.h"
#include "base/os.h"
#include "client/client.h"

#define NS_PER_MS INT64_C(1000000)
/* A batch of a live client waits no longer, whatever its size. */
#define LIVE_AGE_NS (1000 * NS_PER_MS)

#define TEXT(id)   llmlab__settings_text(settings, LLMLAB__SETTING_##id)
#define INT(id)    llmlab__settings_int(settings, LLMLAB__SETTING_##id)
#define CHOICE(id) llmlab__settings_choice(settings, LLMLAB__SETTING_##id)

llmlab__worker_t *
llmlab__client_worker(const llmlab_client_t *client)
{
    if (atomic_load(&client->worker_generation) != llmlab__fork_generation()) {
        return NULL;
    }
    return atomic_load(&client->worker);
}

static void
set_server(const llmlab__settings_t *settings, llmlab__delivery_options_t *out)
{
    out->url = TEXT(URL);
    out->api_key = TEXT(API_KEY);
    out->project = TEXT(PROJECT);
    out->service = TEXT(SERVICE);
    out->environment = TEXT(ENVIRONMENT);
    out->release = TEXT(RELEASE);
    out->language = TEXT(LANGUAGE);
    out->http_timeout_ns = INT(HTTP_TIMEOUT_MS) * NS_PER_MS;
    out->connect_timeout_ms = INT(HTTP_CONNECT_TIMEOUT_MS);
    out->tls_ca_file = TEXT(TLS_CA_FILE);
    out->tls_ca_dir = TEXT(TLS_CA_DIR);
    out->tls_ca_pem = TEXT(TLS_CA_PEM);
    out->tls_cert_file = TEXT(TLS_CERT_FILE);
    out->tls_key_file = TEXT(TLS_KEY_FILE);
    out->proxy = TEXT(PROXY);
    out->no_proxy = TEXT(NO_PROXY);
    out->prices_url = TEXT(PRICES_URL);
    out->prices_public_key = TEXT(PRICES_PUBLIC_KEY);
    out->prices_interval_ns = INT(PRICES_INTERVAL_MS) * NS_PER_MS;
}

/* A record in the spool belongs to a server, a project and a key. */
static void
set_spool(const llmlab__settings_t *settings, llmlab__delivery_options_t *out)
{
    bool has_tenant =
        out->exporter == LLMLAB__EXPORT_SERVER && out->api_key[0] != '\0';

    out->spool.mode = has_tenant ? TEXT(SPOOL_MODE) : "off";
    out->spool.ring_directory = TEXT(SPOOL_RING_DIR);
    out->spool.max_bytes = (size_t)INT(SPOOL_MAX_BYTES);
}

void
llmlab__client_options(const llmlab_client_t *client,
                       llmlab__delivery_options_t *out)
{
    const llmlab__settings_t *settings = &client->settings;
    size_t memory = (size_t)INT(QUEUE_MAX_BYTES);

    set_server(settings, out);
    out->log = &client->log;
    out->exporter = (llmlab__exporter_kind_t)CHOICE(EXPORTER);
    set_spool(settings, out);
    out->exit_flush_ms = INT(EXIT_FLUSH_MS);
    out->pace_ms = INT(PACE_MS);
    out->file = TEXT(EXPORTER_FILE);
    out->memory_limit = memory / 2; /* the rings have the other half */
    out->max_calls = (uint32_t)INT(BATCH_MAX_CALLS);
    out->max_bytes = (size_t)INT(BATCH_MAX_BYTES);
    if (out->max_bytes > memory / 8) {
        out->max_bytes = memory / 8;
    }
    out->max_age_ns = INT(BATCH_MAX_AGE_MS) * NS_PER_MS;
    if (client->tracer.live && out->max_age_ns > LIVE_AGE_NS) {
        out->max_age_ns = LIVE_AGE_NS;
    }
    out->compress_level = (int)INT(COMPRESS_LEVEL);
    if (out->exporter == LLMLAB__EXPORT_CONSOLE) {
        out->max_age_ns = 0; /* somebody is looking */
    } else if (out->exporter == LLMLAB__EXPORT_MEMORY) {
        out->compress_level = 0; /* what tests read is JSON */
    }
    out->delivery_timeout_ns = INT(DELIVERY_TIMEOUT_MS) * NS_PER_MS;
    out->retry_base_ms = INT(RETRY_BASE_MS);
    out->retry_max_ms = INT(RETRY_MAX_MS);
    out->probe_ms = INT(PROBE_MS);
}

static void
released(void *owner)
{
    llmlab__client_free(owner);
}

static llmlab_status_t
make_worker(llmlab_client_t *client, llmlab__worker_t **out)
{
    const llmlab__settings_t *settings = &client->settings;
    llmlab__worker_config_t config;
    char directory[256];
    llmlab_status_t status;
    bool wants_files;
    bool has_files;

    memset(&config, 0, sizeof(config));
    llmlab__client_options(client, &config.options);
    wants_files = strcmp(config.options.spool.mode, "off") != 0;
    config.rings.max_bytes = (size_t)INT(QUEUE_MAX_BYTES) / 2;
    config.rings.ring_bytes = (size_t)INT(QUEUE_RING_BYTES);
    if (wants_files &&
        llmlab__os_ring_directory(config.options.spool.ring_directory, true,
                                  directory, sizeof(directory))) {
        config.rings.directory = directory;
    }
    config.tracer = &client->tracer;
    config.transport = client->transport;
    config.mock = client->mock;
    config.release = released;
    config.owner = client;
    status = llmlab__worker_new(out, &config);
    if (status != LLMLAB_OK) {
        return status;
    }
    has_files = llmlab__ring_set_is_file(llmlab__worker_rings(*out));
    if (wants_files && !has_files && !client->told_no_tmpfs) {
        client->told_no_tmpfs = true;
        llmlab__log(&client->log, LLMLAB_LOG_WARNING,
                    "no tmpfs with room for the rings: calls that are not yet "
                    "delivered are lost when the process is killed");
    }
    return LLMLAB_OK;
}

static bool
prepare(llmlab_client_t *client, uint64_t generation)
{
    llmlab__tracer_t *tracer = &client->tracer;
    llmlab__worker_t *worker;

    if (client->mock != NULL && client->opened_in != generation) {
        /* The parent's lock may be held in it for ever. */
        client->mock = llmlab__mock_new();
        if (client->mock == NULL) {
            return false;
        }
    }
    if (make_worker(client, &worker) != LLMLAB_OK) {
        return false;
    }
    if (!llmlab__worker_start(worker)) {
        llmlab__worker_destroy(worker);
        return false;
    }
    atomic_store_explicit(&tracer->clock_offset_ns, llmlab__clock_offset_ns(),
                          memory_order_relaxed);
    atomic_store(&client->worker, worker);
    atomic_store(&client->worker_generation, generation);
    atomic_store(&tracer->rings, llmlab__worker_rings(worker));
    atomic_store(&tracer->generation, generation);
    return true;
}

bool
llmlab__client_prepare(llmlab__tracer_t *tracer)
{
    llmlab_client_t *client = llmlab__client_of(tracer);
    uint64_t generation = llmlab__fork_generation();
    bool is_ready;

    llmlab__fork_lock(&client->lock);
    is_ready = atomic_load(&tracer->generation) == generation ||
               prepare(client, generation);
    llmlab__fork_unlock(&client->lock);
    return is_ready;
}
