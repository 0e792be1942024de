#include "cli/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "cli/file.h"

#define TIMEOUT_S 60L

typedef struct sink_s {
    llmlab__buf_t *buf;
    size_t max_bytes;
} sink_t;

static size_t
receive(char *bytes, size_t size, size_t count, void *context)
{
    sink_t *sink = context;
    size_t total = size * count;

    if (total > sink->max_bytes - sink->buf->size) {
        return 0;
    }
    llmlab__buf_append(sink->buf, bytes, total);
    return sink->buf->failed ? 0 : total;
}

static bool
is_url(const char *place)
{
    return strncmp(place, "https://", 8) == 0 ||
           strncmp(place, "http://127.0.0.1", 16) == 0 ||
           strncmp(place, "http://localhost", 16) == 0;
}

static bool
download(llmlab__buf_t *buf, const char *url, size_t max_bytes)
{
    sink_t sink = {buf, max_bytes};
    char error[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    CURLcode code = CURLE_FAILED_INIT;

    if (curl != NULL) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
        code = curl_easy_perform(curl);
    }
    if (code == CURLE_WRITE_ERROR) {
        fprintf(stderr, "llmlab: %s: is above %zu MiB\n", url, max_bytes >> 20);
    } else if (code != CURLE_OK) {
        fprintf(stderr, "llmlab: %s: %s\n", url,
                error[0] != '\0' ? error : curl_easy_strerror(code));
    }
    curl_easy_cleanup(curl);
    return code == CURLE_OK;
}

bool
cli_fetch(llmlab__buf_t *buf, const char *place, size_t max_bytes)
{
    llmlab__buf_clear(buf);
    if (is_url(place)) {
        return download(buf, place, max_bytes);
    }
    if (strstr(place, "://") != NULL) {
        fprintf(stderr, "llmlab: %s: only https:// is taken\n", place);
        return false;
    }
    if (!cli_file_read(buf, place)) {
        fprintf(stderr, "llmlab: %s: %s\n", place, strerror(errno));
        return false;
    }
    return true;
}
