#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include <llmlab/pricing.h>
#include <llmlab/version.h>

#include "activation.h"
#include "base/buf.h"
#include "base/clock.h"
#include "housekeeping.h"
#include "http/listener.h"
#include "key_command.h"
#include "log.h"
#include "options.h"
#include "services/job_kinds.h"
#include "services/ticket.h"
#include "upkeep_command.h"

/* How long open requests may take to finish after SIGTERM. */
#define DRAIN_SECONDS 10
#define PEM_MAX       (256 * 1024)

static int
complain(const char *text)
{
    (void)fprintf(stderr, "llmlab-server: %s\n", text);
    return 1;
}

static bool
pem_read(const char *path, llmlab__buf_t *out)
{
    FILE *file = fopen(path, "re");
    unsigned char *to = llmlab__buf_reserve(out, PEM_MAX);

    if (file == NULL || to == NULL) {
        (void)fprintf(stderr, "llmlab-server: cannot read %s: %s\n", path,
                      strerror(errno));
        if (file != NULL) {
            (void)fclose(file);
        }
        return false;
    }
    out->size = fread(to, 1, PEM_MAX - 1, file);
    (void)fclose(file);
    llmlab__buf_append(out, "", 1);
    return !out->failed;
}

static bool
port_file_write(const char *path, uint16_t port)
{
    char temporary[LLMLAB__PATH_TEXT];
    FILE *file;
    bool good;

    if (path == NULL) {
        return true;
    }
    /* Renamed when whole: who waits for the file reads all of it. */
    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    file = fopen(temporary, "we");
    good = file != NULL && fprintf(file, "%u\n", port) > 0;
    if (file != NULL) {
        good = fclose(file) == 0 && good;
    }
    good = good && rename(temporary, path) == 0;
    if (!good) {
        (void)fprintf(stderr, "llmlab-server: cannot write %s: %s\n", path,
                      strerror(errno));
    }
    return good;
}

/* Signals are taken here and nowhere else. */
static void
signals_block(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void
await_requests(llmlab__server_t *server, int seconds)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t end = llmlab__clock_mono_ns() + seconds * INT64_C(1000000000);

    while (atomic_load(&server->metrics.in_flight) > 0 &&
           llmlab__clock_mono_ns() < end) {
        (void)nanosleep(&pause, NULL);
    }
}

/* Each answer ends its connection by now; those that are idle may bring a
 * request that is on its way. */
static void
await_connections(llmlab__listener_t *listener, unsigned seconds)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t end = llmlab__clock_mono_ns() + seconds * INT64_C(1000000000);

    while (llmlab__listener_connections(listener) > 0 &&
           llmlab__clock_mono_ns() < end) {
        llmlab__listener_reap(listener);
        (void)nanosleep(&pause, NULL);
    }
}

/* Not ready, no new connections, then the end of what is under way. No
 * request waits for the writer once it has stopped. */
static void
drain(llmlab__server_t *server, llmlab__listener_t *listener,
      const llmlab__options_t *options)
{
    llmlab__activation_notify("STOPPING=1");
    atomic_store(&server->draining, true);
    if (listener != NULL && options->drain_delay > 0) {
        (void)sleep(options->drain_delay);
    }
    llmlab__listener_quiesce(listener);
    await_connections(listener, options->drain_seconds);
    await_requests(server, DRAIN_SECONDS);
    llmlab__scheduler_stop(server->scheduler);
    llmlab__writer_stop(server->writer);
    await_requests(server, 1);
}

static int
await_signal(llmlab__server_t *server, const sigset_t *signals,
             llmlab__listener_t *listener, llmlab__listener_t *metrics_listener)
{
    const struct timespec second = {.tv_sec = 1};
    int number;

    while ((number = sigtimedwait(signals, NULL, &second)) < 0) {
        llmlab__housekeeping_step(server);
        llmlab__listener_reap(listener);
        llmlab__listener_reap(metrics_listener);
    }
    return number;
}

/* While there is no account, who has the token may make the first. */
static void
setup_offer(llmlab__server_t *server)
{
    llmlab__store_t *store = server->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    char token[LLMLAB__TICKET_TEXT];
    int64_t count = 1;

    if (reader != NULL) {
        (void)store->ops->admin->account_count(reader, &count);
        store->ops->release(store, reader);
    }
    if (count == 0) {
        llmlab__ticket_make(token, server->setup_token);
        atomic_store(&server->setup_open, true);
        (void)printf("no account yet: POST /v1/auth/setup takes this token, "
                     "once: %s\n",
                     token);
        sodium_memzero(token, sizeof(token));
    }
}

/* Keys must not cross a network in the clear. */
static bool
address_allowed(const char *address, const llmlab__options_t *options)
{
    if (llmlab__address_is_local(address) || options->behind_proxy ||
        options->tls_cert != NULL) {
        return true;
    }
    (void)fprintf(
        stderr,
        "llmlab-server: --listen %s: others can reach this address, and "
        "keys would cross the network in the clear.\n"
        "Use --tls-cert and --tls-key, or put a proxy with TLS before it "
        "and say --behind-proxy (server/nginx/llmlab.conf is one).\n",
        address);
    return false;
}

static int
serve(llmlab__server_t *server, const llmlab__options_t *options,
      const sigset_t *signals)
{
    llmlab__listen_options_t listen = {.address = options->listen,
                                       .threads = options->threads,
                                       .socket = llmlab__activation_socket(0)};
    llmlab__listen_options_t metrics = {.address = options->metrics_listen,
                                        .threads = 1,
                                        .socket = llmlab__activation_socket(1),
                                        .metrics = true};
    llmlab__listener_t *listener = NULL;
    llmlab__listener_t *metrics_listener = NULL;
    llmlab__buf_t cert;
    llmlab__buf_t key;
    int code = 1;
    int number;

    llmlab__buf_init(&cert);
    llmlab__buf_init(&key);
    if (options->tls_cert != NULL) {
        if (!pem_read(options->tls_cert, &cert) ||
            !pem_read(options->tls_key, &key)) {
            goto out;
        }
        listen.tls_cert = (const char *)cert.data;
        listen.tls_key = (const char *)key.data;
    }
    if (llmlab__listener_start(&listener, server, &listen) != LLMLAB_OK ||
        ((options->metrics_listen != NULL || metrics.socket >= 0) &&
         llmlab__listener_start(&metrics_listener, server, &metrics) !=
             LLMLAB_OK)) {
        complain(llmlab_status_detail());
        goto out;
    }
    /* A socket that was handed over may be anywhere. */
    if (!address_allowed(llmlab__listener_address(listener), options)) {
        goto out;
    }
    if (!port_file_write(options->port_file, llmlab__listener_port(listener))) {
        goto out;
    }
    (void)printf("listening on %s://%s\n",
                 options->tls_cert == NULL ? "http" : "https",
                 llmlab__listener_address(listener));
    if (metrics_listener != NULL) {
        (void)printf("metrics on http://%s/metrics\n",
                     llmlab__listener_address(metrics_listener));
    }
    setup_offer(server);
    (void)fflush(stdout);
    llmlab__activation_notify("READY=1");
    llmlab__server_log(LLMLAB_LOG_INFO, "started",
                       "version %s, prices of %s, database %s",
                       llmlab_version(), llmlab_pricing_version(), options->db);
    number = await_signal(server, signals, listener, metrics_listener);
    llmlab__server_log(LLMLAB_LOG_INFO, "stopping", "%s",
                       number == SIGTERM ? "SIGTERM" : "SIGINT");
    code = 0;
out:
    drain(server, listener, options);
    llmlab__listener_stop(listener);
    llmlab__listener_stop(metrics_listener);
    llmlab__buf_cleanup(&cert);
    if (key.data != NULL) {
        sodium_memzero(key.data, key.size);
    }
    llmlab__buf_cleanup(&key);
    return code;
}

static int
serve_command(const llmlab__options_t *options)
{
    llmlab__server_t *server;
    static llmlab__server_t storage;
    sigset_t signals;
    int code = 1;

    server = &storage;
    if (llmlab__address_check(options->listen) != LLMLAB_OK ||
        (options->metrics_listen != NULL &&
         llmlab__address_check(options->metrics_listen) != LLMLAB_OK)) {
        return complain(llmlab_status_detail());
    }
    if (!address_allowed(options->listen, options)) {
        return 1;
    }
    signals_block(&signals);
    /* Great bodies go back to the system when they are done with. */
    (void)mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    server->limits = options->limits;
    server->export_dir = options->exports;
    server->backup_dir = options->backups;
    server->key_quota = (int64_t)options->key_limit;
    server->account_quota = (int64_t)options->account_limit;
    memcpy(server->proxies, options->proxies, sizeof(server->proxies));
    server->proxy_count = options->proxy_count;
    memcpy(server->origins, options->origins, sizeof(server->origins));
    server->origin_count = options->origin_count;
    atomic_store(&server->purge_wanted, true); /* one may be half done */
    server->metrics.start_ns = llmlab__clock_real_ns();
    if (llmlab__store_sqlite_open(&server->store, options->db) != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    if (llmlab__store_sqlite_own(server->store) != LLMLAB_OK ||
        server->store->ops->secret(server->store, server->secret) !=
            LLMLAB_OK ||
        llmlab__answer_cache_create(&server->answers) != LLMLAB_OK ||
        (server->books = llmlab__price_books_new(server->store)) == NULL ||
        (server->shapes = llmlab__shapes_new()) == NULL ||
        llmlab__vault_open(&server->vault, server->store,
                           options->master_key) != LLMLAB_OK ||
        llmlab__vault_signer(&server->vault, server->store, &server->signer) !=
            LLMLAB_OK ||
        llmlab__meter_new(&server->meter) != LLMLAB_OK ||
        llmlab__meter_new(&server->tries) != LLMLAB_OK ||
        llmlab__writer_start(&server->writer, server->store) != LLMLAB_OK) {
        complain(llmlab_status_detail());
    } else if (llmlab__scheduler_start(&server->scheduler, server,
                                       server->store,
                                       llmlab__job_kinds) != LLMLAB_OK) {
        complain(llmlab_status_detail());
        llmlab__writer_stop(server->writer);
    } else {
        code = serve(server, options, &signals);
    }
    llmlab__scheduler_destroy(server->scheduler);
    llmlab__writer_destroy(server->writer);
    llmlab__answer_cache_destroy(server->answers);
    llmlab__price_books_destroy(server->books);
    llmlab__shapes_destroy(server->shapes);
    llmlab__housekeeping_end(server);
    llmlab__meter_destroy(server->meter);
    llmlab__meter_destroy(server->tries);
    llmlab__vault_close(&server->vault);
    server->store->ops->close(server->store);
    llmlab__server_log(LLMLAB_LOG_INFO, "stopped", "%s", "");
    return code;
}

static int
rekey_command(const llmlab__options_t *options)
{
    llmlab__store_t *store;
    unsigned count = 0;
    llmlab_status_t status;

    if (llmlab__store_sqlite_open(&store, options->db) != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    status = llmlab__store_sqlite_own(store);
    if (status == LLMLAB_OK) {
        status = llmlab__vault_rekey(store, options->master_key, &count);
    }
    store->ops->close(store);
    if (status != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    (void)printf("new master key in %s, %u secrets sealed with it; keep a copy "
                 "apart from the database's\n",
                 options->master_key, count);
    return 0;
}

int
main(int argc, char **argv)
{
    llmlab__options_t options;
    llmlab__parse_t parsed;

    /* A file that may not grow is a write that fails, as a full disk is. */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (sodium_init() < 0) {
        return complain("libsodium cannot start");
    }
    if (argc > 1 && strcmp(argv[1], "version") == 0) {
        (void)printf("llmlab-server %s (prices of %s)\n", llmlab_version(),
                     llmlab_pricing_version());
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "key") == 0) {
        const char *verb = argv[2];

        if (strcmp(verb, "create") != 0 && strcmp(verb, "list") != 0 &&
            strcmp(verb, "revoke") != 0) {
            return complain("key: create, list or revoke? -h tells");
        }
        parsed = llmlab__options_parse(
            &options, argc - 2, argv + 2,
            strcmp(verb, "revoke") == 0 ? "key revoke" : "key");
        return parsed == LLMLAB__PARSE_OK ? llmlab__key_command(verb, &options)
               : parsed == LLMLAB__PARSE_HELP ? 0
                                              : 2;
    }
    if (argc > 1 && llmlab__upkeep_is(argv[1])) {
        parsed = llmlab__options_parse(&options, argc - 1, argv + 1, argv[1]);
        return parsed == LLMLAB__PARSE_OK
                   ? llmlab__upkeep_command(argv[1], &options)
               : parsed == LLMLAB__PARSE_HELP ? 0
                                              : 2;
    }
    if (argc > 2 && strcmp(argv[1], "secrets") == 0) {
        if (strcmp(argv[2], "rekey") != 0) {
            return complain("secrets: rekey? -h tells");
        }
        parsed = llmlab__options_parse(&options, argc - 2, argv + 2, "");
        return parsed == LLMLAB__PARSE_OK     ? rekey_command(&options)
               : parsed == LLMLAB__PARSE_HELP ? 0
                                              : 2;
    }
    parsed = llmlab__options_parse(&options, argc, argv, "");
    if (parsed != LLMLAB__PARSE_OK) {
        return parsed == LLMLAB__PARSE_HELP ? 0 : 2;
    }
    llmlab__server_log_level(options.log_level);
    return serve_command(&options);
}
