#include "api/exports.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "api/api.h"
#include "api/jobs.h"
#include "api/write.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/scheduler.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

void
llmlab__api_export_create(llmlab__request_t *request)
{
    int64_t now = llmlab__clock_real_ns();
    int64_t start = now - 30 * DAY_NS;
    int64_t end = now;
    int of = 0;
    const llmlab__field_t fields[] = {
        {.name = "of",
         .type = LLMLAB__FIELD_CHOICE,
         .required = true,
         .out = &of,
         .choices = llmlab__export_names},
        {.name = "start", .type = LLMLAB__FIELD_TIME, .out = &start},
        {.name = "end", .type = LLMLAB__FIELD_TIME, .out = &end},
    };
    llmlab__job_t job;

    if (!llmlab__request_fields(request, fields, 3)) {
        return;
    }
    if (end <= start ||
        (of == LLMLAB__EXPORT_COSTS && end - start > 3660 * DAY_NS)) {
        llmlab__reply_refuse(request, 400, "bad-field",
                             "A field of the body is wrong", "end",
                             "end: it must come after start%s",
                             end <= start ? "" : ", by at most 3660 days");
        return;
    }
    if (of == LLMLAB__EXPORT_COSTS) {
        /* Sums are kept by quarter hours. */
        start -= start % (900 * INT64_C(1000000000));
        end -= end % (900 * INT64_C(1000000000));
    }
    llmlab__job_init(&job, "export", request->project.id);
    (void)snprintf(job.arguments, sizeof(job.arguments),
                   "{\"of\":\"%s\",\"start_ns\":%" PRId64 ",\"end_ns\":%" PRId64
                   "}",
                   llmlab__export_names[of], start, end);
    if (llmlab__job_submit(request, &job)) {
        llmlab__job_reply(request, 202, &job);
    }
}

static bool
on_export(void *payload, const llmlab__job_t *job)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, job->id)) {
        return false;
    }
    llmlab__job_members(&page->out, job);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_exports_list(llmlab__request_t *request)
{
    llmlab__job_query_t query = {
        .project = request->project.id, .state = -1, .kind = "export"};
    llmlab__page_t page;

    if (!llmlab__page_read(request, "exports", &page)) {
        return;
    }
    query.before = page.has_after ? page.after : 0;
    query.limit = page.limit + 1;
    llmlab__page_begin(request, &page);
    if (request->server->store->jobs->list(request->reader, &query, on_export,
                                           &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list exports");
        return;
    }
    llmlab__page_end(request, &page);
}

/* Another project's is as one that does not exist. */
static bool
export_load(llmlab__request_t *request, llmlab__job_t *out)
{
    if (!llmlab__job_load(request, request->parts[1], out)) {
        return false;
    }
    return (out->project == request->project.id &&
            strcmp(out->kind, "export") == 0) ||
           llmlab__reply_refuse(request, 404, "no-such-job", "No such job",
                                NULL, "there is no job of this id");
}

void
llmlab__api_export_get(llmlab__request_t *request)
{
    llmlab__job_t job;

    if (export_load(request, &job)) {
        llmlab__job_reply(request, 200, &job);
    }
}

void
llmlab__api_export_file(llmlab__request_t *request)
{
    char path[4200];
    llmlab__job_t job;
    struct stat file;
    int fd = -1;

    if (!export_load(request, &job)) {
        return;
    }
    if (job.state != LLMLAB__JOB_DONE) {
        llmlab__reply_refuse(request, 409, "not-finished",
                             "The export is not finished", NULL,
                             "its state tells how far it is");
        return;
    }
    if (llmlab__export_path(request->server, job.id, path, sizeof(path))) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0 || fstat(fd, &file) != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        llmlab__reply_refuse(request, 410, "export-gone",
                             "The file is no longer here", NULL,
                             "exports stay for seven days: make it anew");
        return;
    }
    request->reply.status = 200;
    request->reply.content_type = "application/gzip";
    request->reply.file = fd;
    request->reply.file_size = (uint64_t)file.st_size;
    llmlab__reply_header(request, "Content-Disposition",
                         "attachment; filename=\"%s-%" PRId64 ".ndjson.gz\"",
                         request->project.slug, job.id);
}

/* A streamed export; the HTTP side asks for its bytes and ends it. */
typedef struct stream_s {
    llmlab__stream_t base; /* first */
    llmlab__export_t export;
    llmlab__buf_t lines;
    bool gzip;
    z_stream deflate;
    size_t taken; /* of lines */
    bool ended;   /* the gzip member */
} stream_t;

static void
stream_end(llmlab__stream_t *base)
{
    stream_t *stream = (stream_t *)base;

    if (stream->gzip) {
        (void)deflateEnd(&stream->deflate);
    }
    llmlab__buf_cleanup(&stream->lines);
    llmlab__free(stream);
}

/* Lines to send; false: it failed. */
static bool
lines_need(stream_t *stream)
{
    while (stream->taken == stream->lines.size && !stream->export.done) {
        llmlab__buf_clear(&stream->lines);
        stream->taken = 0;
        if (llmlab__export_page(&stream->export, &stream->lines) != LLMLAB_OK) {
            return false;
        }
    }
    return true;
}

static ssize_t
stream_read(llmlab__stream_t *base, char *out, size_t capacity)
{
    stream_t *stream = (stream_t *)base;
    z_stream *deflating = &stream->deflate;
    size_t size;

    if (!stream->gzip) {
        if (!lines_need(stream)) {
            return -1;
        }
        size = stream->lines.size - stream->taken;
        size = size < capacity ? size : capacity;
        if (size > 0) {
            memcpy(out, stream->lines.data + stream->taken, size);
        }
        stream->taken += size;
        return (ssize_t)size;
    }
    deflating->next_out = (unsigned char *)out;
    deflating->avail_out = (unsigned)capacity;
    while (deflating->avail_out == (unsigned)capacity && !stream->ended) {
        int code;

        if (!lines_need(stream)) {
            return -1;
        }
        deflating->next_in = stream->lines.size == 0
                                 ? (unsigned char *)out
                                 : stream->lines.data + stream->taken;
        deflating->avail_in = (unsigned)(stream->lines.size - stream->taken);
        code = deflate(deflating, stream->export.done ? Z_FINISH : Z_NO_FLUSH);
        stream->taken = stream->lines.size - deflating->avail_in;
        stream->ended = code == Z_STREAM_END;
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
            return -1;
        }
    }
    return (ssize_t)(capacity - deflating->avail_out);
}

static bool
of_read(llmlab__request_t *request, llmlab__export_of_t *out)
{
    const char *text = llmlab__request_param(request, "of");

    for (int i = 0; text != NULL && llmlab__export_names[i] != NULL; i++) {
        if (strcmp(text, llmlab__export_names[i]) == 0) {
            *out = (llmlab__export_of_t)i;
            return true;
        }
    }
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", "of",
                                "of: it is one of traces, calls, costs");
}

void
llmlab__api_export_stream(llmlab__request_t *request)
{
    const char *accept = llmlab__request_header(request, "Accept-Encoding");
    llmlab__time_range_t range;
    llmlab__export_of_t of = LLMLAB__EXPORT_TRACES;
    stream_t *stream;

    if (!of_read(request, &of) || !llmlab__request_range(request, &range)) {
        return;
    }
    stream = llmlab__calloc(1, sizeof(*stream));
    if (stream == NULL) {
        llmlab__reply_refuse(request, 503, "busy", "No memory", NULL,
                             "try again");
        return;
    }
    llmlab__buf_init(&stream->lines);
    stream->base.read = stream_read;
    stream->base.end = stream_end;
    stream->export.server = request->server;
    stream->export.project = request->project;
    stream->export.of = of;
    stream->export.start_ns = range.start * 1000000000;
    stream->export.end_ns = range.end * 1000000000;
    stream->gzip = accept != NULL && strstr(accept, "gzip") != NULL &&
                   deflateInit2(&stream->deflate, 1, Z_DEFLATED, 15 + 16, 8,
                                Z_DEFAULT_STRATEGY) == Z_OK;
    if (stream->gzip) {
        llmlab__reply_header(request, "Content-Encoding", "%s", "gzip");
    }
    llmlab__reply_header(request, "Vary", "%s", "Accept-Encoding");
    request->reply.stream = &stream->base;
    request->reply.content_type = "application/x-ndjson";
    request->reply.status = 200;
}
