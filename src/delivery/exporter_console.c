#include "delivery/exporter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "delivery/encode.h"
#include "delivery/span_view.h"

typedef struct console_exporter_s {
    llmlab__buf_t text;
    llmlab_money_t total;
    uint64_t calls;
    uint64_t unpriced;
} console_exporter_t;

static void
put_text(llmlab__buf_t *out, llmlab__view_text_t text)
{
    /* What comes from outside must not drive the terminal. */
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char shown = byte < 0x20 || byte == 0x7F ? '?' : (char)byte;

        llmlab__buf_append(out, &shown, 1);
    }
}

static void
put_tokens(llmlab__buf_t *out, const llmlab_usage_t *usage)
{
    uint64_t count;

    if (llmlab_usage_get(usage, LLMLAB_USAGE_INPUT_TOKENS, &count)) {
        llmlab__buf_printf(out, "  %llu in", (unsigned long long)count);
    }
    if (llmlab_usage_get(usage, LLMLAB_USAGE_CACHE_READ_TOKENS, &count) &&
        count > 0) {
        llmlab__buf_printf(out, " (%llu cached)", (unsigned long long)count);
    }
    if (llmlab_usage_get(usage, LLMLAB_USAGE_OUTPUT_TOKENS, &count)) {
        llmlab__buf_printf(out, "  %llu out", (unsigned long long)count);
    }
}

static void
put_cost(console_exporter_t *console, const llmlab__span_view_t *view)
{
    char amount[LLMLAB_MONEY_TEXT];
    llmlab_money_t cost;

    if (llmlab__view_effective_cost(view, &cost)) {
        llmlab_money_format(cost, amount);
        llmlab__buf_printf(&console->text, "  $%s%s", amount,
                           view->record->priced == LLMLAB_ESTIMATED_RATE
                               ? " (estimated rate)"
                               : "");
        if (llmlab_money_add(&console->total, cost) != LLMLAB_OK) {
            console->total = (llmlab_money_t){UINT64_MAX, UINT64_MAX};
        }
    } else {
        llmlab__buf_text(&console->text, "  unpriced");
        console->unpriced++;
    }
}

/* "llm_call answer  openai/gpt-4o-mini  1200 in (1024 cached)  80 out
 *  $0.0001182  812.4 ms" */
static void
put_record(console_exporter_t *console, const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    llmlab__buf_t *out = &console->text;
    int64_t ns = llmlab__elapsed_ns(record->start_ns, record->end_ns);

    llmlab__buf_text(out, llmlab__kind_name(record->kind));
    llmlab__buf_append(out, " ", 1);
    put_text(out, llmlab__view_text(view, LLMLAB__ITEM_NAME));
    if ((record->flags & LLMLAB__RECORD_CALL) != 0) {
        llmlab__buf_text(out, "  ");
        put_text(out, llmlab__view_text(view, LLMLAB__ITEM_PROVIDER));
        llmlab__buf_append(out, "/", 1);
        put_text(out, llmlab__view_text(view, LLMLAB__ITEM_MODEL));
        put_tokens(out, &view->usage);
        put_cost(console, view);
        console->calls++;
    }
    llmlab__buf_printf(out, "  %lld.%lld ms", (long long)(ns / 1000000),
                       (long long)(ns / 100000 % 10));
    if (record->outcome != LLMLAB_SUCCESS) {
        llmlab__buf_printf(out, "  %s ", llmlab__outcome_name(record->outcome));
        put_text(out, llmlab__view_text(view, LLMLAB__ITEM_ERROR_TYPE));
    }
    llmlab__buf_append(out, "\n", 1);
}

static int
write_all(const llmlab__buf_t *text)
{
    size_t at = 0;

    while (at < text->size) {
        ssize_t written =
            write(STDOUT_FILENO, text->data + at, text->size - at);

        if (written >= 0) {
            at += (size_t)written;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static void
console_deliver(void *self, llmlab__delivery_t *delivery)
{
    console_exporter_t *console = self;
    llmlab__segment_cursor_t cursor = delivery->batch->start;
    const llmlab__record_t *record;
    llmlab__span_view_t view;
    uint64_t number;
    bool sound;

    llmlab__buf_clear(&console->text);
    while (!llmlab__batch_at_end(delivery->batch, &cursor) &&
           llmlab__segments_read(&cursor, &record, &number, &sound)) {
        if (!sound) {
            delivery->corrupt++;
        } else if (record->type == LLMLAB__RECORD_SPAN ||
                   record->type == LLMLAB__RECORD_UNSAMPLED) {
            llmlab__span_view(&view, record, number);
            put_record(console, &view);
        }
    }
    /* A closed standard output is no reason to keep calls for ever. */
    if (write_all(&console->text) == 0) {
        delivery->bytes_sent = console->text.size;
    }
    delivery->retry_after_ms = -1;
    delivery->verdict = LLMLAB__VERDICT_DONE;
}

static size_t
console_memory(void *self)
{
    const console_exporter_t *console = self;

    return console->text.capacity;
}

static void
console_destroy(void *self)
{
    console_exporter_t *console = self;
    char amount[LLMLAB_MONEY_TEXT];

    if (console->calls > 0) {
        llmlab_money_format(console->total, amount);
        llmlab__buf_clear(&console->text);
        llmlab__buf_printf(&console->text, "total  %llu calls  $%s",
                           (unsigned long long)console->calls, amount);
        if (console->unpriced > 0) {
            llmlab__buf_printf(&console->text, "  %llu unpriced",
                               (unsigned long long)console->unpriced);
        }
        llmlab__buf_append(&console->text, "\n", 1);
        (void)write_all(&console->text);
    }
    llmlab__buf_cleanup(&console->text);
    llmlab__free(console);
}

bool
llmlab__exporter_console(llmlab__exporter_t *out)
{
    console_exporter_t *console = llmlab__calloc(1, sizeof(*console));

    if (console == NULL) {
        llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        return false;
    }
    llmlab__buf_init(&console->text);
    memset(out, 0, sizeof(*out));
    out->self = console;
    out->deliver = console_deliver;
    out->memory = console_memory;
    out->destroy = console_destroy;
    return true;
}
