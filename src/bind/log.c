#include "bind/log.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json_write.h"
#include "bind/text.h"
#include "trace/tracer.h"

#define MAX_LINES 256

typedef struct line_s {
    struct line_s *older;
    uint64_t fork; /* a child does not repeat its parent's lines */
    int client;
    llmlab_log_level_t level;
    char text[];
} line_t;

/* A stack that writers push to and the poller takes whole: without a lock, so
 * that no child is forked with a held one. */
static _Atomic(line_t *) newest;
static _Atomic unsigned waiting;
static _Atomic uint64_t skipped;

void
llmlab__bind_log(llmlab_log_level_t level, const char *text, void *payload)
{
    size_t size = strlen(text);
    line_t *line;

    if (atomic_fetch_add(&waiting, 1) >= MAX_LINES) {
        atomic_fetch_sub(&waiting, 1);
        atomic_fetch_add(&skipped, 1);
        return;
    }
    line = llmlab__alloc(sizeof *line + size + 1);
    if (line == NULL) {
        atomic_fetch_sub(&waiting, 1);
        atomic_fetch_add(&skipped, 1);
        return;
    }
    line->fork = llmlab__fork_generation();
    line->client = *(const int *)payload;
    line->level = level;
    memcpy(line->text, text, size + 1);
    line->older = atomic_load(&newest);
    while (!atomic_compare_exchange_weak(&newest, &line->older, line)) {
    }
}

static line_t *
take_oldest_first(void)
{
    line_t *line = atomic_exchange(&newest, NULL);
    line_t *oldest = NULL;

    while (line != NULL) {
        line_t *older = line->older;

        line->older = oldest;
        oldest = line;
        line = older;
    }
    return oldest;
}

static void
put_line(llmlab__json_out_t *out, const line_t *line)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};

    llmlab__json_begin_object(out);
    llmlab__json_key(out, "client");
    llmlab__json_put_int(out, line->client);
    llmlab__json_key(out, "level");
    llmlab__json_put_text(out, levels[(unsigned)line->level & 3]);
    llmlab__json_key(out, "text");
    llmlab__json_put_text(out, line->text);
    llmlab__json_end_object(out);
}

llmlab_bind_text_t
llmlab_bind_poll_log(void)
{
    llmlab__json_out_t out;
    llmlab__buf_t buf;
    line_t *line;
    uint64_t lost;
    unsigned count = 0;

    if (atomic_load_explicit(&newest, memory_order_relaxed) == NULL) {
        return 0;
    }
    line = take_oldest_first();
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_array(&out);
    while (line != NULL) {
        line_t *newer = line->older;

        if (line->fork == llmlab__fork_generation()) {
            put_line(&out, line);
            count++;
        }
        llmlab__free(line);
        atomic_fetch_sub(&waiting, 1);
        line = newer;
    }
    lost = atomic_exchange(&skipped, 0);
    if (lost > 0) {
        llmlab__json_begin_object(&out);
        llmlab__json_key(&out, "skipped");
        llmlab__json_put_uint(&out, lost);
        llmlab__json_end_object(&out);
        count++;
    }
    llmlab__json_end_array(&out);
    if (count == 0) {
        llmlab__buf_cleanup(&buf);
        return 0;
    }
    return llmlab__text_of(&buf);
}
