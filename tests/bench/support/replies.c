#include "bench/support/replies.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/support/bench.h"

#define RESPONSES LLMLAB_SOURCE_DIR "/../shared/data/responses/"

static const char *
text_of(const cJSON *row, const char *name)
{
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, name));

    return text == NULL ? "" : text;
}

static bool
has_counts(const cJSON *row)
{
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(row, "usage");

    return cJSON_IsObject(usage) && usage->child != NULL;
}

static bool
fits(const cJSON *row, const char *kind)
{
    static const char *const providers[] = {"openai", "anthropic", "gemini"};
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(row, "status");
    size_t i;

    if (strcmp(text_of(row, "kind"), kind) != 0 || !has_counts(row) ||
        !cJSON_IsNumber(status) || status->valueint != 200) {
        return false;
    }
    for (i = 0; i < sizeof providers / sizeof *providers; i++) {
        if (strcmp(text_of(row, "provider"), providers[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The row of the index nearest to a size. */
static bool
find(bench_reply_t *out, size_t size, const char *kind)
{
    char path[512] = "";
    char *line = NULL;
    size_t capacity = 0;
    double best = 1e18;
    FILE *index = fopen(RESPONSES "index.jsonl", "r");

    if (index == NULL) {
        return false;
    }
    while (getline(&line, &capacity, index) > 0) {
        cJSON *row = cJSON_Parse(line);
        double bytes = cJSON_GetNumberValue(
            cJSON_GetObjectItemCaseSensitive(row, "response_bytes"));
        double distance =
            bytes > (double)size ? bytes - (double)size : (double)size - bytes;

        if (fits(row, kind) && distance < best) {
            best = distance;
            snprintf(path, sizeof path, RESPONSES "%s",
                     text_of(row, "response_file"));
            snprintf(out->provider, sizeof out->provider, "%s",
                     text_of(row, "provider"));
            snprintf(out->api, sizeof out->api, "%s", text_of(row, "api"));
        }
        cJSON_Delete(row);
    }
    free(line);
    fclose(index);
    out->body = path[0] == '\0' ? NULL : bench_read_file(path, &out->size);
    out->recorded = out->body != NULL;
    return out->recorded;
}

void
bench_reply_make(bench_reply_t *out, size_t size)
{
    static const char head[] =
        "{\"id\":\"chatcmpl-B1\",\"object\":\"chat.completion\",\"created\":"
        "1780000000,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{"
        "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
    static const char tail[] =
        "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":450,"
        "\"total_tokens\":1650,\"prompt_tokens_details\":{\"cached_tokens\":"
        "1024,\"audio_tokens\":0},\"completion_tokens_details\":{"
        "\"reasoning_tokens\":0,\"audio_tokens\":0}},\"service_tier\":"
        "\"default\",\"system_fingerprint\":\"fp_1\"}";
    static const char words[] = "the quick brown fox said \\\"hello\\\"\\n";
    size_t used = sizeof head - 1;

    memset(out, 0, sizeof *out);
    out->body = malloc(size + sizeof head + sizeof tail + sizeof words);
    memcpy(out->body, head, used);
    while (used + sizeof tail + sizeof words < size) {
        memcpy(out->body + used, words, sizeof words - 1);
        used += sizeof words - 1;
    }
    memcpy(out->body + used, tail, sizeof tail);
    out->size = used + sizeof tail - 1;
    snprintf(out->provider, sizeof out->provider, "openai");
    snprintf(out->api, sizeof out->api, "chat_completions");
}

void
bench_reply_find(bench_reply_t *out, size_t size)
{
    memset(out, 0, sizeof *out);
    if (!find(out, size, "json")) {
        bench_reply_make(out, size);
    }
}

bool
bench_stream_find(bench_reply_t *out, size_t size)
{
    memset(out, 0, sizeof *out);
    return find(out, size, "sse");
}

char *
bench_stream_make(size_t about, size_t *size)
{
    static const char chunk[] =
        "data: {\"id\":\"chatcmpl-B2\",\"object\":\"chat.completion.chunk\","
        "\"created\":1780000000,\"model\":\"gpt-4o-mini-2024-07-18\","
        "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\","
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" a sentence of "
        "some words, \\\"quoted\\\", as models write them\"},\"logprobs\":null,"
        "\"finish_reason\":null}]}\n\n";
    static const char end[] =
        "data: {\"id\":\"chatcmpl-B2\",\"object\":\"chat.completion.chunk\","
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[],\"usage\":{"
        "\"prompt_tokens\":1200,\"completion_tokens\":450,\"total_tokens\":"
        "1650}}\n\ndata: [DONE]\n\n";
    char *text = malloc(about + sizeof chunk + sizeof end);
    size_t used = 0;

    while (used < about) {
        memcpy(text + used, chunk, sizeof chunk - 1);
        used += sizeof chunk - 1;
    }
    memcpy(text + used, end, sizeof end);
    *size = used + sizeof end - 1;
    return text;
}
