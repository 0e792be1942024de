#include <llmlab/sys/spool.h>

#include "base/alloc.h"
#include "base/status.h"
#include "client/client.h"
#include "client/config.h"
#include "delivery/spool_report.h"

static llmlab_status_t
report(const llmlab_client_t *client, char **out, size_t *out_size)
{
    llmlab__delivery_options_t options;
    llmlab__json_out_t json;
    llmlab__buf_t buf;

    llmlab__client_options(client, &options);
    /* Also without the key that sending needs. */
    options.spool.mode =
        llmlab__settings_text(&client->settings, LLMLAB__SETTING_SPOOL_MODE);
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&json, &buf);
    llmlab__spool_report(&json, &options);
    llmlab__buf_append(&buf, "", 1);
    if (buf.failed) {
        llmlab__buf_cleanup(&buf);
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    *out = (char *)buf.data;
    if (out_size != NULL) {
        *out_size = buf.size - 1;
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_spool_report(const llmlab_config_t *config, char **out, size_t *out_size)
{
    llmlab_client_t *client; /* of which only the settings are made */
    llmlab_status_t status = LLMLAB_OK;

    if (out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "out is NULL");
    }
    *out = NULL;
    client = llmlab__calloc(1, sizeof(*client));
    if (client == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    if (config != NULL) {
        status = llmlab__settings_copy(&client->settings, &config->settings);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__settings_environment(&client->settings);
    }
    if (status == LLMLAB_OK) {
        status = report(client, out, out_size);
    }
    llmlab__settings_cleanup(&client->settings);
    llmlab__free(client);
    return status;
}
