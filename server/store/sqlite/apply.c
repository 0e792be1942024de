/* Storing batches: one transaction for all that wait, and a reply only after
 * its commit. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/sqlite/apply.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

static llmlab_status_t
label(llmlab__apply_t *apply, llmlab__label_kind_t kind, llmlab__text_t text,
      int64_t *out)
{
    return llmlab__label_intern(apply->connection, &apply->sqlite->labels,
                                apply->batch->project, kind, text, apply->day,
                                out);
}

static llmlab_status_t
row_labels(llmlab__apply_t *apply, const llmlab__row_t *row,
           llmlab__labels_t *out)
{
    llmlab_status_t status =
        label(apply, LLMLAB__LABEL_PROVIDER, row->provider, &out->provider);

    if (status == LLMLAB_OK) {
        status = label(apply, LLMLAB__LABEL_MODEL, row->model, &out->model);
    }
    if (status == LLMLAB_OK) {
        status = label(apply, LLMLAB__LABEL_AGENT, row->agent, &out->agent);
    }
    if (status == LLMLAB_OK) {
        status = label(apply, LLMLAB__LABEL_USER, row->user, &out->user);
    }
    if (status == LLMLAB_OK) {
        out->tags = &apply->tags;
        status = llmlab__tags_read(apply->connection, &apply->sqlite->labels,
                                   apply->batch->project, apply->day, row->tags,
                                   &apply->tags);
    }
    return status;
}

static llmlab_status_t
reject(llmlab__apply_t *apply, const llmlab__row_t *row, uint64_t number,
       const char *field, const char *type)
{
    llmlab__rejection_t *rejection = llmlab__batch_add_rejection(apply->batch);

    if (rejection == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a rejection");
    }
    if (row != NULL) {
        rejection->has_trace = true;
        rejection->trace_high = row->trace_high;
        rejection->trace_low = row->trace_low;
        rejection->span_id = row->span_id;
    }
    rejection->number = number;
    rejection->field = field;
    rejection->type = type;
    return LLMLAB_OK;
}

static void
bind_money(sqlite3_stmt *sql, int column, bool present, int64_t nano,
           int64_t rest)
{
    if (present) {
        sqlite3_bind_int64(sql, column, nano);
        sqlite3_bind_int64(sql, column + 1, rest);
    }
}

static llmlab_status_t
span_insert(llmlab__apply_t *apply, const llmlab__row_t *row,
            const llmlab__labels_t *labels, bool counted)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_SPAN_INSERT);
    const int64_t *of = row->sums.of;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, apply->batch->project);
    sqlite3_bind_int64(sql, 2, row->start_ns);
    sqlite3_bind_int64(sql, 3, (int64_t)row->span_id);
    sqlite3_bind_int64(sql, 4, (int64_t)row->trace_high);
    sqlite3_bind_int64(sql, 5, (int64_t)row->trace_low);
    if (row->parent_id != 0) {
        sqlite3_bind_int64(sql, 6, (int64_t)row->parent_id);
    }
    sqlite3_bind_int64(sql, 7, row->duration_ns);
    if (row->ttft_ns >= 0) {
        sqlite3_bind_int64(sql, 8, row->ttft_ns);
    }
    sqlite3_bind_int(sql, 9, row->kind);
    sqlite3_bind_int(sql, 10, row->outcome);
    llmlab__bind_text(sql, 11, row->name);
    sqlite3_bind_int64(sql, 12, labels->provider);
    sqlite3_bind_int64(sql, 13, labels->model);
    sqlite3_bind_int64(sql, 14, labels->agent);
    sqlite3_bind_int64(sql, 15, labels->user);
    sqlite3_bind_int64(sql, 16, apply->environment);
    sqlite3_bind_int64(sql, 17, apply->service);
    sqlite3_bind_int64(sql, 18, apply->batch->api_key);
    llmlab__bind_text(sql, 19, row->session);
    sqlite3_bind_int(sql, 20, counted);
    sqlite3_bind_int(sql, 21, row->priced);
    sqlite3_bind_int(sql, 22, row->match);
    sqlite3_bind_int(sql, 23, row->usage_source);
    sqlite3_bind_int(sql, 24, row->cost_source);
    bind_money(sql, 25, row->has_cost, of[LLMLAB__SUM_COST_NANO],
               of[LLMLAB__SUM_COST_REST]);
    bind_money(sql, 27, row->has_client_cost, of[LLMLAB__SUM_CLIENT_NANO],
               of[LLMLAB__SUM_CLIENT_REST]);
    llmlab__bind_text(sql, 29, row->price_key);
    llmlab__bind_text(sql, 30, row->usage);
    llmlab__bind_text(sql, 31, row->tags);
    llmlab__bind_text(sql, 32, row->detail);
    return llmlab__connection_run(apply->connection, sql, "store a span");
}

static void
place_set(const llmlab__apply_t *apply, int64_t start_ns,
          const llmlab__labels_t *labels, int outcome, llmlab__place_t *place)
{
    place->project = apply->batch->project;
    place->start_ns = start_ns;
    place->by[LLMLAB__BY_PROVIDER] = labels->provider;
    place->by[LLMLAB__BY_MODEL] = labels->model;
    place->by[LLMLAB__BY_AGENT] = labels->agent;
    place->by[LLMLAB__BY_STATUS] = outcome;
    place->by[LLMLAB__BY_ENVIRONMENT] = apply->environment;
    place->by[LLMLAB__BY_KEY] = apply->batch->api_key;
    place->by[LLMLAB__BY_USER] = labels->user;
    place->by[LLMLAB__BY_TAG] = 0;
    place->tags = labels->tags;
}

/* Of a step whose usage is a child's: it is a step and no more. */
static void
sums_uncount(llmlab__sums_t *sums)
{
    int64_t spans = sums->of[LLMLAB__SUM_SPANS];
    int64_t duration = sums->of[LLMLAB__SUM_DURATION_NS];

    memset(sums, 0, sizeof(*sums));
    sums->of[LLMLAB__SUM_SPANS] = spans;
    sums->of[LLMLAB__SUM_DURATION_NS] = duration;
}

/* Is the span to be added an ancestor of its own parent? Only a faulty client
 * says so; without this, each of a ring would be above the others, and none
 * would count. */
static bool
closes_ring(const llmlab__trace_t *trace, const llmlab__node_t *node)
{
    uint64_t id = node->parent_id;

    for (size_t i = 0; i <= trace->node_count && id != 0; i++) {
        const llmlab__node_t *above = llmlab__trace_node(trace, id);

        if (id == node->span_id || above == NULL) {
            return id == node->span_id;
        }
        id = above->parent_id;
    }
    return false;
}

/* Put a span into the tree; *counted tells whether its usage counts. */
static llmlab_status_t
tree_add(llmlab__apply_t *apply, llmlab__trace_t *trace,
         const llmlab__row_t *row, bool *counted)
{
    llmlab__node_t node = {
        .span_id = row->span_id,
        .parent_id = row->parent_id == row->span_id ? 0 : row->parent_id,
        .start_ns = row->start_ns,
        .carries = row->usage.data != NULL || row->has_cost,
        .lacks =
            (uint8_t)((row->agent.size == 0 ? LLMLAB__LACKS_AGENT : 0) |
                      (row->user.size == 0 ? LLMLAB__LACKS_USER : 0) |
                      (row->session.size == 0 ? LLMLAB__LACKS_SESSION : 0))};
    llmlab__node_t *at;
    llmlab_status_t status = LLMLAB_OK;

    node.below = llmlab__trace_is_above(trace, row->span_id);
    if (node.below && closes_ring(trace, &node)) {
        node.parent_id = 0;
    }
    node.counted = row->sums.of[LLMLAB__SUM_CALLS] != 0 && !node.below;
    *counted = node.counted;
    at = llmlab__trace_add_node(&apply->sqlite->traces, trace, &node);
    if (at == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
    }
    /* Tell those above, until one knows or the way leads back here. */
    while (status == LLMLAB_OK && (at->carries || at->below) &&
           at->parent_id != 0 && at->parent_id != row->span_id &&
           !llmlab__trace_is_above(trace, at->parent_id)) {
        if (!llmlab__trace_set_above(trace, at->parent_id)) {
            return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
        }
        at = llmlab__trace_node(trace, at->parent_id);
        if (at == NULL) {
            break;
        }
        at->below = true;
        if (at->counted) {
            status = llmlab__span_uncount(apply, trace, at);
        }
    }
    return status;
}

/* A trace counts for one session, and its steps may name several: each must
 * reach to all that name it. */
static llmlab_status_t
sessions_reach(llmlab__apply_t *apply, const llmlab__trace_t *trace,
               const llmlab__row_t *row, int64_t user)
{
    llmlab__text_t known = {(const char *)trace->session.data,
                            trace->session.size};
    llmlab_status_t status;

    if (row->session.size == 0 || known.size == 0 ||
        (row->session.size == known.size &&
         memcmp(row->session.data, known.data, known.size) == 0)) {
        return LLMLAB_OK;
    }
    status = llmlab__session_reach(apply->connection, trace->project, known,
                                   trace->user, trace->row.start_ns,
                                   trace->row.last_ns);
    return status == LLMLAB_OK
               ? llmlab__session_reach(apply->connection, trace->project,
                                       row->session, user, row->start_ns,
                                       row->start_ns)
               : status;
}

static llmlab_status_t
row_store(llmlab__apply_t *apply, llmlab__row_t *row, llmlab__trace_t *trace)
{
    llmlab__contribution_t what = {row->sums, row->duration_ns};
    llmlab__place_t place;
    llmlab__labels_t labels;
    bool counted;
    llmlab_status_t status = row_labels(apply, row, &labels);

    if (status == LLMLAB_OK) {
        status = tree_add(apply, trace, row, &counted);
    }
    if (status == LLMLAB_OK) {
        status = span_insert(apply, row, &labels, counted);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    if (sqlite3_changes(apply->connection->db) == 0) {
        /* Its trace was too long to be known whole. */
        row->verdict = LLMLAB__ROW_DUPLICATE;
        apply->batch->duplicate++;
        return LLMLAB_OK;
    }
    if (!counted) {
        sums_uncount(&what.sums);
        what.latency_ns = -1;
    }
    place_set(apply, row->start_ns, &labels, row->outcome, &place);
    status = llmlab__contribute(&apply->sqlite->rollups, &place, &what, 1);
    if (status == LLMLAB_OK) {
        status = sessions_reach(apply, trace, row, labels.user);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__trace_merge(apply, trace, row, &labels, &what.sums);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__trace_touch(&apply->sqlite->traces, trace);
    }
    row->verdict = LLMLAB__ROW_STORED;
    apply->batch->accepted++;
    return status;
}

static llmlab_status_t
row_apply(llmlab__apply_t *apply, llmlab__row_t *row)
{
    bool known = llmlab__received_has(&apply->known, row->number);
    llmlab__trace_t *trace;
    const llmlab__node_t *node;
    llmlab_status_t status = llmlab__trace_get(
        apply->connection, &apply->sqlite->traces, apply->batch->project,
        row->trace_high, row->trace_low, &trace);

    if (status != LLMLAB_OK) {
        return status;
    }
    node = llmlab__trace_node(trace, row->span_id);
    if (node != NULL && node->start_ns == row->start_ns) {
        row->verdict = LLMLAB__ROW_DUPLICATE;
        apply->batch->duplicate++;
        return LLMLAB_OK;
    }
    /* Also where something of the trace came after its deletion. */
    if (known && node == NULL) {
        status =
            llmlab__trace_was_deleted(apply->connection, apply->batch->project,
                                      row->trace_high, row->trace_low);
        if (status == LLMLAB_OK) {
            row->verdict = LLMLAB__ROW_DUPLICATE;
            apply->batch->duplicate++;
        }
        if (status != LLMLAB_ENOTFOUND) {
            return status;
        }
    }
    if (known || node != NULL) {
        row->verdict = LLMLAB__ROW_REJECTED;
        return reject(apply, row, row->number, known ? "n" : "span_id",
                      "conflict");
    }
    return row_store(apply, row, trace);
}

/* What no span stands for is kept apart, so that the roll-ups can be made
 * again. */
static llmlab_status_t
remainder_insert(llmlab__apply_t *apply, const llmlab__row_t *row,
                 const llmlab__labels_t *labels)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_REMAINDER_INSERT);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, apply->batch->project);
    sqlite3_bind_int64(sql, 2, row->start_ns);
    sqlite3_bind_int64(sql, 3, labels->provider);
    sqlite3_bind_int64(sql, 4, labels->model);
    sqlite3_bind_int64(sql, 5, labels->agent);
    sqlite3_bind_int64(sql, 6, labels->user);
    sqlite3_bind_int64(sql, 7, apply->environment);
    sqlite3_bind_int64(sql, 8, apply->batch->api_key);
    sqlite3_bind_int(sql, 9, row->outcome);
    llmlab__bind_text(sql, 10, row->session);
    llmlab__bind_text(sql, 11, row->tags);
    sqlite3_bind_int64(sql, 12, -1);
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        sqlite3_bind_int64(sql, 13 + i, row->sums.of[i]);
    }
    return llmlab__connection_run(apply->connection, sql, "store sums");
}

static llmlab_status_t
unsampled_apply(llmlab__apply_t *apply, llmlab__row_t *row)
{
    uint64_t total = 0;
    uint64_t known = 0;
    llmlab__contribution_t what = {row->sums, -1};
    llmlab__place_t place;
    llmlab__labels_t labels;
    llmlab_status_t status;

    for (size_t i = 0; i < row->pair_count; i++) {
        for (uint64_t n = row->pairs[2 * i]; n <= row->pairs[2 * i + 1]; n++) {
            total++;
            known += llmlab__received_has(&apply->known, n);
        }
    }
    if (known == total) {
        apply->batch->duplicate += total;
        return LLMLAB_OK;
    }
    if (known > 0) {
        for (size_t i = 0; i < row->pair_count; i++) {
            for (uint64_t n = row->pairs[2 * i]; n <= row->pairs[2 * i + 1];
                 n++) {
                if (llmlab__received_has(&apply->known, n)) {
                    apply->batch->duplicate++;
                    continue;
                }
                status = reject(apply, NULL, n, "n", "conflict");
                if (status != LLMLAB_OK) {
                    return status;
                }
            }
        }
        return LLMLAB_OK;
    }
    status = row_labels(apply, row, &labels);
    if (status != LLMLAB_OK) {
        return status;
    }
    apply->batch->accepted += total;
    place_set(apply, row->start_ns, &labels, row->outcome, &place);
    status = llmlab__contribute(&apply->sqlite->rollups, &place, &what, 1);
    if (status == LLMLAB_OK) {
        status = llmlab__session_add(apply->connection, apply->batch->project,
                                     row, labels.user);
    }
    return status == LLMLAB_OK ? remainder_insert(apply, row, &labels) : status;
}

static llmlab_status_t
score_apply(llmlab__apply_t *apply, const llmlab__score_row_t *row)
{
    char id[64];
    llmlab_status_t status;

    if (llmlab__received_has(&apply->known, row->number)) {
        apply->batch->duplicate++;
        return LLMLAB_OK;
    }
    status = llmlab__score_trace_gone(apply->connection, apply->batch->project,
                                      row->trace_high, row->trace_low);
    if (status != LLMLAB_ENOTFOUND) {
        const llmlab__row_t gone = {.trace_high = row->trace_high,
                                    .trace_low = row->trace_low,
                                    .span_id = row->span_id};

        return status == LLMLAB_OK
                   ? reject(apply, &gone, row->number, "trace_id", "deleted")
                   : status;
    }
    apply->batch->accepted++;
    (void)snprintf(id, sizeof(id), "%s-%" PRIu64, apply->batch->instance,
                   row->number);
    return llmlab__score_insert(apply->connection, apply->batch->project, id,
                                row);
}

static llmlab_status_t
batch_apply(llmlab__apply_t *apply)
{
    llmlab__batch_t *batch = apply->batch;
    uint64_t last = batch->first + batch->count - 1;
    llmlab_status_t status = llmlab__instance_apply(apply);

    if (status == LLMLAB_OK) {
        status = llmlab__received_load(apply->connection, apply->instance,
                                       batch->first, last, &apply->known);
    }
    if (status == LLMLAB_OK) {
        status = label(apply, LLMLAB__LABEL_ENVIRONMENT, batch->environment,
                       &apply->environment);
    }
    if (status == LLMLAB_OK) {
        status = label(apply, LLMLAB__LABEL_SERVICE, batch->service,
                       &apply->service);
    }
    for (size_t i = 0; i < batch->row_count && status == LLMLAB_OK; i++) {
        if (batch->rows[i].verdict != LLMLAB__ROW_REJECTED) {
            status = row_apply(apply, &batch->rows[i]);
        }
    }
    for (size_t i = 0; i < batch->fill_count && status == LLMLAB_OK; i++) {
        status = llmlab__trace_fill(apply, &batch->fills[i]);
    }
    for (size_t i = 0; i < batch->unsampled_count && status == LLMLAB_OK; i++) {
        if (batch->unsampled[i].verdict != LLMLAB__ROW_REJECTED) {
            status = unsampled_apply(apply, &batch->unsampled[i]);
        }
    }
    for (size_t i = 0; i < batch->score_count && status == LLMLAB_OK; i++) {
        if (batch->scores[i].verdict != LLMLAB__ROW_REJECTED) {
            status = score_apply(apply, &batch->scores[i]);
        }
    }
    if (status == LLMLAB_OK) {
        status = llmlab__received_add(apply->connection, apply->instance,
                                      &apply->known, batch->first, last);
    }
    return status;
}

llmlab_status_t
llmlab__revision_write(llmlab__sqlite_t *sqlite)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(&sqlite->writer, LLMLAB__SQL_REVISION_PUT);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite->rollups.number = ++sqlite->revision;
    sqlite3_bind_int64(sql, 1, (int64_t)sqlite->revision);
    return llmlab__connection_run(&sqlite->writer, sql, "count a transaction");
}

void
llmlab__memory_clear(llmlab__sqlite_t *sqlite)
{
    llmlab__label_cache_clear(&sqlite->labels);
    llmlab__trace_cache_clear(&sqlite->traces);
    llmlab__rollup_cache_clear(&sqlite->rollups);
}

llmlab_status_t
llmlab__sums_write(llmlab__sqlite_t *sqlite)
{
    llmlab_status_t status =
        llmlab__trace_flush(&sqlite->writer, &sqlite->traces);

    if (status == LLMLAB_OK) {
        status = llmlab__revision_write(sqlite);
    }
    return status == LLMLAB_OK
               ? llmlab__rollup_flush(&sqlite->writer, &sqlite->rollups)
               : status;
}

/* One transaction over some batches: all of them, or none. */
static llmlab_status_t
transaction(llmlab__sqlite_t *sqlite, llmlab__batch_t **batches, size_t count,
            llmlab__intervals_t *known)
{
    llmlab__connection_t *connection = &sqlite->writer;
    sqlite3_stmt *begin = llmlab__connection_sql(connection, LLMLAB__SQL_BEGIN);
    sqlite3_stmt *commit;
    llmlab_status_t status;

    if (begin == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__connection_run(connection, begin, "begin");
    for (size_t i = 0; i < count && status == LLMLAB_OK; i++) {
        llmlab__apply_t apply = {.sqlite = sqlite,
                                 .connection = connection,
                                 .batch = batches[i],
                                 .day = batches[i]->now_ns / DAY_NS,
                                 .known = *known};

        if (apply.day != sqlite->labels.day) {
            /* What the cap turned into `other` yesterday is free again. */
            llmlab__label_cache_clear(&sqlite->labels);
            sqlite->labels.day = apply.day;
        }
        status = batch_apply(&apply);
        *known = apply.known;
    }
    if (status == LLMLAB_OK) {
        status = llmlab__sums_write(sqlite);
    }
    if (status == LLMLAB_OK) {
        commit = llmlab__connection_sql(connection, LLMLAB__SQL_COMMIT);
        status = commit == NULL
                     ? LLMLAB_EIO
                     : llmlab__connection_run(connection, commit, "commit");
    }
    if (status != LLMLAB_OK) {
        (void)sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
        llmlab__memory_clear(sqlite);
    }
    return status;
}

/* As they were before the store saw them. */
static void
batch_forget(llmlab__batch_t *batch, size_t rejections)
{
    batch->accepted = 0;
    batch->duplicate = 0;
    batch->rejection_count = rejections;
    batch->problem = NULL;
    for (size_t i = 0; i < batch->row_count; i++) {
        llmlab__row_t *row = &batch->rows[i];

        if (row->verdict != LLMLAB__ROW_REJECTED) {
            row->verdict = LLMLAB__ROW_NEW;
        }
    }
}

static void
numbers_add(llmlab__sqlite_t *sqlite, llmlab__batch_t *const *batches,
            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (batches[i]->status == LLMLAB_OK) {
            atomic_fetch_add(&sqlite->spans, batches[i]->accepted);
            atomic_fetch_add(&sqlite->duplicates, batches[i]->duplicate);
            atomic_fetch_add(&sqlite->rejected, batches[i]->rejection_count);
        }
    }
    atomic_fetch_add(&sqlite->transactions, 1);
    atomic_store(&sqlite->capped_labels, sqlite->labels.capped);
}

void
llmlab__sqlite_apply(llmlab__store_t *store, llmlab__batch_t **batches,
                     size_t count)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab__intervals_t known = {0};
    llmlab_status_t status;

    pthread_mutex_lock(&sqlite->write_lock);
    for (size_t i = 0; i < count; i++) {
        batches[i]->parsed_rejections = batches[i]->rejection_count;
    }
    status = transaction(sqlite, batches, count, &known);
    for (size_t i = 0; i < count; i++) {
        batches[i]->status = status;
    }
    /* One bad batch must not take the others with it. */
    for (size_t i = 0; i < count && status != LLMLAB_OK && count > 1; i++) {
        for (size_t j = 0; i == 0 && j < count; j++) {
            batch_forget(batches[j], batches[j]->parsed_rejections);
        }
        batches[i]->status = transaction(sqlite, &batches[i], 1, &known);
    }
    numbers_add(sqlite, batches, count);
    llmlab__trace_cache_trim(&sqlite->traces);
    pthread_mutex_unlock(&sqlite->write_lock);
    llmlab__free(known.of);
}
