/* A configuration as the user makes it. */
#ifndef LLMLAB_CLIENT_CONFIG_H
#define LLMLAB_CLIENT_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>

#include <llmlab/config.h>
#include <llmlab/sys/transport.h>

#include "client/settings.h"

/* A transport of the user's. The first client that opens with it owns it. */
typedef struct llmlab__custom_transport_s {
    llmlab_transport_t hooks;
    atomic_flag taken;
} llmlab__custom_transport_t;

struct llmlab_config_s {
    llmlab__settings_t settings;
    llmlab_log_fn log_fn;
    void *log_payload;
    llmlab__custom_transport_t *transport; /* NULL: the built-in one */
};

#endif
