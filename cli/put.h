/* JSON values that several commands print. */
#ifndef LLMLAB_CLI_PUT_H
#define LLMLAB_CLI_PUT_H

#include <stdbool.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "base/json_dom.h"
#include "base/json_write.h"

/* "0.0001182" as a string, or null. */
void cli_put_money(llmlab__json_out_t *out, bool present, llmlab_money_t money);

/* {"input_tokens":1200,...}: stated fields only; seconds as decimals. */
void cli_put_usage(llmlab__json_out_t *out, const llmlab_usage_t *usage);

/* The same as members of an object that is open. */
void cli_put_counts(llmlab__json_out_t *out, const llmlab_usage_t *usage);

/* A text, or null where it is NULL or empty. */
void cli_put_text(llmlab__json_out_t *out, const char *text);

/* "provider", "estimated", "none". */
const char *cli_usage_source_name(llmlab_usage_source_t source);

/* "id": a line's as it came in, whatever its type; null without one. root may
 * be NULL. */
void cli_put_id(llmlab__json_out_t *out, const cJSON *root);

/* "error": what is wrong with a line; nothing where text is NULL. */
void cli_put_fault(llmlab__json_out_t *out, const char *text);

/* Write the buffer's line to stdout and clear it. False when memory ran out
 * while it was filled: told on stderr. */
bool cli_put_line(llmlab__buf_t *buf);

#endif
