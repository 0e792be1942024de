/* llmlab doctor: does what is set lead to a server that takes calls? */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include <llmlab/pricing.h>
#include <llmlab/sys/spool.h>
#include <llmlab/version.h>

#include "base/alloc.h"
#include "base/api_key.h"
#include "base/json_dom.h"
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/put.h"
#include "cli/saved_login.h"
#include "cli/server.h"

/* Clocks that differ more are told; calls ten minutes ahead are refused. */
#define SKEW_WARN 30
#define SKEW_FAIL 570

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"health", NULL, "only ask whether the server is ready", 0},
    {"json", NULL, "print JSON", 0},
    {0}};

typedef enum verdict_e { GOOD, WARNING, BAD } verdict_t;

typedef struct doctor_s {
    const cli_args_t *args;
    cli_server_t server;
    cli_saved_login_t login;
    const char *key; /* NULL: none */
    CURL *curl;
    llmlab__buf_t reply;
    long status;
    time_t date; /* the server's; -1: it said none */
    char error[CURL_ERROR_SIZE];
    int bad;
    llmlab__buf_t json;
    llmlab__json_out_t out;
} doctor_t;

static void tell(doctor_t *doctor, verdict_t verdict, const char *check,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
tell(doctor_t *doctor, verdict_t verdict, const char *check, const char *format,
     ...)
{
    static const char *const words[] = {"ok", "warning", "FAILED"};
    static const char *const json_words[] = {"ok", "warning", "failed"};
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    doctor->bad += verdict == BAD;
    if (!cli_args_flag(doctor->args, "json")) {
        printf("%-8s %-8s %s\n", words[verdict], check, text);
        return;
    }
    llmlab__json_begin_object(&doctor->out);
    llmlab__json_key(&doctor->out, "check");
    llmlab__json_put_text(&doctor->out, check);
    llmlab__json_key(&doctor->out, "result");
    llmlab__json_put_text(&doctor->out, json_words[verdict]);
    llmlab__json_key(&doctor->out, "detail");
    llmlab__json_put_text(&doctor->out, text);
    llmlab__json_end_object(&doctor->out);
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *payload)
{
    doctor_t *doctor = payload;

    if (doctor->reply.size + size * count > 1024 * 1024) {
        return 0;
    }
    llmlab__buf_append(&doctor->reply, bytes, size * count);
    return size * count;
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *payload)
{
    doctor_t *doctor = payload;
    char line[128];

    snprintf(line, sizeof(line), "%.*s", (int)(size * count), bytes);
    if (strncasecmp(line, "Date:", 5) == 0) {
        doctor->date = curl_getdate(line + 5, NULL);
    }
    return size * count;
}

/* False: there was no reply; doctor->error tells why. */
static bool
ask(doctor_t *doctor, const char *path, bool with_key)
{
    const char *base = doctor->server.url;
    struct curl_slist *headers = NULL;
    size_t size = strlen(base);
    char line[512];
    CURLcode code;

    while (size > 0 && base[size - 1] == '/') {
        size--;
    }
    snprintf(line, sizeof(line), "%.*s%s", (int)size, base, path);
    llmlab__buf_clear(&doctor->reply);
    doctor->date = -1;
    doctor->status = 0;
    doctor->error[0] = '\0';
    curl_easy_setopt(doctor->curl, CURLOPT_URL, line);
    if (with_key) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", doctor->key);
        headers = curl_slist_append(NULL, line);
    }
    curl_easy_setopt(doctor->curl, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(doctor->curl);
    curl_slist_free_all(headers);
    curl_easy_setopt(doctor->curl, CURLOPT_HTTPHEADER, NULL);
    if (code != CURLE_OK) {
        if (doctor->error[0] == '\0') {
            snprintf(doctor->error, sizeof(doctor->error), "%s",
                     curl_easy_strerror(code));
        }
        return false;
    }
    curl_easy_getinfo(doctor->curl, CURLINFO_RESPONSE_CODE, &doctor->status);
    return true;
}

static bool
is_local(const char *url)
{
    const char *host = strstr(url, "://");

    host = host == NULL ? url : host + 3;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
           strncmp(host, "localhost", 9) == 0;
}

static void
check_url(doctor_t *doctor)
{
    const char *url = doctor->server.url;

    if (strncmp(url, "https://", 8) == 0) {
        tell(doctor, GOOD, "url", "%s", url);
    } else if (strncmp(url, "http://", 7) != 0) {
        tell(doctor, BAD, "url", "%s is no http or https address", url);
    } else if (is_local(url)) {
        tell(doctor, GOOD, "url", "%s, on this machine", url);
    } else {
        tell(doctor, WARNING, "url",
             "%s: the key crosses the network in the clear; use https", url);
    }
}

static void
check_key(doctor_t *doctor)
{
    doctor->key = doctor->server.key;
    if (doctor->key == NULL && cli_saved_login_read(&doctor->login) &&
        doctor->login.key[0] != '\0' &&
        (!doctor->server.has_url ||
         strcmp(doctor->server.url, doctor->login.url) == 0)) {
        doctor->key = doctor->login.key;
        doctor->server.url = doctor->login.url;
    }
    if (doctor->key == NULL) {
        tell(doctor, BAD, "key",
             "none: set LLMLAB_API_KEY, give --key, or llmlab login");
    } else if (!llmlab__api_key_check(doctor->key, strlen(doctor->key))) {
        tell(doctor, BAD, "key",
             "%.10s...: it is cut or mistyped, its check sum is wrong",
             doctor->key);
        doctor->key = NULL;
    } else {
        tell(doctor, GOOD, "key", "%.14s..., whole", doctor->key);
    }
}

/* False: there is nobody to ask more. */
static bool
check_server(doctor_t *doctor)
{
    double seconds = 0;
    bool tls = strncmp(doctor->server.url, "https://", 8) == 0;

    if (!ask(doctor, "/healthz", false)) {
        tell(doctor, BAD, tls ? "tls" : "server", "no reply: %s",
             doctor->error);
        return false;
    }
    curl_easy_getinfo(doctor->curl, CURLINFO_TOTAL_TIME, &seconds);
    if (doctor->status != 200 || doctor->reply.size < 2 ||
        memcmp(doctor->reply.data, "ok", 2) != 0) {
        tell(doctor, BAD, "server",
             "it answers %ld to /healthz: is it an llmlab-server?",
             doctor->status);
        return false;
    }
    if (tls) {
        tell(doctor, GOOD, "tls", "the certificate is trusted");
    }
    tell(doctor, GOOD, "server", "answers in %.0f ms", seconds * 1000);
    return true;
}

static void
check_clock(doctor_t *doctor)
{
    long skew;

    if (doctor->date == (time_t)-1) {
        tell(doctor, WARNING, "clock", "the server does not tell its time");
        return;
    }
    skew = (long)(time(NULL) - doctor->date);
    if (labs(skew) <= SKEW_WARN) {
        tell(doctor, GOOD, "clock", "within %ld s of the server's", labs(skew));
    } else {
        tell(doctor, skew >= SKEW_FAIL ? BAD : WARNING, "clock",
             "%ld s %s the server's%s", labs(skew),
             skew > 0 ? "ahead of" : "behind",
             skew >= SKEW_FAIL ? ": calls of the future are refused" : "");
    }
}

static void
check_ready(doctor_t *doctor)
{
    if (!ask(doctor, "/readyz", false)) {
        tell(doctor, BAD, "ready", "no reply: %s", doctor->error);
    } else if (doctor->status == 200) {
        tell(doctor, GOOD, "ready", "the server takes work");
    } else if (doctor->status == 404) {
        tell(doctor, GOOD, "ready", "not asked: a proxy keeps it to itself");
    } else {
        tell(doctor, BAD, "ready", "it answers %ld: %.*s", doctor->status,
             (int)(doctor->reply.size < 200 ? doctor->reply.size : 200),
             (const char *)doctor->reply.data);
    }
}

static void
check_versions(doctor_t *doctor, const cJSON *config)
{
    const char *server =
        llmlab__json_dom_string(llmlab__json_dom_get(config, "server_version"));

    if (server == NULL || strcmp(server, llmlab_version()) != 0) {
        tell(doctor, WARNING, "version", "this is %s, the server is %s",
             llmlab_version(), server == NULL ? "older" : server);
    } else {
        tell(doctor, GOOD, "version", "%s, as the server", server);
    }
}

static void
check_access(doctor_t *doctor)
{
    cJSON *config = NULL;

    if (doctor->key == NULL) {
        return;
    }
    if (!ask(doctor, "/v1/sdk/config", true)) {
        tell(doctor, BAD, "access", "no reply: %s", doctor->error);
    } else if (doctor->status == 401) {
        tell(doctor, BAD, "access",
             "the server does not know the key, or it is revoked or expired");
    } else if (doctor->status != 200 ||
               llmlab__json_dom_parse(&config, (const char *)doctor->reply.data,
                                      doctor->reply.size, 0) != LLMLAB_OK) {
        tell(doctor, BAD, "access", "it answers %ld", doctor->status);
    } else {
        const char *slug =
            llmlab__json_dom_string(llmlab__json_dom_get(config, "slug"));

        tell(doctor, GOOD, "access", "the key belongs to project %s",
             slug == NULL ? "?" : slug);
        check_versions(doctor, config);
    }
    cJSON_Delete(config);
}

static void
check_spool(doctor_t *doctor)
{
    llmlab_config_t *config = llmlab_config_new();
    const char *directory = NULL;
    cJSON *report = NULL;
    char *text = NULL;
    size_t size = 0;

    if (llmlab_config_set(config, "url", doctor->server.url) != LLMLAB_OK ||
        llmlab_spool_report(config, &text, &size) != LLMLAB_OK ||
        llmlab__json_dom_parse(&report, text, size, 0) != LLMLAB_OK) {
        tell(doctor, BAD, "spool", "%s", llmlab_status_detail());
    } else {
        directory =
            llmlab__json_dom_string(llmlab__json_dom_get(report, "directory"));
        if (directory == NULL) {
            tell(doctor, WARNING, "spool",
                 "off: what is not delivered when a process ends is lost");
        } else if (access(directory, F_OK) != 0) {
            tell(doctor, GOOD, "spool", "%s, made when it is needed",
                 directory);
        } else if (access(directory, W_OK | X_OK) != 0) {
            tell(doctor, BAD, "spool", "%s cannot be written to", directory);
        } else {
            tell(doctor, GOOD, "spool", "%s", directory);
        }
    }
    cJSON_Delete(report);
    llmlab__free(text);
    llmlab_config_destroy(config);
}

static void
examine(doctor_t *doctor)
{
    if (cli_args_flag(doctor->args, "health")) {
        check_ready(doctor);
        return;
    }
    check_key(doctor);
    check_url(doctor);
    if (check_server(doctor)) {
        check_clock(doctor);
        check_ready(doctor);
        check_access(doctor);
    }
    check_spool(doctor);
}

static int
run(const cli_args_t *args)
{
    doctor_t doctor = {.args = args};

    cli_server_init(&doctor.server, args);
    llmlab__buf_init(&doctor.reply);
    llmlab__buf_init(&doctor.json);
    llmlab__json_out_init(&doctor.out, &doctor.json);
    llmlab__json_begin_array(&doctor.out);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        (doctor.curl = curl_easy_init()) == NULL) {
        fputs("llmlab: libcurl cannot be used\n", stderr);
        return CLI_FAILED;
    }
    curl_easy_setopt(doctor.curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(doctor.curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(doctor.curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(doctor.curl, CURLOPT_ERRORBUFFER, doctor.error);
    curl_easy_setopt(doctor.curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(doctor.curl, CURLOPT_WRITEDATA, &doctor);
    curl_easy_setopt(doctor.curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(doctor.curl, CURLOPT_HEADERDATA, &doctor);
    examine(&doctor);
    curl_easy_cleanup(doctor.curl);
    llmlab__json_end_array(&doctor.out);
    if (cli_args_flag(args, "json")) {
        cli_put_line(&doctor.json);
    }
    memset(&doctor.login, 0, sizeof(doctor.login));
    llmlab__buf_cleanup(&doctor.reply);
    llmlab__buf_cleanup(&doctor.json);
    return doctor.bad == 0 ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_doctor = {
    .name = "doctor",
    .synopsis = "[options]",
    .summary = "check address, key, TLS, clock, spool and versions",
    .help = "Asks the server that the options and variables name, and says "
            "what is wrong.\nExits with 1 when something is.\n",
    .options = options,
    .run = run,
};
