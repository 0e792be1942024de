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

/* Where a stored span adds, and what. */
typedef struct stored_s {
    llmlab__place_t place;
    llmlab__tags_t tags;
    llmlab__contribution_t what;
} stored_t;

/* LLMLAB_ENOTFOUND: it is expired, and what it added stays as it is. */
static llmlab_status_t
stored_read(llmlab__apply_t *apply, const llmlab__trace_t *trace,
            const llmlab__node_t *node, stored_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_SPAN_GET);
    llmlab_status_t status;
    int code;

    memset(out, 0, sizeof(*out));
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, trace, node);
    code = sqlite3_step(sql);
    if (code != SQLITE_ROW) {
        sqlite3_reset(sql);
        return code == SQLITE_DONE
                   ? LLMLAB_ENOTFOUND
                   : llmlab__connection_fail(apply->connection, "read a span");
    }
    out->place.project = trace->project;
    out->place.start_ns = node->start_ns;
    out->place.tags = &out->tags;
    for (int i = 0; i <= LLMLAB__BY_USER; i++) {
        out->place.by[i] = sqlite3_column_int64(sql, i);
    }
    llmlab__span_contribution(sql, 8, (int)out->place.by[LLMLAB__BY_STATUS],
                              &out->what);
    status = llmlab__tags_read(apply->connection, &apply->sqlite->labels,
                               trace->project, apply->day,
                               llmlab__column_text(sql, 7), &out->tags);
    sqlite3_reset(sql);
    return status;
}

llmlab_status_t
llmlab__span_uncount(llmlab__apply_t *apply, llmlab__trace_t *trace,
                     llmlab__node_t *node)
{
    stored_t stored;
    sqlite3_stmt *sql;
    llmlab_status_t status = stored_read(apply, trace, node, &stored);

    if (status == LLMLAB_ENOTFOUND) {
        node->counted = false;
        return LLMLAB_OK;
    }
    /* It stays a step. */
    stored.what.sums.of[LLMLAB__SUM_SPANS] = 0;
    stored.what.sums.of[LLMLAB__SUM_DURATION_NS] = 0;
    if (status == LLMLAB_OK) {
        status = llmlab__contribute(&apply->sqlite->rollups, &stored.place,
                                    &stored.what, -1);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__trace_sum(&trace->row, &stored.what.sums, -1);
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

static llmlab_status_t
price_write(llmlab__apply_t *apply, const llmlab__trace_t *trace,
            const llmlab__node_t *node, const llmlab__call_price_t *price)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_SPAN_REPRICE);
    llmlab__text_t key = {price->key[0] != '\0' ? price->key : NULL,
                          strlen(price->key)};

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, trace, node);
    if (price->has_cost) {
        sqlite3_bind_int64(sql, 6, price->nano);
        sqlite3_bind_int64(sql, 7, price->rest);
    }
    sqlite3_bind_int(sql, 8, price->priced);
    sqlite3_bind_int(sql, 9, price->match);
    sqlite3_bind_int(sql, 10, price->cost_source);
    llmlab__bind_text(sql, 11, key);
    return llmlab__connection_run(apply->connection, sql, "price a span");
}

llmlab_status_t
llmlab__span_reprice(llmlab__apply_t *apply, llmlab__trace_t *trace,
                     const llmlab__node_t *node,
                     const llmlab__call_price_t *price)
{
    llmlab__rollup_cache_t *rollups = &apply->sqlite->rollups;
    stored_t stored;
    llmlab_status_t status = stored_read(apply, trace, node, &stored);

    for (int sign = -1; sign <= 1 && status == LLMLAB_OK; sign += 2) {
        status = llmlab__contribute(rollups, &stored.place, &stored.what, sign);
        if (status == LLMLAB_OK) {
            status = llmlab__trace_sum(&trace->row, &stored.what.sums, sign);
        }
        if (status == LLMLAB_OK && sign < 0) {
            status = price_write(apply, trace, node, price);
        }
        if (status == LLMLAB_OK && sign < 0) {
            status = stored_read(apply, trace, node, &stored);
        }
    }
    return status == LLMLAB_OK
               ? llmlab__trace_touch(&apply->sqlite->traces, trace)
               : status;
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
    uint8_t gets = node->lacks & given->gives;
    stored_t stored;
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;

    if (gets & (LLMLAB__LACKS_AGENT | LLMLAB__LACKS_USER)) {
        status = stored_read(apply, trace, node, &stored);
        if (status == LLMLAB_ENOTFOUND) {
            node->lacks = 0;
            return LLMLAB_OK;
        }
        if (status == LLMLAB_OK) {
            status =
                llmlab__contribute(rollups, &stored.place, &stored.what, -1);
        }
        if (gets & LLMLAB__LACKS_AGENT) {
            stored.place.by[LLMLAB__BY_AGENT] = given->agent;
        }
        if (gets & LLMLAB__LACKS_USER) {
            stored.place.by[LLMLAB__BY_USER] = given->user;
        }
        if (status == LLMLAB_OK) {
            status =
                llmlab__contribute(rollups, &stored.place, &stored.what, 1);
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
    if (given.session.size > 0) {
        status = llmlab__session_reach(apply->connection, trace->project,
                                       given.session, given.user,
                                       trace->row.start_ns, trace->row.last_ns);
    }
    return status == LLMLAB_OK
               ? llmlab__trace_touch(&apply->sqlite->traces, trace)
               : status;
}
