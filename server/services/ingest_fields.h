/* Reading the values of a record. Each answers NULL, or a short word for what
 * is wrong; the value is then consumed all the same. */
#ifndef LLMLAB_SERVICES_INGEST_FIELDS_H
#define LLMLAB_SERVICES_INGEST_FIELDS_H

#include "base/json_scan.h"
#include "store/rows.h"

#define LLMLAB__LABEL_MAX 512
#define LLMLAB__NAME_MAX  4096

/* A string of at most max bytes, decoded; null leaves *out. */
const char *llmlab__field_text(llmlab__json_t *json, llmlab__arena_t *arena,
                               size_t max, llmlab__text_t *out);
/* 16 or 32 hex digits, not all zero. high is for 32. */
const char *llmlab__field_id(llmlab__json_t *json, size_t digits,
                             uint64_t *high, uint64_t *low);
const char *llmlab__field_time(llmlab__json_t *json, int64_t *out_ns);
/* Milliseconds with at most six decimals, as nanoseconds. */
const char *llmlab__field_ms(llmlab__json_t *json, int64_t *out_ns);
const char *llmlab__field_number(llmlab__json_t *json, uint64_t *out);
/* A decimal of USD as nano and rest; null leaves *present false. */
const char *llmlab__field_money(llmlab__json_t *json, bool *present,
                                int64_t *nano, int64_t *rest);
/* Strings, as a JSON array without white space. */
const char *llmlab__field_tags(llmlab__json_t *json, llmlab__arena_t *arena,
                               llmlab__text_t *out);
/* The value's raw text if it has one of the given types (bits by
 * llmlab__json_type_t); null leaves *out. */
const char *llmlab__field_raw(llmlab__json_t *json, unsigned types,
                              llmlab__text_t *out);
/* One of the names, by index. */
const char *llmlab__field_enum(llmlab__json_t *json, const char *const *names,
                               size_t count, uint8_t *out);

/* What the wire calls the kinds of spans. */
extern const char *const llmlab__kind_names[LLMLAB_SPAN_KINDS];

/* False on overflow. */
bool llmlab__money_split(llmlab_money_t money, int64_t *nano, int64_t *rest);
llmlab_money_t llmlab__money_join(int64_t nano, int64_t rest);

#endif
