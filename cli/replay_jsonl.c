/* Workloads as JSONL: {"timestamp":ms,"input_length":n,"output_length":n,
 * "hash_ids":[...]}, a hash for each block of 512 prompt tokens and all before
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "cli/jsonl.h"
#include "cli/replay.h"

#define BLOCK_TOKENS 512

/* The hashes seen so far: open addressing, at most half full. */
typedef struct seen_s {
    uint64_t *slots; /* hash + 1; 0: free */
    size_t capacity; /* a power of two */
    size_t count;
} seen_t;

static uint64_t *
find_slot(const seen_t *seen, uint64_t value)
{
    size_t at =
        (size_t)(value * UINT64_C(0x9e3779b97f4a7c15)) & (seen->capacity - 1);

    while (seen->slots[at] != 0 && seen->slots[at] != value) {
        at = (at + 1) & (seen->capacity - 1);
    }
    return &seen->slots[at];
}

static bool
grow(seen_t *seen)
{
    seen_t larger = {.capacity =
                         seen->capacity == 0 ? 4096 : 2 * seen->capacity,
                     .count = seen->count};

    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < seen->capacity; i++) {
        if (seen->slots[i] != 0) {
            *find_slot(&larger, seen->slots[i]) = seen->slots[i];
        }
    }
    free(seen->slots);
    *seen = larger;
    return true;
}

/* True if the hash was seen before; *failed when memory ran out. */
static bool
remember(seen_t *seen, uint64_t hash, bool *failed)
{
    uint64_t *slot;

    if (2 * seen->count >= seen->capacity && !grow(seen)) {
        *failed = true;
        return false;
    }
    slot = find_slot(seen, hash + 1);
    if (*slot != 0) {
        return true;
    }
    *slot = hash + 1;
    seen->count++;
    return false;
}

static bool
take_count(llmlab__json_t *json, uint64_t *out)
{
    llmlab__json_text_t number;

    return llmlab__json_number(json, &number) &&
           llmlab__json_count(&number, out) == 0;
}

/* The leading blocks that an earlier call has sent are in the cache. */
static bool
take_hashes(llmlab__json_t *json, seen_t *seen, uint64_t *cached, bool *failed)
{
    bool prefix = true;
    uint64_t hash;

    if (!llmlab__json_enter_array(json)) {
        return false;
    }
    while (llmlab__json_next_element(json)) {
        if (!take_count(json, &hash)) {
            return false;
        }
        prefix = remember(seen, hash, failed) && prefix;
        *cached += prefix ? BLOCK_TOKENS : 0;
    }
    return true;
}

static const char *
parse_line(const char *line, size_t size, seen_t *seen,
           cli_workload_call_t *call, bool *failed)
{
    llmlab__json_t json;
    llmlab__json_text_t key;
    uint64_t time_ms = 0;
    unsigned found = 0;

    llmlab__json_init(&json, line, size);
    if (!llmlab__json_enter_object(&json)) {
        return "the line is no JSON object";
    }
    while (llmlab__json_next_key(&json, &key)) {
        if (llmlab__json_key_is(&key, "timestamp") &&
            take_count(&json, &time_ms)) {
            found |= 1;
        } else if (llmlab__json_key_is(&key, "input_length") &&
                   take_count(&json, &call->input)) {
            found |= 2;
        } else if (llmlab__json_key_is(&key, "output_length") &&
                   take_count(&json, &call->output)) {
            found |= 4;
        } else if (llmlab__json_key_is(&key, "hash_ids")) {
            if (!take_hashes(&json, seen, &call->cached, failed)) {
                return "hash_ids is no array of counts";
            }
        } else {
            llmlab__json_skip(&json);
        }
    }
    if (json.error != NULL) {
        return json.error;
    }
    if (found != 7) {
        return "timestamp, input_length or output_length is missing or no "
               "count";
    }
    if (time_ms > INT64_MAX / 1000000) {
        return "timestamp is too large";
    }
    call->offset_ns = (int64_t)time_ms * 1000000;
    if (call->cached > call->input) {
        call->cached = call->input;
    }
    return NULL;
}

bool
cli_workload_load_jsonl(cli_workload_t *workload, const char *path)
{
    cli_jsonl_t lines;
    seen_t seen = {0};
    char *line;
    size_t size;
    bool failed = false;
    bool good;

    if (!cli_jsonl_open(&lines, path)) {
        return false;
    }
    while (!failed && cli_jsonl_next(&lines, &line, &size)) {
        cli_workload_call_t call = {0};
        const char *fault = parse_line(line, size, &seen, &call, &failed);

        if (fault != NULL) {
            cli_jsonl_bad(&lines, "%s", fault);
        } else if (!cli_workload_add(workload, &call)) {
            failed = true;
        }
    }
    good = !failed && lines.bad == 0;
    free(seen.slots);
    cli_jsonl_close(&lines);
    return good;
}
