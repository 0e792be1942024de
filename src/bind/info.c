/* What the library knows of itself: bindings make their constants from it. */
#include <string.h>

#include <llmlab/config.h>
#include <llmlab/pricing.h>
#include <llmlab/span.h>
#include <llmlab/version.h>

#include "base/json_write.h"
#include "bind/llmlab_bind.h"
#include "bind/text.h"

static void
put_settings(llmlab__json_out_t *out)
{
    const llmlab_setting_t *setting;
    size_t i;

    llmlab__json_begin_array(out);
    for (i = 0; (setting = llmlab_setting_at(i)) != NULL; i++) {
        llmlab__json_begin_object(out);
        llmlab__json_key(out, "name");
        llmlab__json_put_text(out, setting->name);
        llmlab__json_key(out, "variable");
        llmlab__json_put_text(out, setting->variable);
        llmlab__json_key(out, "type");
        llmlab__json_put_text(out, setting->type);
        llmlab__json_key(out, "default");
        llmlab__json_put_text(out, setting->default_value);
        llmlab__json_key(out, "choices");
        llmlab__json_put_text(out, setting->choices);
        llmlab__json_key(out, "text");
        llmlab__json_put_text(out, setting->text);
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
}

static void
put_statuses(llmlab__json_out_t *out)
{
    llmlab_status_t status;
    int i;

    llmlab__json_begin_array(out);
    for (i = 0; llmlab_status_list(i, &status); i++) {
        llmlab__json_begin_object(out);
        llmlab__json_key(out, "code");
        llmlab__json_put_int(out, status);
        llmlab__json_key(out, "name");
        llmlab__json_put_text(out, llmlab_status_name(status));
        llmlab__json_key(out, "text");
        llmlab__json_put_text(out, llmlab_status_text(status));
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
}

static void
put_names(llmlab__json_out_t *out, const char *const *names, size_t count)
{
    size_t i;

    llmlab__json_begin_array(out);
    for (i = 0; i < count; i++) {
        llmlab__json_put_text(out, names[i]);
    }
    llmlab__json_end_array(out);
}

#define PUT_NAMES(out, names) \
    put_names((out), (names), sizeof(names) / sizeof *(names))

llmlab_bind_text_t
llmlab_bind_info(void)
{
    static const char *const kinds[] = {
#define WIRE(name, value, wire) [value] = wire,
        LLMLAB_SPAN_KIND_MAP(WIRE)
#undef WIRE
    };
    static const char *const outcomes[] = {"unset", "success", "error",
                                           "cancelled"};
#define WIRE(name, wire) wire,
    static const char *const fields[] = {LLMLAB_USAGE_MAP(WIRE)};
    static const char *const parts[] = {LLMLAB_COST_PART_MAP(WIRE)};
    static const char *const drops[] = {LLMLAB_DROP_MAP(WIRE)};
#undef WIRE
    llmlab__json_out_t out;
    llmlab__buf_t buf;

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "version");
    llmlab__json_put_text(&out, llmlab_version());
    llmlab__json_key(&out, "price_table");
    llmlab__json_put_text(&out, llmlab_pricing_version());
    llmlab__json_key(&out, "settings");
    put_settings(&out);
    llmlab__json_key(&out, "statuses");
    put_statuses(&out);
    llmlab__json_key(&out, "usage_fields");
    PUT_NAMES(&out, fields);
    llmlab__json_key(&out, "cost_parts");
    PUT_NAMES(&out, parts);
    llmlab__json_key(&out, "span_kinds");
    PUT_NAMES(&out, kinds);
    llmlab__json_key(&out, "outcomes");
    PUT_NAMES(&out, outcomes);
    llmlab__json_key(&out, "drop_reasons");
    PUT_NAMES(&out, drops);
    llmlab__json_end_object(&out);
    return llmlab__text_of(&buf);
}

const char *
llmlab_bind_detail(void)
{
    return llmlab_status_detail();
}

const char *
llmlab_bind_status_name(int status)
{
    return llmlab_status_name((llmlab_status_t)status);
}

const char *
llmlab_bind_status_text(int status)
{
    return llmlab_status_text((llmlab_status_t)status);
}
