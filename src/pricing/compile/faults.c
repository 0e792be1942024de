#include "faults.h"

#include <stdio.h>
#include <string.h>

static const char *
text_of(const cJSON *row, const char *name)
{
    const char *text = llmlab__json_dom_string(llmlab__json_dom_get(row, name));

    return text != NULL ? text : "";
}

bool
llmlab__faults_init(llmlab__faults_t *faults, const cJSON *root)
{
    const cJSON *row;
    int64_t format = 0;

    memset(faults, 0, sizeof(*faults));
    faults->rows = llmlab__json_dom_get(root, "reviewed");
    if (!llmlab__json_dom_int(llmlab__json_dom_get(root, "llmlab_reviewed"),
                              &format) ||
        format != 1 || !cJSON_IsArray(faults->rows) ||
        cJSON_GetArraySize(faults->rows) > LLMLAB__REVIEWED_MAX) {
        fprintf(stderr, "llmlab_reviewed: 1 and a list are expected\n");
        return false;
    }
    cJSON_ArrayForEach(row, faults->rows)
    {
        if (text_of(row, "why")[0] == '\0') {
            fprintf(stderr, "%s: reviewed, but it is not said why\n",
                    text_of(row, "model"));
            return false;
        }
    }
    return true;
}

void
llmlab__fault(llmlab__faults_t *faults, const char *model, const char *rate,
              const char *what)
{
    const cJSON *row;
    unsigned i = 0;

    cJSON_ArrayForEach(row, faults->rows)
    {
        if (strcmp(text_of(row, "model"), model) == 0 &&
            strcmp(text_of(row, "rate"), rate) == 0 &&
            strcmp(text_of(row, "fault"), what) == 0) {
            faults->is_used[i] = true;
            return;
        }
        i++;
    }
    fprintf(stderr, "%s: %s: %s\n", model, rate, what);
    faults->count++;
}

void
llmlab__faults_close(llmlab__faults_t *faults)
{
    const cJSON *row;
    unsigned i = 0;

    cJSON_ArrayForEach(row, faults->rows)
    {
        if (!faults->is_used[i++]) {
            fprintf(stderr, "%s: %s: reviewed for nothing: %s\n",
                    text_of(row, "model"), text_of(row, "rate"),
                    text_of(row, "fault"));
            faults->count++;
        }
    }
}
