#include "store/sqlite/trace_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"
#include "store/sqlite/sqlite_store.h"

/* Slots of spans in memory, about 40 bytes each, and traces. */
#define NODES_MAX  (256 * 1024)
#define TRACES_MAX (16 * 1024)
/* Rows looked at to find the spans of a stored trace again. One whose spans lie
 * far apart among many others is then known in part: its duplicates are still
 * found by their key. */
#define SCAN_MAX 100000

static void
trace_destroy(llmlab__trace_cache_t *cache, llmlab__trace_t *trace)
{
    cache->nodes -= trace->node_capacity;
    llmlab__buf_cleanup(&trace->name);
    llmlab__buf_cleanup(&trace->session);
    llmlab__buf_cleanup(&trace->told_session);
    llmlab__runs_cleanup(&trace->runs);
    llmlab__buf_cleanup(&trace->models);
    llmlab__buf_cleanup(&trace->tags);
    llmlab__free(trace->nodes);
    llmlab__free(trace->above);
    llmlab__free(trace);
}

void
llmlab__trace_cache_clear(llmlab__trace_cache_t *cache)
{
    llmlab__trace_t *next;

    for (llmlab__trace_t *trace = cache->newest; trace != NULL; trace = next) {
        next = trace->older;
        trace_destroy(cache, trace);
    }
    if (cache->capacity != 0) {
        memset(cache->slots, 0, cache->capacity * sizeof(*cache->slots));
    }
    cache->newest = NULL;
    cache->oldest = NULL;
    cache->count = 0;
    cache->dirty_count = 0;
}

void
llmlab__trace_cache_cleanup(llmlab__trace_cache_t *cache)
{
    llmlab__trace_cache_clear(cache);
    llmlab__free(cache->slots);
    llmlab__free(cache->dirty);
    memset(cache, 0, sizeof(*cache));
}

static void
list_remove(llmlab__trace_cache_t *cache, llmlab__trace_t *trace)
{
    if (trace->newer != NULL) {
        trace->newer->older = trace->older;
    } else {
        cache->newest = trace->older;
    }
    if (trace->older != NULL) {
        trace->older->newer = trace->newer;
    } else {
        cache->oldest = trace->newer;
    }
}

static void
list_add(llmlab__trace_cache_t *cache, llmlab__trace_t *trace)
{
    trace->newer = NULL;
    trace->older = cache->newest;
    if (cache->newest != NULL) {
        cache->newest->newer = trace;
    } else {
        cache->oldest = trace;
    }
    cache->newest = trace;
}

static size_t
slot_of(const llmlab__trace_cache_t *cache, uint64_t hash, int64_t project,
        uint64_t high, uint64_t low)
{
    size_t mask = cache->capacity - 1;
    size_t at = hash & mask;
    const llmlab__trace_t *trace;

    while ((trace = cache->slots[at]) != NULL &&
           (trace->hash != hash || trace->project != project ||
            trace->row.trace_high != high || trace->row.trace_low != low)) {
        at = (at + 1) & mask;
    }
    return at;
}

/* Close the gap, so that no look-up stops too early. */
static void
slot_remove(llmlab__trace_cache_t *cache, size_t at)
{
    size_t mask = cache->capacity - 1;
    size_t next = (at + 1) & mask;

    while (cache->slots[next] != NULL) {
        size_t home = cache->slots[next]->hash & mask;

        if (((next - home) & mask) >= ((next - at) & mask)) {
            cache->slots[at] = cache->slots[next];
            at = next;
        }
        next = (next + 1) & mask;
    }
    cache->slots[at] = NULL;
}

static void
trace_remove(llmlab__trace_cache_t *cache, llmlab__trace_t *trace, size_t slot)
{
    slot_remove(cache, slot);
    list_remove(cache, trace);
    trace_destroy(cache, trace);
    cache->count--;
}

void
llmlab__trace_cache_trim(llmlab__trace_cache_t *cache)
{
    while (cache->oldest != NULL &&
           (cache->nodes > NODES_MAX || cache->count > TRACES_MAX)) {
        llmlab__trace_t *trace = cache->oldest;

        trace_remove(cache, trace,
                     slot_of(cache, trace->hash, trace->project,
                             trace->row.trace_high, trace->row.trace_low));
    }
}

static uint64_t
trace_hash(int64_t project, uint64_t high, uint64_t low)
{
    uint64_t key[3] = {(uint64_t)project, high, low};

    return llmlab__hash_bytes(llmlab__hash_seed, key, sizeof(key)) | 1;
}

void
llmlab__trace_forget(llmlab__trace_cache_t *cache, int64_t project,
                     uint64_t high, uint64_t low)
{
    size_t slot;

    if (cache->capacity == 0) {
        return;
    }
    slot = slot_of(cache, trace_hash(project, high, low), project, high, low);
    if (cache->slots[slot] != NULL) {
        trace_remove(cache, cache->slots[slot], slot);
    }
}

static llmlab_status_t
cache_grow(llmlab__trace_cache_t *cache)
{
    size_t capacity = cache->capacity == 0 ? 1024 : cache->capacity * 2;
    llmlab__trace_t **slots = llmlab__calloc(capacity, sizeof(*slots));

    if (slots == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for traces");
    }
    for (llmlab__trace_t *trace = cache->newest; trace != NULL;
         trace = trace->older) {
        size_t at = trace->hash & (capacity - 1);

        while (slots[at] != NULL) {
            at = (at + 1) & (capacity - 1);
        }
        slots[at] = trace;
    }
    llmlab__free(cache->slots);
    cache->slots = slots;
    cache->capacity = capacity;
    return LLMLAB_OK;
}

llmlab__node_t *
llmlab__trace_node(const llmlab__trace_t *trace, uint64_t span_id)
{
    size_t mask = trace->node_capacity - 1;

    if (trace->node_capacity == 0) {
        return NULL;
    }
    for (size_t i = llmlab__hash_mix(span_id) & mask;; i = (i + 1) & mask) {
        if (trace->nodes[i].span_id == span_id) {
            return &trace->nodes[i];
        }
        if (trace->nodes[i].span_id == 0) {
            return NULL;
        }
    }
}

static void
node_put(llmlab__node_t *nodes, size_t capacity, const llmlab__node_t *node)
{
    size_t at = llmlab__hash_mix(node->span_id) & (capacity - 1);

    while (nodes[at].span_id != 0) {
        at = (at + 1) & (capacity - 1);
    }
    nodes[at] = *node;
}

llmlab__node_t *
llmlab__trace_add_node(llmlab__trace_cache_t *cache, llmlab__trace_t *trace,
                       const llmlab__node_t *node)
{
    if (trace->node_count * 4 >= trace->node_capacity * 3) {
        size_t capacity =
            trace->node_capacity == 0 ? 4 : trace->node_capacity * 2;
        llmlab__node_t *nodes = llmlab__calloc(capacity, sizeof(*nodes));

        if (nodes == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < trace->node_capacity; i++) {
            if (trace->nodes[i].span_id != 0) {
                node_put(nodes, capacity, &trace->nodes[i]);
            }
        }
        llmlab__free(trace->nodes);
        cache->nodes += capacity - trace->node_capacity;
        trace->nodes = nodes;
        trace->node_capacity = capacity;
    }
    node_put(trace->nodes, trace->node_capacity, node);
    trace->node_count++;
    trace->lacks |= node->lacks;
    return llmlab__trace_node(trace, node->span_id);
}

bool
llmlab__trace_is_above(const llmlab__trace_t *trace, uint64_t span_id)
{
    size_t mask = trace->above_capacity - 1;

    if (trace->above_capacity == 0) {
        return false;
    }
    for (size_t i = llmlab__hash_mix(span_id) & mask;; i = (i + 1) & mask) {
        if (trace->above[i] == span_id || trace->above[i] == 0) {
            return trace->above[i] == span_id;
        }
    }
}

bool
llmlab__trace_set_above(llmlab__trace_t *trace, uint64_t span_id)
{
    size_t at;

    if (llmlab__trace_is_above(trace, span_id)) {
        return true;
    }
    if (trace->above_count * 4 >= trace->above_capacity * 3) {
        size_t capacity =
            trace->above_capacity == 0 ? 4 : trace->above_capacity * 2;
        uint64_t *above = llmlab__calloc(capacity, sizeof(*above));

        if (above == NULL) {
            return false;
        }
        for (size_t i = 0; i < trace->above_capacity; i++) {
            if (trace->above[i] != 0) {
                at = llmlab__hash_mix(trace->above[i]) & (capacity - 1);
                while (above[at] != 0) {
                    at = (at + 1) & (capacity - 1);
                }
                above[at] = trace->above[i];
            }
        }
        llmlab__free(trace->above);
        trace->above = above;
        trace->above_capacity = capacity;
    }
    at = llmlab__hash_mix(span_id) & (trace->above_capacity - 1);
    while (trace->above[at] != 0) {
        at = (at + 1) & (trace->above_capacity - 1);
    }
    trace->above[at] = span_id;
    trace->above_count++;
    return true;
}

static llmlab_status_t
run_load(llmlab__connection_t *connection, llmlab__trace_cache_t *cache,
         llmlab__trace_t *trace, const llmlab__run_t *run)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_TRACE_NODES);
    llmlab_status_t status = LLMLAB_OK;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, trace->project);
    sqlite3_bind_int64(sql, 2, run->first);
    sqlite3_bind_int64(sql, 3, run->last);
    sqlite3_bind_int64(sql, 4, (int64_t)trace->row.trace_high);
    sqlite3_bind_int64(sql, 5, (int64_t)trace->row.trace_low);
    sqlite3_bind_int64(sql, 6, SCAN_MAX / trace->runs.count);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        llmlab__node_t node = {
            .span_id = (uint64_t)sqlite3_column_int64(sql, 0),
            .parent_id = (uint64_t)sqlite3_column_int64(sql, 1),
            .start_ns = sqlite3_column_int64(sql, 2),
            .carries = sqlite3_column_int(sql, 3) != 0,
            .counted = sqlite3_column_int(sql, 4) != 0,
            .lacks = (uint8_t)sqlite3_column_int(sql, 5),
        };

        if (node.parent_id == node.span_id) {
            node.parent_id = 0;
        }
        if (llmlab__trace_node(trace, node.span_id) == NULL &&
            llmlab__trace_add_node(cache, trace, &node) == NULL) {
            status = llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
            break;
        }
    }
    if (status == LLMLAB_OK && code != SQLITE_DONE) {
        status = llmlab__connection_fail(connection, "read a trace's spans");
    }
    sqlite3_reset(sql);
    return status;
}

static llmlab_status_t
nodes_load(llmlab__connection_t *connection, llmlab__trace_cache_t *cache,
           llmlab__trace_t *trace)
{
    llmlab_status_t status = LLMLAB_OK;

    for (uint32_t i = 0; i < trace->runs.count && status == LLMLAB_OK; i++) {
        status = run_load(connection, cache, trace, &trace->runs.of[i]);
    }
    for (size_t i = 0; i < trace->node_capacity && status == LLMLAB_OK; i++) {
        llmlab__node_t *node = &trace->nodes[i];

        /* One that carries makes all above it known as such. */
        while (node->span_id != 0 && (node->carries || node->below) &&
               node->parent_id != 0 &&
               !llmlab__trace_is_above(trace, node->parent_id)) {
            if (!llmlab__trace_set_above(trace, node->parent_id)) {
                return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
            }
            node = llmlab__trace_node(trace, node->parent_id);
            if (node == NULL) {
                break;
            }
            node->below = true;
        }
    }
    return status;
}

static void
buf_column(llmlab__buf_t *buf, sqlite3_stmt *sql, int column)
{
    llmlab__text_t text = llmlab__column_text(sql, column);

    llmlab__buf_append(buf, text.data == NULL ? "" : text.data, text.size);
}

static bool
runs_column(llmlab__runs_t *runs, sqlite3_stmt *sql, int column,
            const llmlab__trace_row_t *row)
{
    if (sqlite3_column_type(sql, column) != SQLITE_NULL) {
        return llmlab__runs_unpack(llmlab__column_blob(sql, column), runs);
    }
    if (!llmlab__runs_add(runs, row->start_ns)) {
        return false;
    }
    runs->of[0].last = row->last_ns;
    return true;
}

static llmlab_status_t
row_load(llmlab__connection_t *connection, llmlab__trace_t *trace)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_TRACE_GET);
    llmlab__trace_row_t *row = &trace->row;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, trace->project);
    sqlite3_bind_int64(sql, 2, (int64_t)row->trace_high);
    sqlite3_bind_int64(sql, 3, (int64_t)row->trace_low);
    code = sqlite3_step(sql);
    if (code == SQLITE_ROW) {
        trace->stored = true;
        row->start_ns = sqlite3_column_int64(sql, 0);
        row->last_ns = sqlite3_column_int64(sql, 1);
        row->end_ns = sqlite3_column_int64(sql, 2);
        row->root_id = (uint64_t)sqlite3_column_int64(sql, 3);
        trace->root_ns = sqlite3_column_int64(sql, 4);
        trace->root_status = sqlite3_column_int(sql, 5);
        row->steps = sqlite3_column_int64(sql, 6);
        row->calls = sqlite3_column_int64(sql, 7);
        row->errors = sqlite3_column_int64(sql, 8);
        row->unpriced = sqlite3_column_int64(sql, 9);
        row->cost_nano = sqlite3_column_int64(sql, 10);
        row->cost_rest = sqlite3_column_int64(sql, 11);
        row->input_tokens = sqlite3_column_int64(sql, 12);
        row->output_tokens = sqlite3_column_int64(sql, 13);
        buf_column(&trace->name, sql, 14);
        trace->agent = sqlite3_column_int64(sql, 15);
        trace->user = sqlite3_column_int64(sql, 16);
        trace->environment = sqlite3_column_int64(sql, 17);
        buf_column(&trace->session, sql, 18);
        buf_column(&trace->told_session, sql, 18);
        trace->told = *row;
        buf_column(&trace->models, sql, 19);
        buf_column(&trace->tags, sql, 20);
        if (trace->tags.size > 0) {
            trace->tags.size--; /* the bracket, put back when it is written */
        }
        if (!runs_column(&trace->runs, sql, 21, row)) {
            sqlite3_reset(sql);
            return llmlab__fail(LLMLAB_EIO, "a trace's times are damaged");
        }
    }
    sqlite3_reset(sql);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "read a trace");
}

llmlab_status_t
llmlab__trace_get(llmlab__connection_t *connection,
                  llmlab__trace_cache_t *cache, int64_t project, uint64_t high,
                  uint64_t low, llmlab__trace_t **out)
{
    uint64_t hash = trace_hash(project, high, low);
    llmlab__trace_t *trace;
    llmlab_status_t status = LLMLAB_OK;

    if (cache->count * 2 >= cache->capacity) {
        status = cache_grow(cache);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    trace = cache->slots[slot_of(cache, hash, project, high, low)];
    if (trace != NULL) {
        if (cache->newest != trace) {
            list_remove(cache, trace);
            list_add(cache, trace);
        }
        *out = trace;
        return LLMLAB_OK;
    }
    trace = llmlab__calloc(1, sizeof(*trace));
    if (trace == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
    }
    trace->hash = hash;
    trace->project = project;
    trace->row.trace_high = high;
    trace->row.trace_low = low;
    status = row_load(connection, trace);
    if (status == LLMLAB_OK && trace->stored) {
        status = nodes_load(connection, cache, trace);
    }
    if (status != LLMLAB_OK) {
        trace_destroy(cache, trace);
        return status;
    }
    cache->slots[slot_of(cache, hash, project, high, low)] = trace;
    cache->count++;
    list_add(cache, trace);
    *out = trace;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__trace_touch(llmlab__trace_cache_t *cache, llmlab__trace_t *trace)
{
    if (trace->dirty) {
        return LLMLAB_OK;
    }
    if (cache->dirty_count == cache->dirty_capacity) {
        size_t capacity =
            cache->dirty_capacity == 0 ? 256 : cache->dirty_capacity * 2;
        void *grown = llmlab__realloc(cache->dirty, capacity * sizeof(trace));

        if (grown == NULL) {
            return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
        }
        cache->dirty = grown;
        cache->dirty_capacity = capacity;
    }
    cache->dirty[cache->dirty_count++] = trace;
    trace->dirty = true;
    return LLMLAB_OK;
}

static llmlab__text_t
buf_text(const llmlab__buf_t *buf)
{
    llmlab__text_t text = {(const char *)buf->data, buf->size};

    if (text.size == 0) {
        text.data = "";
    }
    return text;
}

static int
status_of(const llmlab__trace_t *trace)
{
    if (trace->row.errors > 0) {
        return LLMLAB_ERROR;
    }
    return trace->root_status == LLMLAB_CANCELLED ? LLMLAB_CANCELLED
                                                  : LLMLAB_SUCCESS;
}

static llmlab_status_t
row_write(llmlab__connection_t *connection, llmlab__trace_t *trace,
          llmlab__buf_t *runs)
{
    static const llmlab__text_t absent = {NULL, 0};
    const llmlab__trace_row_t *row = &trace->row;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_TRACE_PUT);
    llmlab_status_t status;
    bool tags = trace->tags.size > 0;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    if (tags) {
        llmlab__buf_append(&trace->tags, "]", 1);
    }
    if (trace->name.failed || trace->session.failed || trace->models.failed ||
        trace->tags.failed) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
    }
    sqlite3_bind_int64(sql, 1, trace->project);
    sqlite3_bind_int64(sql, 2, (int64_t)row->trace_high);
    sqlite3_bind_int64(sql, 3, (int64_t)row->trace_low);
    sqlite3_bind_int64(sql, 4, row->start_ns);
    sqlite3_bind_int64(sql, 5, row->last_ns);
    sqlite3_bind_int64(sql, 6, row->end_ns);
    if (row->root_id != 0) {
        sqlite3_bind_int64(sql, 7, (int64_t)row->root_id);
        sqlite3_bind_int64(sql, 8, trace->root_ns);
    }
    sqlite3_bind_int(sql, 9, trace->root_status);
    sqlite3_bind_int(sql, 10, status_of(trace));
    sqlite3_bind_int64(sql, 11, row->steps);
    sqlite3_bind_int64(sql, 12, row->calls);
    sqlite3_bind_int64(sql, 13, row->errors);
    sqlite3_bind_int64(sql, 14, row->unpriced);
    sqlite3_bind_int64(sql, 15, row->cost_nano);
    sqlite3_bind_int64(sql, 16, row->cost_rest);
    sqlite3_bind_int64(sql, 17, row->input_tokens);
    sqlite3_bind_int64(sql, 18, row->output_tokens);
    llmlab__bind_text(sql, 19, buf_text(&trace->name));
    sqlite3_bind_int64(sql, 20, trace->agent);
    sqlite3_bind_int64(sql, 21, trace->user);
    sqlite3_bind_int64(sql, 22, trace->environment);
    llmlab__bind_text(
        sql, 23, trace->session.size > 0 ? buf_text(&trace->session) : absent);
    llmlab__bind_text(sql, 24, buf_text(&trace->models));
    llmlab__bind_text(sql, 25, tags ? buf_text(&trace->tags) : absent);
    llmlab__buf_clear(runs);
    llmlab__runs_pack(&trace->runs, runs);
    if (runs->failed) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
    }
    sqlite3_bind_blob64(sql, 26, runs->data, runs->size, SQLITE_STATIC);
    status = llmlab__connection_run(connection, sql, "store a trace");
    if (tags) {
        trace->tags.size--;
    }
    trace->stored = true;
    trace->dirty = false;
    return status == LLMLAB_OK ? llmlab__session_flush(connection, trace)
                               : status;
}

llmlab_status_t
llmlab__trace_flush(llmlab__connection_t *connection,
                    llmlab__trace_cache_t *cache)
{
    llmlab_status_t status = LLMLAB_OK;
    llmlab__buf_t runs;

    llmlab__buf_init(&runs);
    for (size_t i = 0; i < cache->dirty_count && status == LLMLAB_OK; i++) {
        status = row_write(connection, cache->dirty[i], &runs);
    }
    llmlab__buf_cleanup(&runs);
    cache->dirty_count = 0;
    return status;
}
