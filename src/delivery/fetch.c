#include "delivery/fetch.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "delivery/curl_setup.h"

struct llmlab__fetch_s {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    size_t max_bytes;
    int64_t deadline_ns;
    llmlab__fetched_t fetched;
    char error[CURL_ERROR_SIZE];
};

static size_t
take_body(char *bytes, size_t size, size_t count, void *payload)
{
    llmlab__fetch_t *fetch = payload;
    llmlab__buf_t *body = &fetch->fetched.body;

    size *= count;
    if (size > fetch->max_bytes - body->size) {
        fetch->fetched.is_too_large = true;
        return 0;
    }
    llmlab__buf_append(body, bytes, size);
    return body->failed ? 0 : size;
}

static void
take_validator(char out[LLMLAB__VALIDATOR_TEXT], const char *text, size_t size)
{
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && (unsigned char)text[size - 1] <= ' ') {
        size--;
    }
    if (size < LLMLAB__VALIDATOR_TEXT && memchr(text, '\0', size) == NULL) {
        memcpy(out, text, size);
        out[size] = '\0';
    }
}

static size_t
take_header(char *line, size_t size, size_t count, void *payload)
{
    static const char etag[] = "ETag:";
    static const char modified[] = "Last-Modified:";
    llmlab__fetched_t *fetched = &((llmlab__fetch_t *)payload)->fetched;

    size *= count;
    if (size >= sizeof(etag) &&
        strncasecmp(line, etag, sizeof(etag) - 1) == 0) {
        take_validator(fetched->etag, line + sizeof(etag) - 1,
                       size - (sizeof(etag) - 1));
    } else if (size >= sizeof(modified) &&
               strncasecmp(line, modified, sizeof(modified) - 1) == 0) {
        take_validator(fetched->modified, line + sizeof(modified) - 1,
                       size - (sizeof(modified) - 1));
    }
    return size;
}

llmlab__fetch_t *
llmlab__fetch_new(const llmlab__delivery_options_t *options, size_t max_bytes)
{
    llmlab__fetch_t *fetch = llmlab__calloc(1, sizeof(*fetch));

    if (fetch == NULL) {
        return NULL;
    }
    llmlab__buf_init(&fetch->fetched.body);
    fetch->max_bytes = max_bytes;
    fetch->multi = curl_multi_init();
    fetch->easy = curl_easy_init();
    if (fetch->multi == NULL || fetch->easy == NULL ||
        !llmlab__curl_setup(fetch->easy, options, fetch->error)) {
        llmlab__fetch_destroy(fetch);
        return NULL;
    }
    curl_easy_setopt(fetch->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(fetch->easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(fetch->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(fetch->easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(fetch->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return fetch;
}

static void
forget(llmlab__fetch_t *fetch)
{
    curl_multi_remove_handle(fetch->multi, fetch->easy);
    curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(fetch->headers);
    fetch->headers = NULL;
}

void
llmlab__fetch_destroy(llmlab__fetch_t *fetch)
{
    if (fetch == NULL) {
        return;
    }
    if (fetch->multi != NULL && fetch->easy != NULL) {
        forget(fetch);
    }
    curl_easy_cleanup(fetch->easy);
    curl_multi_cleanup(fetch->multi);
    llmlab__buf_cleanup(&fetch->fetched.body);
    llmlab__free(fetch);
}

static bool
add_header(llmlab__fetch_t *fetch, const char *name, const char *value)
{
    char line[LLMLAB__VALIDATOR_TEXT + 32];
    struct curl_slist *longer;

    if (value[0] == '\0') {
        return true;
    }
    snprintf(line, sizeof(line), "%s: %s", name, value);
    longer = curl_slist_append(fetch->headers, line);
    fetch->headers = longer != NULL ? longer : fetch->headers;
    return longer != NULL;
}

bool
llmlab__fetch_begin(llmlab__fetch_t *fetch, const char *url, const char *etag,
                    const char *modified, int64_t deadline_ns)
{
    llmlab__fetched_t *fetched = &fetch->fetched;

    llmlab__buf_clear(&fetched->body);
    fetched->http_status = 0;
    fetched->is_too_large = false;
    fetched->why[0] = fetched->etag[0] = fetched->modified[0] = '\0';
    fetch->error[0] = '\0';
    fetch->deadline_ns = deadline_ns;
    if (!add_header(fetch, "If-None-Match", etag) ||
        !add_header(fetch, "If-Modified-Since", modified) ||
        curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers) !=
            CURLE_OK ||
        curl_easy_setopt(fetch->easy, CURLOPT_URL, url) != CURLE_OK ||
        curl_multi_add_handle(fetch->multi, fetch->easy) != CURLM_OK) {
        forget(fetch);
        return false;
    }
    return true;
}

static const llmlab__fetched_t *
finish(llmlab__fetch_t *fetch, CURLcode code)
{
    llmlab__fetched_t *fetched = &fetch->fetched;
    long status = 0;

    if (code == CURLE_OK) {
        curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
        fetched->http_status = (int)status;
    } else {
        /* The address has no user: what stands before an @ is a proxy's
         * password. */
        snprintf(fetched->why, sizeof(fetched->why), "%.159s",
                 fetch->error[0] != '\0' && strchr(fetch->error, '@') == NULL
                     ? fetch->error
                     : curl_easy_strerror(code));
    }
    forget(fetch);
    return fetched;
}

const llmlab__fetched_t *
llmlab__fetch_step(llmlab__fetch_t *fetch, int64_t now_ns)
{
    CURLMsg *message;
    int running = 0;
    int left;

    if (curl_multi_perform(fetch->multi, &running) != CURLM_OK) {
        return finish(fetch, CURLE_FAILED_INIT);
    }
    if (running > 0) {
        return now_ns < fetch->deadline_ns
                   ? NULL
                   : finish(fetch, CURLE_OPERATION_TIMEDOUT);
    }
    message = curl_multi_info_read(fetch->multi, &left);
    return finish(fetch,
                  message == NULL ? CURLE_FAILED_INIT : message->data.result);
}
