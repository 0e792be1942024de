/* llmlab-test: link=llmlab_server_core timeout=300
 *
 * Batches through the parser into SQLite: each record once, whatever is sent
 * again and in whatever order, and every sum equal to what the stored spans
 * say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/id.h"
#include "services/cost_service.h"
#include "services/ingest.h"
#include "store/admin.h"
#include "store/latency.h"
#include "store/pack.h"
#include "store/sqlite/migrate.h"

#define INSTANCES 3
#define RECORDS   240
#define TRACES    12

/* A record as a client would have it, for ever the same. */
typedef struct made_s {
    char step[768];
    unsigned trace;
} made_t;

typedef struct fixture_s {
    char path[64];
    llmlab__store_t *store;
    llmlab__project_t project;
    llmlab__rng_t rng;
    int64_t now;
    made_t made[INSTANCES][RECORDS];
    bool sent[INSTANCES][RECORDS];
} fixture_t;

static uint64_t
pick(fixture_t *fixture, uint64_t below)
{
    return llmlab__rng_next(&fixture->rng) % below;
}

static void
store_open(fixture_t *fixture)
{
    const llmlab__store_ops_t *ops;
    llmlab__reader_t *changer;

    assert_int_equal(llmlab__store_sqlite_open(&fixture->store, fixture->path),
                     LLMLAB_OK);
    ops = fixture->store->ops;
    assert_int_equal(ops->change_begin(fixture->store, &changer), LLMLAB_OK);
    if (ops->project_find(changer, "demo", &fixture->project) != LLMLAB_OK) {
        memcpy(fixture->project.slug, "demo", 5);
        assert_int_equal(ops->admin->project_add(changer, &fixture->project),
                         LLMLAB_OK);
    }
    assert_int_equal(ops->change_end(fixture->store, changer, true), LLMLAB_OK);
}

/* A change that adds or updates a key; tells how it went. */
static llmlab_status_t
key_change(llmlab__store_t *store, llmlab__key_t *key, bool add)
{
    const llmlab__admin_ops_t *ops = store->ops->admin;
    llmlab__reader_t *changer;
    llmlab_status_t status;

    assert_int_equal(store->ops->change_begin(store, &changer), LLMLAB_OK);
    status = add ? ops->key_add(changer, key) : ops->key_update(changer, key);
    assert_int_equal(
        store->ops->change_end(store, changer, status == LLMLAB_OK), LLMLAB_OK);
    return status;
}

static void
store_close(fixture_t *fixture)
{
    fixture->store->ops->close(fixture->store);
}

static int
setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->path, sizeof(fixture->path),
                   "/tmp/llmlab-store-%ld.db", (long)getpid());
    fixture->now = llmlab__clock_real_ns();
    fixture->rng = (llmlab__rng_t){{1, 2, 3, 4}};
    store_open(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    fixture_t *fixture = *state;
    char path[80];

    store_close(fixture);
    (void)unlink(fixture->path);
    (void)snprintf(path, sizeof(path), "%s-wal", fixture->path);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s-shm", fixture->path);
    (void)unlink(path);
    free(fixture);
    return 0;
}

/* Every span's id says its instance and number; parents are any other span of
 * the same trace, so that rings and late roots are among them. */
static void
records_make(fixture_t *fixture)
{
    static const char *const kinds[] = {"llm_call", "agent", "chain",
                                        "tool_call", "embedding"};
    static const char *const agents[] = {"null", "\"a1\"", "\"a2\""};
    static const char *const users[] = {"null", "\"u1\"", "\"u2\""};
    static const char *const tags[] = {
        "[]", "[\"t1\"]", "[\"t1\",\"t2\",\"t1\"]", "[\"\\u00e9\\n\"]"};
    static const char *const models[] = {"gpt-4o-mini", "claude-sonnet-4-5",
                                         "never-heard-of"};

    for (unsigned i = 0; i < INSTANCES; i++) {
        for (unsigned n = 0; n < RECORDS; n++) {
            made_t *made = &fixture->made[i][n];
            char start[LLMLAB__TIME_TEXT];
            char parent[24] = "null";
            char usage[160] = "null";
            char cost[64] = "null";

            made->trace = n % TRACES;
            (void)llmlab__time_format(
                fixture->now - (int64_t)pick(fixture, 40) * 3600 * 1000000000 -
                    (int64_t)pick(fixture, 3600) * 1000000000,
                start);
            if (pick(fixture, 4) != 0) {
                (void)snprintf(
                    parent, sizeof(parent), "\"%08x%08x\"",
                    (unsigned)pick(fixture, INSTANCES) + 1,
                    n % TRACES + 1 +
                        TRACES * (unsigned)pick(fixture, RECORDS / TRACES));
            }
            if (pick(fixture, 2) == 0) {
                (void)snprintf(usage, sizeof(usage),
                               "{\"input_tokens\":%u,\"cache_read_tokens\":%u,"
                               "\"output_tokens\":%u,\"reasoning_tokens\":%u}",
                               (unsigned)pick(fixture, 9000) + 100,
                               (unsigned)pick(fixture, 100),
                               (unsigned)pick(fixture, 900),
                               (unsigned)pick(fixture, 9));
            }
            if (pick(fixture, 8) == 0) {
                (void)snprintf(cost, sizeof(cost), "\"%u.%015u\"",
                               (unsigned)pick(fixture, 30000),
                               (unsigned)pick(fixture, 1000000000));
            }
            (void)snprintf(
                made->step, sizeof(made->step),
                "{\"span_id\":\"%08x%08x\",\"parent_id\":%s,\"n\":%u,"
                "\"type\":\"%s\",\"name\":\"x\",\"agent\":%s,"
                "\"status\":\"%s\",\"start\":\"%s\",\"latency_ms\":%u.5,"
                "\"provider\":\"%s\",\"model\":\"%s\",\"usage\":%s,"
                "\"provider_cost\":%s,\"user\":%s,\"tags\":%s}",
                i + 1, n + 1, parent, n + 1, kinds[pick(fixture, 5)],
                agents[pick(fixture, 3)],
                pick(fixture, 9) == 0 ? "error" : "success", start,
                (unsigned)pick(fixture, 5000), "openai",
                models[pick(fixture, 3)], usage, cost, users[pick(fixture, 3)],
                tags[pick(fixture, 4)]);
        }
    }
}

static llmlab__batch_t *
batch_make(fixture_t *fixture, unsigned instance, unsigned first,
           unsigned count)
{
    llmlab__batch_t *batch = llmlab__batch_new();
    llmlab__limits_t limits;
    llmlab__problem_t problem;

    llmlab__limits_init(&limits);
    llmlab__buf_printf(
        &batch->body,
        "{\"schema\":1,\"sdk\":{\"name\":\"t\",\"version\":\"1\","
        "\"instance\":\"00000000-0000-0000-0000-%012x\"},\"batch\":{"
        "\"first\":%u,\"count\":%u,\"sent_at\":\"2026-01-01T00:00:00Z\","
        "\"totals\":{\"accepted\":0,\"delivered\":0,\"rejected\":0,"
        "\"dropped\":{}}},\"traces\":[",
        instance, first + 1, count);
    for (unsigned i = 0; i < count; i++) {
        const made_t *made = &fixture->made[instance][first + i];

        llmlab__buf_printf(&batch->body,
                           "%s{\"trace_id\":\"%032x\",\"steps\":[%s]%s}",
                           i == 0 ? "" : ",", made->trace + 1, made->step,
                           pick(fixture, 300) != 0
                               ? ""
                               : ",\"agent_name\":\"late\",\"user\":\"u\"");
        fixture->sent[instance][first + i] = true;
    }
    llmlab__buf_text(&batch->body, "]}");
    batch->project = fixture->project.id;
    batch->api_key = 1;
    batch->now_ns = fixture->now;
    if (!llmlab__ingest_parse(batch, &limits, NULL, &problem)) {
        fail_msg("%s", problem.detail);
    }
    assert_int_equal(batch->rejection_count, 0);
    return batch;
}

static int64_t
ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t value = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    if (sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return value;
}

#define PER_SPAN                                                            \
    "count(*) AS n, sum(counted) AS calls,"                                 \
    "sum(CASE counted WHEN 1 THEN ifnull(cost_nano,0) ELSE 0 END) AS nano," \
    "sum(CASE counted WHEN 1 THEN ifnull(cost_rest,0) ELSE 0 END) AS rest," \
    "sum(CASE counted WHEN 1 THEN ifnull(json_extract(usage,"               \
    "'$.input_tokens'),0) ELSE 0 END) AS input,"                            \
    "sum(CASE counted WHEN 1 THEN ifnull(json_extract(usage,"               \
    "'$.output_tokens'),0) ELSE 0 END) AS output,"                          \
    "sum(CASE counted WHEN 1 THEN bucket_of(duration_ns) ELSE 0 END) "      \
    "AS latency "

/* Packed sums and latencies, for SQL. */
static void
sql_sum(sqlite3_context *context, int count, sqlite3_value **values)
{
    llmlab__text_t packed = {sqlite3_value_blob(values[0]),
                             (size_t)sqlite3_value_bytes(values[0])};
    llmlab__sums_t sums;

    (void)count;
    assert_true(llmlab__sums_unpack(packed, &sums));
    sqlite3_result_int64(context, sums.of[sqlite3_value_int(values[1])]);
}

/* Its calls, each as 4,096 and its bucket. */
static void
sql_latency(sqlite3_context *context, int count, sqlite3_value **values)
{
    llmlab__text_t packed = {sqlite3_value_blob(values[0]),
                             (size_t)sqlite3_value_bytes(values[0])};
    llmlab__latency_t latency = {0};
    int64_t sum = 0;

    (void)count;
    assert_true(llmlab__latency_sum(&latency, packed, 1));
    for (int i = 0; i < LLMLAB__LATENCY_BUCKETS; i++) {
        if (latency.octaves[i / 32] != NULL) {
            sum += latency.octaves[i / 32][i % 32] * (4096 + i);
        }
    }
    llmlab__latency_cleanup(&latency);
    sqlite3_result_int64(context, sum);
}

static void
sql_bucket(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sqlite3_result_int64(
        context, 4096 + llmlab__latency_bucket(sqlite3_value_int64(values[0])));
}

static sqlite3 *
database_open(const fixture_t *fixture)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    (void)sqlite3_create_function(db, "sum_of", 2, SQLITE_UTF8, NULL, sql_sum,
                                  NULL, NULL);
    (void)sqlite3_create_function(db, "latency_of", 1, SQLITE_UTF8, NULL,
                                  sql_latency, NULL, NULL);
    (void)sqlite3_create_function(db, "bucket_of", 1, SQLITE_UTF8, NULL,
                                  sql_bucket, NULL, NULL);
    return db;
}

#define SPANS "(SELECT s.*,0 AS tag FROM span s)"
/* A step with two tags twice, one without any once. */
#define TAGGED                                                          \
    "(SELECT DISTINCT s.*,ifnull(l.id,0) AS tag FROM span s LEFT JOIN " \
    "json_each(s.tags) j LEFT JOIN label l ON l.project=s.project AND " \
    "l.kind=7 AND l.text=j.value)"

/* Each roll-up row of a view against the spans it stands for. */
static void
view_check(sqlite3 *db, llmlab__view_t view, llmlab__level_t level)
{
    static const char *const columns[LLMLAB__ROLLED] = {
        "provider",    "model",   "agent", "status",
        "environment", "api_key", "user",  "tag"};
    char series[1024] = "";
    char key[512] = "";
    char sql[4096];
    bool numbered = view == LLMLAB__VIEW_ALL || view == LLMLAB__VIEW_MODEL ||
                    view == LLMLAB__VIEW_SENDER;

    for (int i = 0; i < LLMLAB__ROLLED; i++) {
        bool has = llmlab__view_dimensions(view) >> i & 1;

        if (numbered && i < LLMLAB__CUBE) {
            (void)snprintf(series + strlen(series),
                           sizeof(series) - strlen(series), "%s%s=%s%s",
                           i == 0 ? "(SELECT id FROM series WHERE " : " AND ",
                           columns[i], has ? "s." : "0", has ? columns[i] : "");
        } else if (has) {
            (void)snprintf(series, sizeof(series), "s.%s", columns[i]);
        }
        if (has) {
            (void)snprintf(key + strlen(key), sizeof(key) - strlen(key), ",%s",
                           columns[i]);
        }
    }
    (void)snprintf(
        sql, sizeof(sql),
        "WITH s AS (SELECT start_ns/%lld000000000 AS t%s," PER_SPAN
        "FROM %s GROUP BY t%s)"
        "SELECT count(*) FROM s LEFT JOIN rollup r ON r.view=%d AND "
        "r.level=%d AND r.start=s.t AND r.series=%s%s WHERE NOT "
        "ifnull(sum_of(sums,%d)=s.n AND sum_of(sums,%d)=s.calls AND "
        "sum_of(sums,%d)=s.nano+s.rest/1000000 AND "
        "sum_of(sums,%d)=s.rest%%1000000 AND sum_of(sums,%d)+sum_of(sums,%d)"
        "=s.input AND sum_of(sums,%d)+sum_of(sums,%d)=s.output AND "
        "latency_of(r.latency)=s.latency,0)",
        (long long)llmlab__level_seconds(level), key,
        view == LLMLAB__VIEW_TAG ? TAGGED : SPANS, key, (int)view, (int)level,
        series, numbered ? ")" : "", LLMLAB__SUM_SPANS, LLMLAB__SUM_CALLS,
        LLMLAB__SUM_COST_NANO, LLMLAB__SUM_COST_REST, LLMLAB__SUM_INPUT_TEXT,
        LLMLAB__SUM_INPUT_CACHE_READ, LLMLAB__SUM_OUTPUT_TEXT,
        LLMLAB__SUM_OUTPUT_REASONING);
    assert_int_equal(ask(db, sql), 0);
    (void)snprintf(sql, sizeof(sql),
                   "SELECT (SELECT sum(sum_of(sums,%d)) FROM rollup WHERE "
                   "view=%d AND level=%d)-(SELECT count(*) FROM %s)",
                   LLMLAB__SUM_SPANS, (int)view, (int)level,
                   view == LLMLAB__VIEW_TAG ? TAGGED : SPANS);
    assert_int_equal(ask(db, sql), 0);
}

/* Each roll-up row and each trace row against the spans they stand for. */
static void
sums_check(fixture_t *fixture)
{
    sqlite3 *db = database_open(fixture);

    for (int at = 0; at < LLMLAB__VIEWS * LLMLAB__LEVELS; at++) {
        view_check(db, (llmlab__view_t)(at / LLMLAB__LEVELS),
                   (llmlab__level_t)(at % LLMLAB__LEVELS));
    }
    assert_int_equal(
        ask(db,
            "WITH s AS (SELECT trace_high,trace_low,min(start_ns) AS first,"
            "max(start_ns) AS last,max(start_ns+duration_ns) AS end,"
            "sum(status=2) AS errors," PER_SPAN "FROM span GROUP BY 1,2) "
            "SELECT count(*) FROM s LEFT JOIN trace t USING (trace_high,"
            "trace_low) WHERE NOT ifnull(t.steps=s.n AND t.calls=s.calls AND "
            "t.cost_nano=s.nano+s.rest/1000000 AND "
            "t.cost_rest=s.rest%1000000 AND t.input_tokens=s.input AND "
            "t.output_tokens=s.output AND t.start_ns=s.first AND "
            "t.last_ns=s.last AND t.end_ns=s.end AND t.errors=s.errors AND "
            "(t.status=2)=(s.errors>0),0)"),
        0);
    /* Usage counts on leaves: nothing counted has, below it, one that states
     * usage or a charge, but for members of a ring. */
    assert_int_equal(
        ask(db,
            "WITH RECURSIVE below(top,trace,id) AS ("
            "SELECT p.span_id,p.trace_low,c.span_id FROM span p JOIN span c "
            "ON c.trace_low=p.trace_low AND c.parent_id=p.span_id AND "
            "c.span_id<>p.span_id WHERE p.counted=1 UNION SELECT b.top,"
            "b.trace,c.span_id FROM below b JOIN span c ON "
            "c.trace_low=b.trace AND c.parent_id=b.id) "
            "SELECT count(*) FROM below b JOIN span c ON c.trace_low=b.trace "
            "AND c.span_id=b.id WHERE b.top NOT IN (SELECT top FROM below "
            "WHERE top=id) AND "
            "(c.usage IS NOT NULL OR c.cost_nano IS NOT NULL)"),
        0);
    (void)sqlite3_close(db);
}

/* The intervals hold the numbers that were sent, each once, and do not touch
 * one another. */
static void
intervals_check(fixture_t *fixture, unsigned expected)
{
    sqlite3 *db = database_open(fixture);

    assert_int_equal(ask(db, "SELECT sum(last-first+1) FROM received"),
                     expected);
    assert_int_equal(ask(db, "SELECT count(*) FROM received a JOIN received b "
                             "ON a.instance=b.instance AND a.first<b.first "
                             "AND a.last+1>=b.first"),
                     0);
    (void)sqlite3_close(db);
}

static void
test_any_order_any_overlap(void **state)
{
    fixture_t *fixture = *state;
    uint64_t accepted = 0;
    unsigned expected = 0;

    records_make(fixture);
    for (int round = 0; round < 300; round++) {
        llmlab__batch_t *batches[4];
        size_t count = 1 + pick(fixture, 4);

        for (size_t i = 0; i < count; i++) {
            unsigned instance = (unsigned)pick(fixture, INSTANCES);
            unsigned first = (unsigned)pick(fixture, RECORDS);
            unsigned most = RECORDS - first < 30 ? RECORDS - first : 30;

            batches[i] = batch_make(fixture, instance, first,
                                    1 + (unsigned)pick(fixture, most));
        }
        fixture->store->ops->apply(fixture->store, batches, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(batches[i]->status, LLMLAB_OK);
            assert_int_equal(batches[i]->rejection_count, 0);
            assert_int_equal(batches[i]->accepted + batches[i]->duplicate,
                             batches[i]->count);
            accepted += batches[i]->accepted;
            llmlab__batch_destroy(batches[i]);
        }
        if (pick(fixture, 8) == 0) {
            store_close(fixture);
            store_open(fixture);
        }
        if (round % 50 == 0) {
            sums_check(fixture);
        }
    }
    for (unsigned i = 0; i < INSTANCES; i++) {
        for (unsigned n = 0; n < RECORDS; n++) {
            expected += fixture->sent[i][n];
        }
    }
    assert_int_equal(accepted, expected);
    sums_check(fixture);
    intervals_check(fixture, expected);
}

/* A row of an answer against the spans in its bucket. */
static void
row_check(fixture_t *fixture, sqlite3 *db, const llmlab__cost_query_t *query,
          const llmlab__cost_row_t *row)
{
    static const char *const columns[LLMLAB__DIMENSIONS] = {
        "provider",    "model",   "agent", "status",
        "environment", "api_key", "user"};
    int64_t end = query->granularity == LLMLAB__HOURLY  ? row->start + 3600
                  : query->granularity == LLMLAB__DAILY ? row->start + 86400
                                                        : query->range->end;
    char where[256];
    char sql[512];
    size_t size = (size_t)snprintf(
        where, sizeof(where),
        "FROM span WHERE project=%lld AND start_ns>=%lld AND start_ns<%lld",
        (long long)fixture->project.id, (long long)row->start * 1000000000,
        (long long)end * 1000000000);

    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        /* A tag is no column. */
        if ((query->group_by >> i & 1) != 0 && columns[i] != NULL) {
            size += (size_t)snprintf(where + size, sizeof(where) - size,
                                     " AND %s=%lld", columns[i],
                                     (long long)row->by[i]);
        }
    }
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) %s", where);
    assert_int_equal(row->sums.of[LLMLAB__SUM_SPANS], ask(db, sql));
    (void)snprintf(sql, sizeof(sql),
                   "SELECT sum(cost_nano)+sum(cost_rest)/1000000 %s "
                   "AND counted=1",
                   where);
    assert_int_equal(row->sums.of[LLMLAB__SUM_COST_NANO], ask(db, sql));
    (void)snprintf(sql, sizeof(sql),
                   "SELECT sum(cost_rest)%%1000000 %s "
                   "AND counted=1",
                   where);
    assert_int_equal(row->sums.of[LLMLAB__SUM_COST_REST], ask(db, sql));
}

/* The same total, however the range is cut, and each bucket its spans. */
static void
test_costs_in_every_zone(void **state)
{
    static const char *const zones[] = {"UTC",    "+05:45", "-03:30", "+01:00",
                                        "-11:00", "+12:00", "+12:45"};
    static const unsigned groups[] = {
        0,
        1u << LLMLAB__BY_MODEL,
        1u << LLMLAB__BY_AGENT,
        1u << LLMLAB__BY_USER,
        1u << LLMLAB__BY_STATUS | 1u << LLMLAB__BY_ENVIRONMENT,
        1u << LLMLAB__BY_MODEL | 1u << LLMLAB__BY_STATUS};
    sqlite3 *db;
    fixture_t *fixture = *state;
    llmlab__store_t *store = fixture->store;
    llmlab__reader_t *reader;
    llmlab__sums_t first = {{0}};

    records_make(fixture);
    for (unsigned i = 0; i < INSTANCES; i++) {
        llmlab__batch_t *batch = batch_make(fixture, i, 0, RECORDS);

        store->ops->apply(store, &batch, 1);
        assert_int_equal(batch->accepted, RECORDS);
        llmlab__batch_destroy(batch);
    }
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    reader = store->ops->acquire(store);
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        for (int at = 0; at < 18; at++) {
            llmlab__range_texts_t texts = {.tz = zones[i]};
            llmlab__time_range_t range;
            llmlab__problem_t problem;
            llmlab__cost_result_t result;
            llmlab__cost_query_t query = {.project = fixture->project.id,
                                          .range = &range,
                                          .granularity =
                                              (llmlab__granularity_t)(at % 3),
                                          .group_by = groups[at / 3]};
            llmlab__sums_t sum = {{0}};

            assert_true(llmlab__time_range_read(
                &range, &texts, fixture->now / 1000000000, &problem));
            assert_int_equal(llmlab__cost_query(store, reader, &query, &result),
                             LLMLAB_OK);
            for (size_t row = 0; row < result.count; row++) {
                assert_true(llmlab__sums_add(&sum, &result.rows[row].sums));
                assert_in_range(result.rows[row].start, range.start,
                                range.end - 1);
                row_check(fixture, db, &query, &result.rows[row]);
                assert_true(row == 0 || result.rows[row - 1].start <=
                                            result.rows[row].start);
            }
            assert_int_equal(sum.of[LLMLAB__SUM_COST_NANO],
                             result.total.of[LLMLAB__SUM_COST_NANO]);
            assert_int_equal(sum.of[LLMLAB__SUM_COST_REST],
                             result.total.of[LLMLAB__SUM_COST_REST]);
            if (i == 0 && at == 0) {
                first = result.total;
            }
            assert_memory_equal(&first, &result.total, sizeof(first));
            llmlab__cost_result_cleanup(&result);
        }
    }
    store->ops->release(store, reader);
    (void)sqlite3_close(db);
    assert_int_equal(first.of[LLMLAB__SUM_SPANS], INSTANCES * RECORDS);
}

static void
run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    }
}

static void
run_in(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, sql);
    (void)sqlite3_close(db);
}

/* A file of schema 1 with the fixture's spans and their sums. */
static void
old_database_make(const fixture_t *fixture, const char *path)
{
    static const char *const copied[] = {"setting", "project",  "api_key",
                                         "label",   "instance", "received",
                                         "span",    "trace"};
    char sql[4096];
    sqlite3 *db = database_open(fixture);

    assert_int_equal(llmlab__migrations[0].number, 1);
    (void)unlink(path);
    (void)snprintf(sql, sizeof(sql), "ATTACH '%s' AS old", path);
    run(db, sql);
    run_in(path, llmlab__migrations[0].sql);
    run_in(path, "PRAGMA user_version=1");
    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
        char columns[1024] = "";
        sqlite3_stmt *list;

        (void)snprintf(sql, sizeof(sql), "PRAGMA old.table_info(%s)",
                       copied[i]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &list, NULL),
                         SQLITE_OK);
        while (sqlite3_step(list) == SQLITE_ROW) {
            (void)snprintf(columns + strlen(columns),
                           sizeof(columns) - strlen(columns), "%s%s",
                           columns[0] == '\0' ? "" : ",",
                           (const char *)sqlite3_column_text(list, 1));
        }
        sqlite3_finalize(list);
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO old.%s(%s) SELECT %s FROM main.%s %s",
                       copied[i], columns, columns, copied[i],
                       i == 3 ? "WHERE kind<>7" : "");
        run(db, sql);
    }
    run(db, "INSERT INTO old.score SELECT 1,7,8,0,id,3,5,'good',0.5,'x','me' "
            "FROM main.instance LIMIT 1");
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO old.rollup SELECT r.project,r.level,r.start,"
                   "s.provider,s.model,s.agent,s.status,s.environment,"
                   "s.api_key");
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        (void)snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
                       ",sum_of(sums,%d)", i);
    }
    (void)snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
                   " FROM main.rollup r JOIN main.series s ON s.id=r.series "
                   "WHERE r.view=0 AND r.level<3");
    run(db, sql);
    (void)sqlite3_close(db);
}

/* What an older version stored adds up as before, and gets what came since:
 * sums by user and by tag, latencies. */
static void
test_upgrades_a_filled_file(void **state)
{
    fixture_t *fixture = *state;
    llmlab__store_t *store = fixture->store;
    char old[80];
    char path[64];
    sqlite3 *db;

    records_make(fixture);
    for (unsigned i = 0; i < INSTANCES; i++) {
        llmlab__batch_t *batch = batch_make(fixture, i, 0, RECORDS);

        store->ops->apply(store, &batch, 1);
        assert_int_equal(batch->accepted, RECORDS);
        llmlab__batch_destroy(batch);
    }
    (void)snprintf(old, sizeof(old), "%s.old", fixture->path);
    old_database_make(fixture, old);
    store_close(fixture);
    memcpy(path, fixture->path, sizeof(path));
    assert_int_equal(rename(old, path), 0);

    assert_int_equal(llmlab__store_sqlite_open(&fixture->store, path),
                     LLMLAB_OK);
    sums_check(fixture);
    db = database_open(fixture);
    assert_int_equal(ask(db, "SELECT count(*) FROM span"), INSTANCES * RECORDS);
    assert_int_equal(ask(db, "SELECT count(*) FROM score JOIN instance i ON "
                             "score.id=i.uuid||'-3' WHERE trace_high=7 AND "
                             "value=0.5 AND label='x' AND source='me'"),
                     1);
    assert_int_equal(ask(db, "SELECT count(*) FROM sqlite_schema WHERE "
                             "name='rollup_old'"),
                     0);
    (void)sqlite3_close(db);
    /* And it goes on: what is sent again is known. */
    for (unsigned i = 0; i < INSTANCES; i++) {
        llmlab__batch_t *batch = batch_make(fixture, i, 0, RECORDS);

        fixture->store->ops->apply(fixture->store, &batch, 1);
        assert_int_equal(batch->duplicate, RECORDS);
        llmlab__batch_destroy(batch);
    }
    sums_check(fixture);
}

static void
test_keys(void **state)
{
    fixture_t *fixture = *state;
    llmlab__store_t *store = fixture->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab__key_t key = {.project = fixture->project.id,
                         .scope = LLMLAB__SCOPE_READ,
                         .created_ns = 1,
                         .hint = "llmlab_sk_abc",
                         .name = "it's"};
    llmlab__key_t found;
    llmlab__project_t project;
    unsigned char secret[32];
    unsigned char again[32];

    memset(key.hash, 7, sizeof(key.hash));
    assert_int_equal(store->ops->key_find(reader, key.hash, &found),
                     LLMLAB_ENOTFOUND);
    assert_int_equal(key_change(store, &key, true), LLMLAB_OK);
    /* One reader sees one state of the database. */
    assert_int_equal(store->ops->key_find(reader, key.hash, &found),
                     LLMLAB_ENOTFOUND);
    store->ops->release(store, reader);
    reader = store->ops->acquire(store);
    assert_int_equal(store->ops->key_find(reader, key.hash, &found), LLMLAB_OK);
    assert_int_equal(found.id, key.id);
    assert_int_equal(found.scope, LLMLAB__SCOPE_READ);
    assert_string_equal(found.name, "it's");
    assert_string_equal(found.slug, "demo");
    assert_int_equal(found.revoked_ns, 0);
    key.revoked_ns = 5;
    assert_int_equal(key_change(store, &key, false), LLMLAB_OK);
    store->ops->release(store, reader);
    reader = store->ops->acquire(store);
    assert_int_equal(store->ops->key_find(reader, key.hash, &found), LLMLAB_OK);
    assert_true(found.revoked_ns != 0);
    store->ops->release(store, reader);
    reader = store->ops->acquire(store);
    key.id = 999;
    assert_int_equal(key_change(store, &key, false), LLMLAB_ENOTFOUND);
    assert_int_equal(
        store->ops->project_find(reader, fixture->project.uuid, &project),
        LLMLAB_OK);
    assert_int_equal(project.id, fixture->project.id);
    assert_int_equal(store->ops->project_find(reader, "other", &project),
                     LLMLAB_ENOTFOUND);
    store->ops->release(store, reader);
    assert_int_equal(store->ops->secret(store, secret), LLMLAB_OK);
    assert_int_equal(store->ops->secret(store, again), LLMLAB_OK);
    assert_memory_equal(secret, again, sizeof(secret));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_order_any_overlap, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_costs_in_every_zone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_upgrades_a_filled_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
