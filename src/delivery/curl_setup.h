/* What every transfer by libcurl is set to. */
#ifndef LLMLAB_DELIVERY_CURL_SETUP_H
#define LLMLAB_DELIVERY_CURL_SETUP_H

#include <stdbool.h>

#include <curl/curl.h>

#include "delivery/options.h"

/* No signals, no redirects, http and https only, TLS, proxy, the time to
 * connect, the name of the sender. error holds CURL_ERROR_SIZE. */
bool llmlab__curl_setup(CURL *easy, const llmlab__delivery_options_t *options,
                        char *error);

#endif
