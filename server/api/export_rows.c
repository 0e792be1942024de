#include <string.h>

#include "api/cost_write.h"
#include "api/exports.h"
#include "api/trace_tree.h"
#include "api/write.h"
#include "base/alloc.h"
#include "base/status.h"

#define PAGE_ROWS 200
#define DAY       INT64_C(86400)
#define SECOND_NS INT64_C(1000000000)

const char *const llmlab__export_names[] = {"traces", "calls", "costs", NULL};

typedef struct page_s {
    llmlab__export_t *export;
    llmlab__buf_t *to;
    llmlab__reader_t *reader;
} page_t;

static void
line_end(page_t *page, llmlab__json_out_t *out)
{
    llmlab__json_end_object(out);
    llmlab__buf_append(page->to, "\n", 1);
    page->export->rows++;
}

static bool
on_trace(void *payload, const llmlab__trace_row_t *row)
{
    page_t *page = payload;
    llmlab__json_out_t out;

    llmlab__json_out_init(&out, page->to);
    llmlab__json_begin_object(&out);
    llmlab__trace_write(&out, row);
    line_end(page, &out);
    return true;
}

static bool
on_call(void *payload, const llmlab__span_view_t *span)
{
    page_t *page = payload;
    llmlab__json_out_t out;

    llmlab__json_out_init(&out, page->to);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "trace_id");
    llmlab__write_id(&out, span->trace_high, span->trace_low, 32);
    llmlab__step_write(&out, span);
    line_end(page, &out);
    return true;
}

static llmlab_status_t
rows_page(page_t *page)
{
    llmlab__export_t *export = page->export;
    const llmlab__store_ops_t *ops = export->server->store->ops;
    llmlab__page_end_t end;
    llmlab_status_t status;

    if (export->of == LLMLAB__EXPORT_TRACES) {
        llmlab__trace_query_t query = {.project = export->project.id,
                                       .start_ns = export->start_ns,
                                       .end_ns = export->end_ns,
                                       .order = LLMLAB__NEWEST_FIRST,
                                       .has_cursor = export->has_cursor,
                                       .cursor = export->cursor,
                                       .limit = PAGE_ROWS};

        status = ops->traces(page->reader, &query, on_trace, page, &end);
    } else {
        llmlab__call_query_t query = {.project = export->project.id,
                                      .start_ns = export->start_ns,
                                      .end_ns = export->end_ns,
                                      .kind = -1,
                                      .has_cursor = export->has_cursor,
                                      .cursor = export->cursor,
                                      .limit = PAGE_ROWS};

        status = ops->calls(page->reader, &query, on_call, page, &end);
    }
    if (status == LLMLAB_OK) {
        export->done = !end.more;
        export->has_cursor = end.more;
        export->cursor = end.last;
    }
    return status;
}

/* The writers of costs read of a request who asks what. */
static llmlab_status_t
day_write(page_t *page, const llmlab__cost_query_t *query,
          const llmlab__cost_result_t *result)
{
    llmlab__request_t *request = llmlab__calloc(1, sizeof(*request));
    llmlab__cost_answer_t answer = {
        .request = request, .query = query, .result = result};

    if (request == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for an export");
    }
    request->server = page->export->server;
    request->reader = page->reader;
    request->project = page->export->project;
    for (size_t i = 0; i < result->count; i++) {
        const llmlab__cost_row_t *row = &result->rows[i];
        llmlab__json_out_t out;

        llmlab__json_out_init(&out, page->to);
        llmlab__json_begin_object(&out);
        llmlab__json_key(&out, "start");
        llmlab__write_time(&out, row->start * SECOND_NS);
        for (int j = 0; j < LLMLAB__CUBE; j++) {
            const char *name = llmlab__cost_dimensions[j];

            llmlab__json_key_n(&out, name, strlen(name));
            llmlab__cost_value_write(&answer, &out, (llmlab__dimension_t)j,
                                     row);
        }
        llmlab__cost_sums_write(&out, &row->sums);
        line_end(page, &out);
    }
    llmlab__free(request);
    return LLMLAB_OK;
}

/* A UTC day, or the part of it that is asked for. */
static llmlab_status_t
costs_page(page_t *page)
{
    llmlab__export_t *export = page->export;
    int64_t start = export->start_ns / SECOND_NS;
    int64_t end = export->end_ns / SECOND_NS;
    llmlab__time_range_t range = {.zone_name = "UTC"};
    llmlab__cost_result_t result;
    llmlab__cost_query_t query = {.project = export->project.id,
                                  .range = &range,
                                  .granularity = LLMLAB__DAILY,
                                  .group_by = (1u << LLMLAB__CUBE) - 1};
    llmlab_status_t status = llmlab__zone_open(&range.zone, "UTC");

    if (export->day == 0) {
        export->day = start / DAY * DAY;
    }
    if (export->day >= end || status != LLMLAB_OK) {
        export->done = true;
        return status;
    }
    range.start = export->day > start ? export->day : start;
    range.end = export->day + DAY < end ? export->day + DAY : end;
    status = llmlab__cost_query(export->server->store, page->reader, &query,
                                &result);
    if (status == LLMLAB_OK) {
        status = day_write(page, &query, &result);
    }
    llmlab__cost_result_cleanup(&result);
    export->day += DAY;
    return status;
}

llmlab_status_t
llmlab__export_page(llmlab__export_t *export, llmlab__buf_t *out)
{
    llmlab__store_t *store = export->server->store;
    page_t page = {
        .export = export, .to = out, .reader = store->ops->acquire(store)};
    llmlab_status_t status;

    if (page.reader == NULL) {
        return llmlab__fail(LLMLAB_EIO, "cannot open the database");
    }
    status = export->of == LLMLAB__EXPORT_COSTS ? costs_page(&page)
                                                : rows_page(&page);
    store->ops->release(store, page.reader);
    return status == LLMLAB_OK && out->failed
               ? llmlab__fail(LLMLAB_ENOMEM, "no memory for an export")
               : status;
}
