#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* One write(2), so that lines of several threads do not mix; no stdio lock is
 * taken, which a fork may have left held. */
static void
to_stderr(const char *line)
{
    char text[600];
    int size = snprintf(text, sizeof(text), "llmlab: %s\n", line);

    if (size >= (int)sizeof(text)) {
        size = (int)sizeof(text) - 1;
        text[size - 1] = '\n';
    }
    if (size > 0 && write(STDERR_FILENO, text, (size_t)size) < 0) {
        return; /* nobody is left to tell */
    }
}

void
llmlab__log(const llmlab__log_t *log, llmlab_log_level_t level,
            const char *format, ...)
{
    llmlab_log_level_t lowest = log != NULL ? log->level : LLMLAB_LOG_WARNING;
    char line[512];
    va_list arguments;

    if (level < lowest) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (log != NULL && log->fn != NULL) {
        log->fn(level, line, log->payload);
    } else {
        to_stderr(line);
    }
}

int
llmlab__log_allowed(llmlab__log_limit_t *limit, int64_t interval_ns,
                    uint64_t *skipped)
{
    int64_t now = llmlab__clock_mono_ns();
    int64_t next = atomic_load_explicit(&limit->next_ns, memory_order_relaxed);

    if (now < next || !atomic_compare_exchange_strong_explicit(
                          &limit->next_ns, &next, now + interval_ns,
                          memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&limit->skipped, 1, memory_order_relaxed);
        return 0;
    }
    *skipped =
        atomic_exchange_explicit(&limit->skipped, 0, memory_order_relaxed);
    return 1;
}
