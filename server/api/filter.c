#include "api/filter.h"

#include <stdlib.h>
#include <string.h>

#include "api/cost_write.h"

static bool
bad_parameter(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", field, "%s: %s", field,
                                reason);
}

static bool
status_read(llmlab__request_t *request, const char *text, int64_t *out)
{
    *out = strcmp(text, "success") == 0     ? LLMLAB_SUCCESS
           : strcmp(text, "error") == 0     ? LLMLAB_ERROR
           : strcmp(text, "cancelled") == 0 ? LLMLAB_CANCELLED
                                            : 0;
    return *out != 0 || bad_parameter(request, "status",
                                      "it is success, error or cancelled");
}

static bool
key_read(llmlab__request_t *request, const char *text, int64_t *out)
{
    size_t digits = strspn(text, "0123456789");

    *out = strtoll(text, NULL, 10);
    return (digits > 0 && digits < 19 && text[digits] == '\0') ||
           bad_parameter(request, "key", "a key's id is needed");
}

bool
llmlab__filter_read(llmlab__request_t *request, llmlab__filter_t *out)
{
    static const llmlab__label_kind_t kinds[LLMLAB__DIMENSIONS] = {
        [LLMLAB__BY_PROVIDER] = LLMLAB__LABEL_PROVIDER,
        [LLMLAB__BY_MODEL] = LLMLAB__LABEL_MODEL,
        [LLMLAB__BY_AGENT] = LLMLAB__LABEL_AGENT,
        [LLMLAB__BY_ENVIRONMENT] = LLMLAB__LABEL_ENVIRONMENT,
        [LLMLAB__BY_USER] = LLMLAB__LABEL_USER,
        [LLMLAB__BY_TAG] = LLMLAB__LABEL_TAG,
    };
    const llmlab__store_ops_t *ops = request->server->store->ops;

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        const char *text =
            llmlab__request_param(request, llmlab__cost_dimensions[i]);
        bool good = true;

        if (text == NULL) {
            continue;
        }
        out->only |= 1u << i;
        if (i == LLMLAB__BY_STATUS) {
            good = status_read(request, text, &out->value[i]);
        } else if (i == LLMLAB__BY_KEY) {
            good = key_read(request, text, &out->value[i]);
        } else if (i == LLMLAB__BY_SESSION) {
            out->session = text;
        } else if (*text != '\0') { /* empty: those that state none */
            out->value[i] = ops->label_find(
                request->reader, request->project.id, kinds[i], text);
            out->value[i] = out->value[i] == 0 ? -1 : out->value[i];
        }
        if (!good) {
            return false;
        }
    }
    return true;
}
