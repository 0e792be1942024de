#include "client/config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

llmlab_config_t *
llmlab_config_new(void)
{
    return llmlab__calloc(1, sizeof(llmlab_config_t));
}

void
llmlab_config_destroy(llmlab_config_t *config)
{
    if (config != NULL) {
        llmlab__settings_cleanup(&config->settings);
        llmlab__free(config->transport);
        llmlab__free(config);
    }
}

llmlab_status_t
llmlab_config_set(llmlab_config_t *config, const char *name, const char *value)
{
    if (name == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "name is NULL");
    }
    return llmlab_config_set_n(config, name, strlen(name), value,
                               value == NULL ? 0 : strlen(value));
}

llmlab_status_t
llmlab_config_set_n(llmlab_config_t *config, const char *name, size_t name_size,
                    const char *value, size_t value_size)
{
    llmlab__setting_id_t id;

    if (config == NULL || name == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%s is NULL",
                            config == NULL ? "config" : "name");
    }
    if (!llmlab__setting_find(&id, name, name_size)) {
        return LLMLAB_ECONFIG;
    }
    return llmlab__settings_set(&config->settings, id,
                                llmlab_setting_at(id)->name, value, value_size);
}

const char *
llmlab_config_get(const llmlab_config_t *config, const char *name)
{
    llmlab__setting_id_t id;

    if (config == NULL || name == NULL ||
        !llmlab__setting_find(&id, name, strlen(name)) ||
        config->settings.value[id] == NULL) {
        return NULL;
    }
    return strcmp(llmlab_setting_at(id)->type, "secret") == 0
               ? "***"
               : config->settings.value[id];
}

void
llmlab_config_set_log(llmlab_config_t *config, llmlab_log_fn fn, void *payload)
{
    if (config != NULL) {
        config->log_fn = fn;
        config->log_payload = payload;
    }
}

void
llmlab_config_set_transport(llmlab_config_t *config,
                            const llmlab_transport_t *transport)
{
    llmlab__custom_transport_t *copy;
    size_t size;

    if (config == NULL) {
        return;
    }
    llmlab__free(config->transport);
    config->transport = NULL;
    if (transport == NULL) {
        return;
    }
    copy = llmlab__calloc(1, sizeof(*copy));
    if (copy == NULL) {
        return;
    }
    /* A program built against an older header has a shorter struct. */
    size = transport->struct_size < sizeof(copy->hooks) ? transport->struct_size
                                                        : sizeof(copy->hooks);
    memcpy(&copy->hooks, transport, size);
    atomic_flag_clear(&copy->taken);
    config->transport = copy;
}
