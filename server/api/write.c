#include "api/write.h"

#include <stdio.h>
#include <string.h>

#include <llmlab/pricing.h>

#include "base/clock.h"
#include "base/id.h"
#include "services/ingest_fields.h"

void
llmlab__write_money(llmlab__json_out_t *out, int64_t nano, int64_t rest)
{
    char text[LLMLAB_MONEY_TEXT];
    size_t size = llmlab_money_format(llmlab__money_join(nano, rest), text);

    llmlab__json_put_string(out, text, size);
}

void
llmlab__write_time(llmlab__json_out_t *out, int64_t unix_ns)
{
    char text[LLMLAB__TIME_TEXT];
    size_t size = llmlab__time_format(unix_ns, text);

    llmlab__json_put_string(out, text, size);
}

void
llmlab__write_time_or_null(llmlab__json_out_t *out, int64_t unix_ns)
{
    if (unix_ns == 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__write_time(out, unix_ns);
    }
}

void
llmlab__write_ms(llmlab__json_out_t *out, int64_t ns)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%lld.%06lld",
                        (long long)(ns / 1000000), (long long)(ns % 1000000));

    while (size > 0 && text[size - 1] == '0') {
        size--;
    }
    if (size > 0 && text[size - 1] == '.') {
        size--;
    }
    llmlab__json_put_raw(out, text, (size_t)size);
}

void
llmlab__write_text(llmlab__json_out_t *out, llmlab__text_t text)
{
    if (text.size == 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_string(out, text.data, text.size);
    }
}

void
llmlab__write_id(llmlab__json_out_t *out, uint64_t high, uint64_t low,
                 int digits)
{
    char hex[32];

    llmlab__hex64(high, hex);
    llmlab__hex64(low, hex + 16);
    llmlab__json_put_string(out, hex + 32 - digits, (size_t)digits);
}

const char *
llmlab__outcome_word(int outcome)
{
    return outcome == LLMLAB_ERROR       ? "error"
           : outcome == LLMLAB_CANCELLED ? "cancelled"
                                         : "success";
}

bool
llmlab__request_range(llmlab__request_t *request, llmlab__time_range_t *out)
{
    llmlab__range_texts_t texts = {
        .start_date = llmlab__request_param(request, "start_date"),
        .end_date = llmlab__request_param(request, "end_date"),
        .start = llmlab__request_param(request, "start"),
        .end = llmlab__request_param(request, "end"),
        .tz = llmlab__request_param(request, "tz"),
    };
    llmlab__problem_t problem;

    return llmlab__time_range_read(
               out, &texts, llmlab__clock_real_ns() / 1000000000, &problem) ||
           llmlab__reply_problem(request, &problem);
}

bool
llmlab__request_trace_id(llmlab__request_t *request, uint64_t *high,
                         uint64_t *low)
{
    const char *id = request->parts[1];

    return (strlen(id) == 32 && llmlab__unhex64(id, high) == 0 &&
            llmlab__unhex64(id + 16, low) == 0) ||
           llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", "trace_id",
                                "trace_id: 32 hex digits are needed");
}

bool
llmlab__request_id(const llmlab__request_t *request, int part, int64_t *out)
{
    const char *text = request->parts[part];
    size_t size = strlen(text);

    *out = 0;
    if (size == 0 || size > 18 || text[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *out = *out * 10 + (text[i] - '0');
    }
    return true;
}
