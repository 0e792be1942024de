#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"
#include "store/sqlite/check.h"

void
llmlab__tracing_cleanup(llmlab__tracing_t *tracing)
{
    llmlab__free(tracing->slots);
    memset(tracing, 0, sizeof(*tracing));
}

static size_t
slot_of(const llmlab__traced_t *slots, size_t capacity, uint64_t high,
        uint64_t low)
{
    size_t at = llmlab__hash_mix(high ^ llmlab__hash_mix(low)) & (capacity - 1);

    while ((slots[at].high | slots[at].low) != 0 &&
           (slots[at].high != high || slots[at].low != low)) {
        at = (at + 1) & (capacity - 1);
    }
    return at;
}

/* Into a table of another size. */
static llmlab_status_t
rehash(llmlab__tracing_t *tracing, size_t capacity)
{
    llmlab__traced_t *slots = llmlab__calloc(capacity, sizeof(*slots));

    if (slots == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for traces");
    }
    for (size_t i = 0; i < tracing->capacity; i++) {
        const llmlab__traced_t *trace = &tracing->slots[i];

        if ((trace->high | trace->low) != 0) {
            slots[slot_of(slots, capacity, trace->high, trace->low)] = *trace;
        }
    }
    llmlab__free(tracing->slots);
    tracing->slots = slots;
    tracing->capacity = capacity;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__tracing_add(llmlab__checking_t *checking, uint64_t high, uint64_t low,
                    bool error, const llmlab__sums_t *sums)
{
    llmlab__tracing_t *tracing = &checking->tracing;
    llmlab__traced_t *trace;

    if (tracing->count * 2 >= tracing->capacity) {
        llmlab_status_t status = rehash(
            tracing, tracing->capacity == 0 ? 256 : tracing->capacity * 2);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    trace =
        &tracing->slots[slot_of(tracing->slots, tracing->capacity, high, low)];
    if ((trace->high | trace->low) == 0) {
        trace->high = high;
        trace->low = low;
        tracing->count++;
    }
    trace->steps++;
    trace->errors += error;
    return llmlab__sums_add(&trace->sums, sums)
               ? LLMLAB_OK
               : llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits");
}

static void
row_compare(llmlab__checking_t *checking, const llmlab__traced_t *trace,
            sqlite3_stmt *sql)
{
    static const char *const names[] = {
        "steps",     "calls",     "errors",       "unpriced",
        "cost_nano", "cost_rest", "input_tokens", "output_tokens"};
    const int64_t *of = trace->sums.of;
    const int64_t expected[] = {trace->steps,
                                of[LLMLAB__SUM_CALLS],
                                trace->errors,
                                of[LLMLAB__SUM_UNPRICED],
                                of[LLMLAB__SUM_COST_NANO],
                                of[LLMLAB__SUM_COST_REST],
                                llmlab__sums_input(&trace->sums),
                                llmlab__sums_output(&trace->sums)};
    char place[96];

    (void)snprintf(place, sizeof(place), "%016" PRIx64 "%016" PRIx64,
                   trace->high, trace->low);
    for (int i = 0; i < 8; i++) {
        /* TRACE_GET has them from its seventh column on. */
        int64_t stored = sql == NULL ? 0 : sqlite3_column_int64(sql, 6 + i);

        if (stored != expected[i]) {
            llmlab__check_differs(checking, "trace", names[i], place, stored,
                                  expected[i]);
        }
    }
}

/* *done: it was compared, or cannot be. */
static llmlab_status_t
trace_check(llmlab__checking_t *checking, const llmlab__traced_t *trace,
            int64_t end_ns, bool *done)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(checking->connection, LLMLAB__SQL_TRACE_GET);
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, checking->project);
    sqlite3_bind_int64(sql, 2, (int64_t)trace->high);
    sqlite3_bind_int64(sql, 3, (int64_t)trace->low);
    code = sqlite3_step(sql);
    *done = code != SQLITE_ROW || sqlite3_column_int64(sql, 1) < end_ns;
    if (code == SQLITE_DONE) {
        /* One whose deletion is under way has none. */
        if (llmlab__trace_was_deleted(checking->connection, checking->project,
                                      trace->high,
                                      trace->low) == LLMLAB_ENOTFOUND) {
            row_compare(checking, trace, NULL);
        }
    } else if (code == SQLITE_ROW && *done &&
               sqlite3_column_int64(sql, 0) >= checking->from_ns) {
        checking->check->traces++;
        row_compare(checking, trace, sql);
    }
    sqlite3_reset(sql);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(checking->connection, "read a trace");
}

llmlab_status_t
llmlab__tracing_check(llmlab__checking_t *checking, int64_t end_ns)
{
    llmlab__tracing_t *tracing = &checking->tracing;
    size_t capacity = 256;

    for (size_t i = 0; i < tracing->capacity; i++) {
        llmlab__traced_t *trace = &tracing->slots[i];
        llmlab_status_t status;
        bool done;

        if ((trace->high | trace->low) == 0) {
            continue;
        }
        status = trace_check(checking, trace, end_ns, &done);
        if (status != LLMLAB_OK) {
            return status;
        }
        if (done) {
            memset(trace, 0, sizeof(*trace));
            tracing->count--;
        }
    }
    /* The gaps that were left must not end a search too early. */
    while (capacity < tracing->count * 4) {
        capacity *= 2;
    }
    return rehash(tracing, capacity);
}
