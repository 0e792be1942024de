#include "client/unpriced.h"

#include <string.h>

static void
copy_text(char *out, size_t capacity, const char *text)
{
    size_t size = strnlen(text, capacity - 1);

    memcpy(out, text, size);
    out[size] = '\0';
}

static bool
is_name(const llmlab__unpriced_name_t *name, const char *provider,
        const char *model)
{
    return strncmp(name->provider, provider, sizeof(name->provider) - 1) == 0 &&
           strncmp(name->model, model, sizeof(name->model) - 1) == 0;
}

static void
note(llmlab__unpriced_t *unpriced, const char *provider, const char *model)
{
    llmlab__unpriced_name_t *name;

    for (unsigned i = 0; i < unpriced->count; i++) {
        if (is_name(&unpriced->names[i], provider, model)) {
            unpriced->names[i].calls++;
            return;
        }
    }
    if (unpriced->count == LLMLAB__UNPRICED_NAMES) {
        return;
    }
    name = &unpriced->names[unpriced->count++];
    copy_text(name->provider, sizeof(name->provider), provider);
    copy_text(name->model, sizeof(name->model), model);
    name->calls = 1;
}

void
llmlab__unpriced_note(llmlab__unpriced_t *unpriced, const char *provider,
                      const char *model)
{
    if (llmlab__fork_lock_try(&unpriced->lock)) {
        note(unpriced, provider == NULL ? "" : provider,
             model == NULL ? "" : model);
        llmlab__fork_unlock(&unpriced->lock);
    }
}

void
llmlab__unpriced_write(llmlab__unpriced_t *unpriced, llmlab__json_out_t *out)
{
    llmlab__fork_lock(&unpriced->lock);
    llmlab__json_begin_array(out);
    for (unsigned i = 0; i < unpriced->count; i++) {
        const llmlab__unpriced_name_t *name = &unpriced->names[i];

        llmlab__json_begin_object(out);
        llmlab__json_key(out, "provider");
        llmlab__json_put_text(out, name->provider);
        llmlab__json_key(out, "model");
        llmlab__json_put_text(out, name->model);
        llmlab__json_key(out, "calls");
        llmlab__json_put_uint(out, name->calls);
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
    llmlab__fork_unlock(&unpriced->lock);
}
