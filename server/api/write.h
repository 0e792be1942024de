/* Values that several answers write. */
#ifndef LLMLAB_API_WRITE_H
#define LLMLAB_API_WRITE_H

#include "base/json_write.h"
#include "http/request.h"
#include "services/time_range.h"
#include "store/store.h"

/* An amount, as an exact decimal string. */
void llmlab__write_money(llmlab__json_out_t *out, int64_t nano, int64_t rest);
/* Unix nanoseconds, as RFC 3339. */
void llmlab__write_time(llmlab__json_out_t *out, int64_t unix_ns);
/* The same; 0 is null. */
void llmlab__write_time_or_null(llmlab__json_out_t *out, int64_t unix_ns);
/* Nanoseconds, as exact milliseconds. */
void llmlab__write_ms(llmlab__json_out_t *out, int64_t ns);
/* A text, or null when it is absent or empty. */
void llmlab__write_text(llmlab__json_out_t *out, llmlab__text_t text);
/* `digits` (16 or 32) hex digits, quoted. */
void llmlab__write_id(llmlab__json_out_t *out, uint64_t high, uint64_t low,
                      int digits);
const char *llmlab__outcome_word(int outcome);

/* The range that the query asks for. False when the reply is set. */
bool llmlab__request_range(llmlab__request_t *request,
                           llmlab__time_range_t *out);
/* The trace that the path names. False when the reply is set. */
bool llmlab__request_trace_id(llmlab__request_t *request, uint64_t *high,
                              uint64_t *low);
/* What {} number `part` matched, as an id. False, without a reply, when it is
 * none. */
bool llmlab__request_id(const llmlab__request_t *request, int part,
                        int64_t *out);

#endif
