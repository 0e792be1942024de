/* The steps of a trace in the order of its tree, page by page. */
#include <string.h>

#include "api/api.h"
#include "api/list.h"
#include "api/trace_tree.h"
#include "api/write.h"
#include "base/id.h"
#include "services/trace_shape.h"

typedef struct steps_s {
    llmlab__request_t *request;
    llmlab__list_page_t page;
    bool found;
    const llmlab__shape_step_t *step;
} steps_t;

static void
shape_write(llmlab__json_out_t *out, const llmlab__shape_step_t *step)
{
    llmlab__json_key(out, "depth");
    llmlab__json_put_int(out, step->depth);
    llmlab__json_key(out, "child_count");
    llmlab__json_put_int(out, step->children);
    llmlab__json_key(out, "subtree_steps");
    llmlab__json_put_int(out, step->steps);
    llmlab__json_key(out, "subtree_unpriced_calls");
    llmlab__json_put_int(out, step->unpriced);
    llmlab__json_key(out, "subtree_cost_usd");
    llmlab__write_money(out, step->cost_nano, step->cost_rest);
}

static bool
on_span(void *payload, const llmlab__span_view_t *span)
{
    steps_t *steps = payload;
    llmlab__json_out_t *out = &steps->page.out;

    llmlab__json_begin_object(out);
    shape_write(out, steps->step);
    llmlab__step_write(out, span);
    llmlab__json_end_object(out);
    return true;
}

/* Where the page begins. False when the reply is set. */
static bool
place_find(steps_t *steps, const llmlab__trace_row_t *trace,
           const llmlab__shape_t *shape, uint32_t *out)
{
    const llmlab__cursor_t *cursor = &steps->page.cursor;

    *out = 0;
    if (!steps->page.has_cursor) {
        return true;
    }
    if (cursor->trace_high == trace->trace_high &&
        cursor->trace_low == trace->trace_low) {
        for (uint32_t i = 0; i < shape->count; i++) {
            if (shape->steps[i].span_id == (uint64_t)cursor->minor) {
                *out = i + 1;
                return true;
            }
        }
    }
    return llmlab__reply_refuse(steps->request, 400, "bad-parameter",
                                "A parameter is wrong", "cursor",
                                "cursor: the step where the page before ended "
                                "is not in this trace");
}

static void
page_write(steps_t *steps, const llmlab__trace_row_t *trace,
           const llmlab__shape_t *shape)
{
    llmlab__request_t *request = steps->request;
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__page_end_t end = {.more = false,
                              .last = {.trace_high = trace->trace_high,
                                       .trace_low = trace->trace_low}};
    uint32_t at;
    uint32_t to;

    if (!place_find(steps, trace, shape, &at)) {
        return;
    }
    to = shape->count - at > steps->page.limit
             ? at + (uint32_t)steps->page.limit
             : shape->count;
    end.more = to < shape->count;
    llmlab__list_begin(request, &steps->page);
    for (; at < to; at++) {
        llmlab_status_t status;

        steps->step = &shape->steps[at];
        end.last.major = steps->step->start_ns;
        end.last.minor = (int64_t)steps->step->span_id;
        status = ops->span(request->reader, request->project.id, &end.last,
                           on_span, steps);
        /* One may be deleted meanwhile. */
        if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
            llmlab__reply_failure(request, "cannot read a step");
            return;
        }
    }
    llmlab__list_end(request, &steps->page, &end);
}

static bool
on_trace(void *payload, const llmlab__trace_row_t *trace)
{
    steps_t *steps = payload;
    llmlab__request_t *request = steps->request;
    llmlab__shape_t *shape = NULL;
    llmlab_status_t status =
        llmlab__shape_hold(request->server->shapes, request->server->store,
                           request->reader, request->project.id, trace, &shape);

    steps->found = true;
    if (status == LLMLAB_OK) {
        page_write(steps, trace, shape);
    } else if (status == LLMLAB_EUNSUPPORTED) {
        llmlab__reply_refuse(request, 422, "too-many", "There are too many",
                             NULL, "the trace has more than %d steps",
                             LLMLAB__SHAPE_MAX);
    } else {
        llmlab__reply_failure(request, "cannot read a trace's steps");
    }
    llmlab__shape_release(shape);
    return false;
}

void
llmlab__api_trace_steps(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    steps_t steps = {.request = request};
    uint64_t high;
    uint64_t low;

    if (!llmlab__request_trace_id(request, &high, &low) ||
        !llmlab__list_read(request, LLMLAB__LIST_STEPS, &steps.page)) {
        return;
    }
    if (ops->trace(request->reader, request->project.id, high, low, on_trace,
                   &steps) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read a trace");
    } else if (!steps.found) {
        llmlab__reply_refuse(request, 404, "no-such-trace", "No such trace",
                             NULL, "the project has no trace of this id");
    }
}
