/* What a project's admins set. */
#include <inttypes.h>

#include "api/api.h"
#include "api/write.h"
#include "http/fields.h"

#define DAY_NS   (INT64_C(86400) * 1000000000)
#define DAYS_MAX 36500

static void
settings_reply(llmlab__request_t *request, int64_t days)
{
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "retention_days");
    if (days == 0) {
        llmlab__json_put_null(&out);
    } else {
        llmlab__json_put_int(&out, days);
    }
    llmlab__json_key(&out, "server_retention_days");
    llmlab__json_put_int(&out, request->server->limits.retention_ns / DAY_NS);
    llmlab__json_end_object(&out);
}

void
llmlab__api_settings_get(llmlab__request_t *request)
{
    settings_reply(request, request->project.retention_days);
}

void
llmlab__api_settings_change(llmlab__request_t *request)
{
    int64_t days = 0;
    bool present = false;
    const llmlab__field_t field = {.name = "retention_days",
                                   .type = LLMLAB__FIELD_INT,
                                   .nullable = true,
                                   .low = 1,
                                   .high = DAYS_MAX,
                                   .out = &days,
                                   .present = &present};
    llmlab__buf_t detail;
    bool good;

    if (!llmlab__request_fields(request, &field, 1)) {
        return;
    }
    if (!present) {
        settings_reply(request, request->project.retention_days);
        return;
    }
    if (request->server->store->upkeep->retain(
            request->changer, request->project.id, days) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot change a setting");
        return;
    }
    llmlab__buf_init(&detail);
    llmlab__buf_printf(&detail, "\"retention_days\":%" PRId64, days);
    good = llmlab__change_audit(request, "settings.change",
                                request->project.uuid, &detail);
    llmlab__buf_cleanup(&detail);
    if (good) {
        settings_reply(request, days);
    }
}
