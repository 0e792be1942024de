/* What the worker must know of the settings. Texts are borrowed from the
 * client, which lives as long as its worker does. "" is "not set". */
#ifndef LLMLAB_DELIVERY_OPTIONS_H
#define LLMLAB_DELIVERY_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "delivery/spool.h"

/* In the order of the setting's choices. */
typedef enum llmlab__exporter_kind_e {
    LLMLAB__EXPORT_SERVER = 0,
    LLMLAB__EXPORT_CONSOLE = 1,
    LLMLAB__EXPORT_FILE = 2,
    LLMLAB__EXPORT_MEMORY = 3
} llmlab__exporter_kind_t;

typedef struct llmlab__delivery_options_s {
    const llmlab__log_t *log;
    llmlab__exporter_kind_t exporter;
    const char *file; /* of the file exporter */
    const char *url;
    const char *api_key;
    const char *project;
    const char *service;
    const char *environment;
    const char *release;
    const char *language;
    llmlab__spool_options_t spool; /* mode "off" where there is none */
    int64_t exit_flush_ms;
    int64_t pace_ms;
    size_t memory_limit; /* for segments and buffers, rings excluded */
    uint32_t max_calls;
    size_t max_bytes;
    int64_t max_age_ns;
    int compress_level;
    int64_t delivery_timeout_ns; /* 0: none */
    int64_t retry_base_ms;
    int64_t retry_max_ms;
    int64_t probe_ms;
    int64_t http_timeout_ns;
    int64_t connect_timeout_ms;
    const char *tls_ca_file;
    const char *tls_ca_dir;
    const char *tls_ca_pem;
    const char *tls_cert_file;
    const char *tls_key_file;
    const char *proxy;
    const char *no_proxy;
    const char *prices_url;
    const char *prices_public_key;
    int64_t prices_interval_ns;
} llmlab__delivery_options_t;

#endif
