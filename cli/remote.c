#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "base/os.h"

#define MAX_ATTEMPTS   6
#define MAX_BODY_BYTES (64u << 20)
#define MAX_PAUSE_MS   60000

static size_t
take_body(char *bytes, size_t size, size_t count, void *payload)
{
    llmlab__buf_t *body = payload;

    if (body->size + size * count > MAX_BODY_BYTES) {
        return 0;
    }
    llmlab__buf_append(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

/* What was logged in with goes to the server that it was logged in to, and to
 * no other. */
static bool
login_take(cli_remote_t *remote)
{
    const cli_server_t *server = remote->server;

    if (!cli_saved_login_read(&remote->login) ||
        (server->has_url && strcmp(server->url, remote->login.url) != 0)) {
        fputs("llmlab: no API key: give --key, set LLMLAB_API_KEY, or log in "
              "(llmlab login)\n",
              stderr);
        return false;
    }
    remote->base = remote->login.url;
    return true;
}

bool
cli_remote_open(cli_remote_t *remote, const cli_server_t *server)
{
    char line[512];

    memset(remote, 0, sizeof(*remote));
    remote->server = server;
    llmlab__buf_init(&remote->url);
    llmlab__buf_init(&remote->body);
    remote->base = server->url;
    if (server->key == NULL && !login_take(remote)) {
        return false;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        (remote->curl = curl_easy_init()) == NULL) {
        fputs("llmlab: libcurl cannot be used\n", stderr);
        return false;
    }
    if (server->key == NULL && remote->login.key[0] == '\0') {
        snprintf(line, sizeof(line), "Cookie: __Host-llmlab=%s",
                 remote->login.session);
        remote->headers = curl_slist_append(remote->headers, line);
        snprintf(line, sizeof(line), "X-CSRF-Token: %s", remote->login.csrf);
    } else {
        snprintf(line, sizeof(line), "Authorization: Bearer %s",
                 server->key != NULL ? server->key : remote->login.key);
    }
    remote->headers = curl_slist_append(remote->headers, line);
    remote->headers =
        curl_slist_append(remote->headers, "Accept: application/json");
    curl_easy_setopt(remote->curl, CURLOPT_HTTPHEADER, remote->headers);
    curl_easy_setopt(remote->curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(remote->curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(remote->curl, CURLOPT_PROTOCOLS,
                     (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(remote->curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(remote->curl, CURLOPT_TIMEOUT_MS, 60000L);
    curl_easy_setopt(remote->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(remote->curl, CURLOPT_USERAGENT, "llmlab-cli");
    curl_easy_setopt(remote->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(remote->curl, CURLOPT_WRITEDATA, &remote->body);
    return true;
}

void
cli_remote_close(cli_remote_t *remote)
{
    curl_slist_free_all(remote->headers);
    curl_easy_cleanup(remote->curl);
    memset(&remote->login, 0, sizeof(remote->login));
    llmlab__buf_cleanup(&remote->url);
    llmlab__buf_cleanup(&remote->body);
}

static void
append_escaped(cli_remote_t *remote, const char *text)
{
    char *escaped = curl_easy_escape(remote->curl, text, 0);

    if (escaped == NULL) {
        remote->url.failed = true;
        return;
    }
    llmlab__buf_text(&remote->url, escaped);
    curl_free(escaped);
}

void
cli_remote_begin_server(cli_remote_t *remote, const char *path)
{
    size_t size = strlen(remote->base);

    while (size > 0 && remote->base[size - 1] == '/') {
        size--;
    }
    llmlab__buf_clear(&remote->url);
    llmlab__buf_append(&remote->url, remote->base, size);
    llmlab__buf_text(&remote->url, "/v1/");
    llmlab__buf_text(&remote->url, path);
    remote->has_query = false;
}

void
cli_remote_begin(cli_remote_t *remote, const char *path)
{
    cli_remote_begin_server(remote, "projects");
    cli_remote_part(remote, remote->server->project);
    llmlab__buf_text(&remote->url, "/");
    llmlab__buf_text(&remote->url, path);
}

void
cli_remote_part(cli_remote_t *remote, const char *text)
{
    llmlab__buf_text(&remote->url, "/");
    append_escaped(remote, text);
}

void
cli_remote_param(cli_remote_t *remote, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    llmlab__buf_text(&remote->url, remote->has_query ? "&" : "?");
    remote->has_query = true;
    llmlab__buf_text(&remote->url, name);
    llmlab__buf_text(&remote->url, "=");
    append_escaped(remote, value);
}

void
cli_remote_time_param(cli_remote_t *remote, const char *name, const char *value)
{
    char day[32];

    if (value != NULL && strchr(value, 'T') == NULL) {
        snprintf(day, sizeof(day), "%s_date", name);
        name = day;
    }
    cli_remote_param(remote, name, value);
}

/* Full jitter below a bound that doubles, or what the server says. */
static long
pause_ms(cli_remote_t *remote, int attempt)
{
    curl_off_t seconds = 0;
    unsigned bound = 500u << attempt;
    unsigned random;

#if LIBCURL_VERSION_NUM >= 0x074200
    curl_easy_getinfo(remote->curl, CURLINFO_RETRY_AFTER, &seconds);
#endif
    if (seconds > 0) {
        return seconds * 1000 < MAX_PAUSE_MS ? (long)seconds * 1000
                                             : MAX_PAUSE_MS;
    }
    llmlab__os_random(&random, sizeof(random));
    return 1 + (long)(random % bound);
}

static void
report_refusal(cli_remote_t *remote, long status)
{
    cJSON *problem = NULL;
    const char *detail = NULL;

    if (llmlab__json_dom_parse(&problem, (const char *)remote->body.data,
                               remote->body.size, 16) == LLMLAB_OK) {
        detail =
            llmlab__json_dom_string(llmlab__json_dom_get(problem, "detail"));
        if (detail == NULL) {
            detail =
                llmlab__json_dom_string(llmlab__json_dom_get(problem, "title"));
        }
    }
    if (status == 401 && remote->server->key != NULL &&
        remote->server->key[0] == '\0') {
        fputs("llmlab: e-mail address or password is wrong (401)", stderr);
    } else if (status == 401 && remote->server->key == NULL) {
        fputs("llmlab: the server does not know you any more (401): llmlab "
              "login",
              stderr);
    } else if (status == 401) {
        fputs("llmlab: the server refuses the key (401): check --key or "
              "LLMLAB_API_KEY",
              stderr);
    } else if (status == 403 && remote->method == NULL) {
        fprintf(stderr, "llmlab: the key may not read project \"%s\" (403)",
                remote->server->project);
    } else if (status == 404 && remote->server->key == NULL &&
               strcmp(remote->server->project, "-") == 0) {
        fputs("llmlab: which project? give --project or set LLMLAB_PROJECT "
              "(404)",
              stderr);
    } else {
        fprintf(stderr, "llmlab: the server answers %ld", status);
    }
    fprintf(stderr, "%s%s\n", detail != NULL ? ": " : "",
            detail != NULL ? detail : "");
    cJSON_Delete(problem);
}

static bool
perform(cli_remote_t *remote)
{
    char error[CURL_ERROR_SIZE];

    llmlab__buf_append(&remote->url, "", 1);
    if (remote->url.failed) {
        fputs("llmlab: out of memory\n", stderr);
        return false;
    }
    curl_easy_setopt(remote->curl, CURLOPT_URL, remote->url.data);
    curl_easy_setopt(remote->curl, CURLOPT_ERRORBUFFER, error);
    for (int attempt = 0;; attempt++) {
        long status = 0;
        long wait;
        CURLcode code;

        error[0] = '\0';
        llmlab__buf_clear(&remote->body);
        code = curl_easy_perform(remote->curl);
        if (code != CURLE_OK) {
            fprintf(stderr, "llmlab: no reply from %s: %s\n", remote->base,
                    error[0] != '\0' ? error : curl_easy_strerror(code));
            return false;
        }
        curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && status < 300) {
            return true;
        }
        if ((status != 429 && status != 503) || attempt + 1 == MAX_ATTEMPTS) {
            report_refusal(remote, status);
            return false;
        }
        wait = pause_ms(remote, attempt);
        fprintf(stderr, "llmlab: the server is busy (%ld): again in %.1f s\n",
                status, (double)wait / 1000);
        nanosleep(&(struct timespec){.tv_sec = wait / 1000,
                                     .tv_nsec = wait % 1000 * 1000000},
                  NULL);
    }
}

bool
cli_remote_get(cli_remote_t *remote)
{
    remote->method = NULL;
    curl_easy_setopt(remote->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(remote->curl, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(remote->curl, CURLOPT_HTTPHEADER, remote->headers);
    return perform(remote);
}

typedef struct download_s {
    cli_remote_t *remote;
    FILE *file;
} download_t;

static size_t
take_download(char *bytes, size_t size, size_t count, void *payload)
{
    download_t *download = payload;
    long status = 0;

    curl_easy_getinfo(download->remote->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200
               ? fwrite(bytes, 1, size * count, download->file)
               : take_body(bytes, size, count, &download->remote->body);
}

bool
cli_remote_get_to(cli_remote_t *remote, FILE *file)
{
    download_t download = {remote, file};
    bool good;

    curl_easy_setopt(remote->curl, CURLOPT_WRITEFUNCTION, take_download);
    curl_easy_setopt(remote->curl, CURLOPT_WRITEDATA, &download);
    curl_easy_setopt(remote->curl, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(remote->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(remote->curl, CURLOPT_LOW_SPEED_TIME, 60L);
    good = cli_remote_get(remote);
    if (good && fflush(file) != 0) {
        fputs("llmlab: the export cannot be written\n", stderr);
        good = false;
    }
    return good;
}

bool
cli_remote_send(cli_remote_t *remote, const char *method,
                const llmlab__buf_t *body)
{
    struct curl_slist *headers = NULL;
    unsigned char random[16];
    char line[80] = "Idempotency-Key: ";
    bool good;

    remote->method = method;
    for (const struct curl_slist *at = remote->headers; at != NULL;
         at = at->next) {
        headers = curl_slist_append(headers, at->data);
    }
    llmlab__os_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(line + strlen(line), 3, "%02x", random[i]);
    }
    headers = curl_slist_append(headers, line);
    headers = curl_slist_append(
        headers,
        body == NULL ? "Content-Type:" : "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(remote->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(remote->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(remote->curl, CURLOPT_POSTFIELDS,
                     body == NULL ? "" : (const char *)body->data);
    curl_easy_setopt(remote->curl, CURLOPT_POSTFIELDSIZE,
                     body == NULL ? 0L : (long)body->size);
    curl_easy_setopt(remote->curl, CURLOPT_CUSTOMREQUEST, method);
    good = perform(remote);
    curl_easy_setopt(remote->curl, CURLOPT_HTTPHEADER, remote->headers);
    curl_slist_free_all(headers);
    return good;
}

bool
cli_remote_get_json(cli_remote_t *remote, cJSON **out)
{
    if (!cli_remote_get(remote)) {
        return false;
    }
    if (llmlab__json_dom_parse(out, (const char *)remote->body.data,
                               remote->body.size, 256) != LLMLAB_OK) {
        fprintf(stderr,
                "llmlab: %s answers no JSON: is it an llmlab-server? (%s)\n",
                remote->base, llmlab_status_detail());
        return false;
    }
    return true;
}
