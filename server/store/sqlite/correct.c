/* Corrections: what a stored span adds to the sums is taken away and added
 * anew, in the transaction that brings the reason. */
#include <string.h>

#include "base/status.h"
#include "store/sqlite/apply.h"
#include "store/usage_sums.h"

static void
key_bind(sqlite3_stmt *sql, const llmlab__trace_t *trace,
         const llmlab__node_t *node)
{
    sqlite3_bind_int64(sql, 1, trace->project);
    sqlite3_bind_int64(sql, 2, node->start_ns);
    sqlite3_bind_int64(sql, 3, (int64_t)node->span_id);
    sqlite3_bind_int64(sql, 4, (int64_t)trace->row.trace_high);
    sqlite3_bind_int64(sql, 5, (int64_t)trace->row.trace_low);
}

/* Where a stored span's sums are, and what they are: as a call in *call, as a
 * mere step in *step. LLMLAB_ENOTFOUND: it is expired, and what it added stays
 * as it is. */
static llmlab_status_t
contribution(llmlab__apply_t *apply, const llmlab__trace_t *trace,
             const llmlab__node_t *node, llmlab__rollup_key_t *key,
             llmlab__sums_t *call, llmlab__sums_t *step)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_SPAN_GET);
    bool unknown;
    int priced;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    memset(key, 0, sizeof(*key));
    memset(call, 0, sizeof(*call));
    memset(step, 0, sizeof(*step));
    key_bind(sql, trace, node);
    code = sqlite3_step(sql);
    if (code != SQLITE_ROW) {
        sqlite3_reset(sql);
        return code == SQLITE_DONE
                   ? LLMLAB_ENOTFOUND
                   : llmlab__connection_fail(apply->connection, "read a span");
    }
    key->project = trace->project;
    key->level = LLMLAB__LEVEL_QUARTER;
    key->start = node->start_ns / LLMLAB__QUARTER_NS;
    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        key->by[i] = sqlite3_column_int64(sql, i);
    }
    step->of[LLMLAB__SUM_SPANS] = 1;
    step->of[LLMLAB__SUM_DURATION_NS] = sqlite3_column_int64(sql, 13);
    if (sqlite3_column_int(sql, 12) != 0) {
        llmlab__usage_text_sums(llmlab__column_text(sql, 6), call);
        priced = sqlite3_column_int(sql, 11);
        /* The rule of pricing_step.c. */
        unknown = sqlite3_column_int(sql, 14) != LLMLAB_USAGE_NONE ||
                  sqlite3_column_int(sql, 3) == LLMLAB_SUCCESS;
        call->of[LLMLAB__SUM_CALLS] = 1;
        call->of[LLMLAB__SUM_COST_NANO] = sqlite3_column_int64(sql, 7);
        call->of[LLMLAB__SUM_COST_REST] = sqlite3_column_int64(sql, 8);
        call->of[LLMLAB__SUM_CLIENT_NANO] = sqlite3_column_int64(sql, 9);
        call->of[LLMLAB__SUM_CLIENT_REST] = sqlite3_column_int64(sql, 10);
        call->of[LLMLAB__SUM_UNPRICED] = priced == LLMLAB_UNPRICED && unknown;
        call->of[LLMLAB__SUM_ESTIMATED] = priced == LLMLAB_ESTIMATED_RATE;
    }
    sqlite3_reset(sql);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__span_uncount(llmlab__apply_t *apply, llmlab__trace_t *trace,
                     llmlab__node_t *node)
{
    llmlab__rollup_key_t key;
    llmlab__sums_t call;
    llmlab__sums_t step;
    sqlite3_stmt *sql;
    llmlab_status_t status =
        contribution(apply, trace, node, &key, &call, &step);

    if (status == LLMLAB_ENOTFOUND) {
        node->counted = false;
        return LLMLAB_OK;
    }
    if (status == LLMLAB_OK) {
        status = llmlab__rollup_add(&apply->sqlite->rollups, &key, &call, -1);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__trace_sum(&trace->row, &call, -1);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    node->counted = false;
    sql = llmlab__connection_sql(apply->connection, LLMLAB__SQL_SPAN_UNCOUNT);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, trace, node);
    return llmlab__connection_run(apply->connection, sql, "correct a span");
}

/* The fill's labels, and its session as a text. */
typedef struct given_s {
    int64_t agent;
    int64_t user;
    llmlab__text_t session;
    uint8_t gives; /* LLMLAB__LACKS_* */
} given_t;

static llmlab_status_t
span_fill(llmlab__apply_t *apply, const llmlab__trace_t *trace,
          llmlab__node_t *node, const given_t *given)
{
    llmlab__rollup_cache_t *rollups = &apply->sqlite->rollups;
    llmlab__rollup_key_t key;
    llmlab__sums_t call;
    llmlab__sums_t step;
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;

    if (node->lacks & given->gives & LLMLAB__LACKS_AGENT) {
        status = contribution(apply, trace, node, &key, &call, &step);
        if (status == LLMLAB_ENOTFOUND) {
            node->lacks = 0;
            return LLMLAB_OK;
        }
        if (status == LLMLAB_OK && !llmlab__sums_add(&call, &step)) {
            status =
                llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits");
        }
        if (status == LLMLAB_OK) {
            status = llmlab__rollup_add(rollups, &key, &call, -1);
        }
        key.by[LLMLAB__BY_AGENT] = given->agent;
        if (status == LLMLAB_OK) {
            status = llmlab__rollup_add(rollups, &key, &call, 1);
        }
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    sql = llmlab__connection_sql(apply->connection, LLMLAB__SQL_SPAN_FILL);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, trace, node);
    sqlite3_bind_int64(sql, 6, given->agent);
    sqlite3_bind_int64(sql, 7, given->user);
    llmlab__bind_text(sql, 8, given->session);
    node->lacks &= (uint8_t)~given->gives;
    return llmlab__connection_run(apply->connection, sql, "correct a span");
}

static llmlab_status_t
given_read(llmlab__apply_t *apply, const llmlab__trace_fill_t *fill,
           given_t *out)
{
    llmlab_status_t status = llmlab__label_intern(
        apply->connection, &apply->sqlite->labels, apply->batch->project,
        LLMLAB__LABEL_AGENT, fill->agent, apply->day, &out->agent);

    if (status == LLMLAB_OK) {
        status = llmlab__label_intern(apply->connection, &apply->sqlite->labels,
                                      apply->batch->project, LLMLAB__LABEL_USER,
                                      fill->user, apply->day, &out->user);
    }
    out->session.data = fill->session.size > 0 ? fill->session.data : NULL;
    out->session.size = fill->session.size;
    out->gives = (uint8_t)((out->agent != 0 ? LLMLAB__LACKS_AGENT : 0) |
                           (out->user != 0 ? LLMLAB__LACKS_USER : 0) |
                           (out->session.size > 0 ? LLMLAB__LACKS_SESSION : 0));
    return status;
}

llmlab_status_t
llmlab__trace_fill(llmlab__apply_t *apply, const llmlab__trace_fill_t *fill)
{
    llmlab__trace_t *trace;
    given_t given;
    llmlab_status_t status = llmlab__trace_get(
        apply->connection, &apply->sqlite->traces, apply->batch->project,
        fill->trace_high, fill->trace_low, &trace);

    if (status != LLMLAB_OK || trace->lacks == 0) {
        return status;
    }
    status = given_read(apply, fill, &given);
    if (status != LLMLAB_OK || (trace->lacks & given.gives) == 0) {
        return status;
    }
    for (size_t i = 0; i < trace->node_capacity && status == LLMLAB_OK; i++) {
        llmlab__node_t *node = &trace->nodes[i];

        if (node->span_id != 0 && (node->lacks & given.gives) != 0) {
            status = span_fill(apply, trace, node, &given);
        }
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    trace->lacks &= (uint8_t)~given.gives;
    trace->agent = trace->agent != 0 ? trace->agent : given.agent;
    trace->user = trace->user != 0 ? trace->user : given.user;
    if (trace->session.size == 0 && given.session.size > 0) {
        llmlab__buf_append(&trace->session, given.session.data,
                           given.session.size);
    }
    return llmlab__trace_touch(&apply->sqlite->traces, trace);
}
