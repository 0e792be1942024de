/* A recorded reply: one row of an index.jsonl, and the reply it points to.
 * Read are the request's facts (id, provider, api, status, stream, url,
 * headers, response_file, request_file, request_model, at_utc or recorded_at),
 * never a field that states the answer (model, usage, ...). */
#ifndef LLMLAB_CLI_REPLY_ROW_H
#define LLMLAB_CLI_REPLY_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "base/buf.h"
#include "base/json_scan.h"

typedef struct cli_reply_row_s {
    llmlab__json_text_t id;      /* raw JSON; borrowed from the line */
    llmlab__json_text_t headers; /* raw JSON object, or no data */
    char provider[32];
    char api[48];
    char url[4096];
    char response_file[1024];
    char request_file[1024]; /* read where the reply leaves something unsaid */
    char request_model[160];
    int64_t status;  /* 0: not stated */
    int64_t time_ns; /* Unix; 0: not stated */
    bool stream;
} cli_reply_row_t;

/* Reads a line; it must outlive the row. NULL, or what is wrong with it. */
const char *cli_reply_row_parse(cli_reply_row_t *row, const char *line,
                                size_t size);

/* Loads the row's reply from below root into body and reads it. NULL, or why
 * the file cannot be read. *status is the reader's. */
const char *cli_reply_row_read(const cli_reply_row_t *row, const char *root,
                               llmlab__buf_t *body, llmlab_reply_t *reply,
                               llmlab_status_t *status);

/* What a reply cost: the computed cost, and the effective one (what the
 * provider says it charged, else the computed one). */
typedef struct cli_reply_cost_s {
    llmlab_cost_t computed;
    bool has_computed;
    bool has_stated;
    llmlab_money_t stated; /* of a call with the user's own key: the fee and
                              what the upstream took; unknown without that */
    struct {
        bool has_cost;
        llmlab_money_t cost;
    } parts[LLMLAB_USAGE_PARTS]; /* of the reply's */
} cli_reply_cost_t;

void cli_reply_price(cli_reply_cost_t *out, const llmlab_price_book_t *book,
                     const llmlab_reply_t *reply, int64_t time_ns);

/* 1 and the amount when there is an effective cost. */
bool cli_reply_cost_effective(const cli_reply_cost_t *cost,
                              llmlab_money_t *out);

#endif
