/* cJSON behind one strict wrapper, for price and settings files, admin bodies
 * and small replies. Not for the hot paths: those use json_scan.h. Refused:
 * duplicate keys, raw control characters, bad UTF-8, "01", trailing garbage,
 * U+0000 in strings, more than max_depth levels. Numbers keep their text, so
 * that no digit is lost: they are cJSON_Raw nodes, never cJSON_Number. */
#ifndef LLMLAB_BASE_JSON_DOM_H
#define LLMLAB_BASE_JSON_DOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <llmlab/status.h>

/* Parse; *out is owned (cJSON_Delete). On LLMLAB_EPARSE the detail names line,
 * column and reason. max_depth: 0 or above LLMLAB__JSON_DEPTH means that. */
llmlab_status_t llmlab__json_dom_parse(cJSON **out, const char *text,
                                       size_t size, unsigned max_depth);

/* Case-sensitive member look-up; NULL when absent. */
const cJSON *llmlab__json_dom_get(const cJSON *object, const char *key);
/* A string's text, or NULL when it is no string. */
const char *llmlab__json_dom_string(const cJSON *item);
/* A number's source text ("1.5e-05"), or NULL when it is no number. */
const char *llmlab__json_dom_number(const cJSON *item);
/* An integral number; false when it is none or does not fit. */
bool llmlab__json_dom_int(const cJSON *item, int64_t *out);

#endif
