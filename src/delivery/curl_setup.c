#include "delivery/curl_setup.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <llmlab/version.h>

/* libcurl opens its sockets inheritable. */
static curl_socket_t
open_socket(void *payload, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)payload;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static bool
set_text(CURL *easy, CURLoption option, const char *text)
{
    return text[0] == '\0' || curl_easy_setopt(easy, option, text) == CURLE_OK;
}

static bool
set_tls(CURL *easy, const llmlab__delivery_options_t *options)
{
    bool ok = set_text(easy, CURLOPT_CAINFO, options->tls_ca_file) &&
              set_text(easy, CURLOPT_CAPATH, options->tls_ca_dir) &&
              set_text(easy, CURLOPT_SSLCERT, options->tls_cert_file) &&
              set_text(easy, CURLOPT_SSLKEY, options->tls_key_file);

    if (ok && options->tls_ca_pem[0] != '\0') {
#if LIBCURL_VERSION_NUM >= 0x074D00 /* 7.77.0 */
        struct curl_blob pem = {(void *)(uintptr_t)options->tls_ca_pem,
                                strlen(options->tls_ca_pem), CURL_BLOB_NOCOPY};

        ok = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem) == CURLE_OK;
#else
        ok = false;
#endif
    }
    return ok;
}

static bool
set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ==
           CURLE_OK;
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                            (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) ==
           CURLE_OK;
#endif
}

bool
llmlab__curl_setup(CURL *easy, const llmlab__delivery_options_t *options,
                   char *error)
{
    char agent[64];

    snprintf(agent, sizeof(agent), "libllmlab/%s (%.20s)", llmlab_version(),
             options->language);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)options->connect_timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075700 /* 7.87.0 */
    /* Giving up while a name is looked up must not wait for the look-up. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    return curl_easy_setopt(easy, CURLOPT_USERAGENT, agent) == CURLE_OK &&
           set_protocols(easy) && set_tls(easy, options) &&
           set_text(easy, CURLOPT_PROXY, options->proxy) &&
           set_text(easy, CURLOPT_NOPROXY, options->no_proxy);
}
