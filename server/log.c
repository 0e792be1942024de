#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"

static llmlab_log_level_t least = LLMLAB_LOG_INFO;

static const char *const names[] = {"debug", "info", "warning", "error"};

void
llmlab__server_log_level(llmlab_log_level_t level)
{
    least = level;
}

static void
line_begin(llmlab__json_out_t *out, llmlab_log_level_t level,
           const char *message)
{
    char time[LLMLAB__TIME_TEXT];
    size_t size = llmlab__time_format(llmlab__clock_real_ns(), time);

    llmlab__json_begin_object(out);
    llmlab__json_key(out, "ts");
    llmlab__json_put_string(out, time, size);
    llmlab__json_key(out, "level");
    llmlab__json_put_text(out, names[level]);
    llmlab__json_key(out, "msg");
    llmlab__json_put_text(out, message);
}

/* One write(2) a line: lines of several threads do not mix. */
static void
line_end(llmlab__json_out_t *out)
{
    llmlab__buf_t *buf = out->buf;

    llmlab__json_end_object(out);
    llmlab__buf_append(buf, "\n", 1);
    if (!buf->failed) {
        ssize_t written = write(STDERR_FILENO, buf->data, buf->size);

        (void)written;
    }
    llmlab__buf_cleanup(buf);
}

void
llmlab__server_log(llmlab_log_level_t level, const char *message,
                   const char *format, ...)
{
    char detail[1024];
    llmlab__buf_t buf;
    llmlab__json_out_t out;
    va_list arguments;

    if (level < least) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    line_begin(&out, level, message);
    if (detail[0] != '\0') {
        llmlab__json_key(&out, "detail");
        llmlab__json_put_text(&out, detail);
    }
    line_end(&out);
}

void
llmlab__server_log_request(const char *method, const char *route,
                           unsigned status, int64_t duration_ns)
{
    llmlab_log_level_t level =
        status >= 500 ? LLMLAB_LOG_ERROR : LLMLAB_LOG_DEBUG;
    llmlab__buf_t buf;
    llmlab__json_out_t out;

    if (level < least) {
        return;
    }
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    line_begin(&out, level, "request");
    llmlab__json_key(&out, "method");
    llmlab__json_put_text(&out, method);
    llmlab__json_key(&out, "route");
    llmlab__json_put_text(&out, route);
    llmlab__json_key(&out, "status");
    llmlab__json_put_uint(&out, status);
    llmlab__json_key(&out, "dur_ms");
    llmlab__json_put_double(&out, (double)duration_ns / 1e6);
    line_end(&out);
}
