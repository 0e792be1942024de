/* An export into a file. Each part is a gzip member of its own: what is there
 * after a kill -9 is cut to the last whole part, and it goes on from there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "api/exports.h"
#include "base/json_dom.h"
#include "base/status.h"
#include "services/job_kinds.h"

/* Of lines in a part. */
#define PART_BYTES (1024 * 1024)
#define PATH_SIZE  4200

typedef struct file_s {
    llmlab__job_run_t *run;
    llmlab__export_t export;
    int64_t bytes; /* that are whole */
    int fd;
} file_t;

bool
llmlab__export_path(const llmlab__server_t *server, int64_t job, char *out,
                    size_t capacity)
{
    int size = snprintf(out, capacity, "%s/%" PRId64 ".ndjson.gz",
                        server->export_dir, job);

    return size > 0 && (size_t)size < capacity;
}

static void
progress_write(file_t *file)
{
    const llmlab__export_t *at = &file->export;
    llmlab__job_t *job = &file->run->job;

    (void)snprintf(
        job->progress, sizeof(job->progress),
        "{\"rows\":%" PRId64 ",\"bytes\":%" PRId64 ",\"day\":%" PRId64
        ",\"at\":[%d,%" PRId64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 "]}",
        at->rows, file->bytes, at->day, at->has_cursor, at->cursor.major,
        at->cursor.minor, at->cursor.trace_high, at->cursor.trace_low);
}

static void
progress_read(file_t *file)
{
    llmlab__export_t *at = &file->export;
    int has_cursor = 0;

    (void)sscanf(file->run->job.progress,
                 "{\"rows\":%" SCNd64 ",\"bytes\":%" SCNd64 ",\"day\":%" SCNd64
                 ",\"at\":[%d,%" SCNd64 ",%" SCNd64 ",%" SCNu64 ",%" SCNu64,
                 &at->rows, &file->bytes, &at->day, &has_cursor,
                 &at->cursor.major, &at->cursor.minor, &at->cursor.trace_high,
                 &at->cursor.trace_low);
    at->has_cursor = has_cursor != 0;
}

static llmlab_status_t
gzip_member(const llmlab__buf_t *lines, llmlab__buf_t *out)
{
    z_stream stream = {.next_in = lines->data,
                       .avail_in = (unsigned)lines->size};
    uLong bound = compressBound((uLong)lines->size) + 64;
    unsigned char *to;
    int code;

    llmlab__buf_clear(out);
    to = llmlab__buf_reserve(out, bound);
    if (to == NULL || deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8,
                                   Z_DEFAULT_STRATEGY) != Z_OK) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for an export");
    }
    stream.next_out = to;
    stream.avail_out = (unsigned)bound;
    code = deflate(&stream, Z_FINISH);
    out->size = stream.total_out;
    (void)deflateEnd(&stream);
    return code == Z_STREAM_END
               ? LLMLAB_OK
               : llmlab__fail(LLMLAB_EINTERNAL, "cannot compress an export");
}

static llmlab_status_t
part_write(file_t *file, const llmlab__buf_t *part)
{
    size_t done = 0;

    while (done < part->size) {
        ssize_t size = write(file->fd, part->data + done, part->size - done);

        if (size <= 0 && errno != EINTR) {
            return llmlab__fail(LLMLAB_EIO, "cannot write an export: %s",
                                strerror(errno));
        }
        done += size > 0 ? (size_t)size : 0;
    }
    if (fdatasync(file->fd) != 0) {
        return llmlab__fail(LLMLAB_EIO, "cannot write an export: %s",
                            strerror(errno));
    }
    file->bytes += (int64_t)part->size;
    progress_write(file);
    return llmlab__job_progress(file->run);
}

static llmlab_status_t
parts_write(file_t *file)
{
    llmlab__buf_t lines;
    llmlab__buf_t part;
    llmlab_status_t status = LLMLAB_OK;

    llmlab__buf_init(&lines);
    llmlab__buf_init(&part);
    while (!file->export.done && status == LLMLAB_OK) {
        if (llmlab__job_stopping(file->run)) {
            /* From the last whole part. */
            status = llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
            break;
        }
        status = llmlab__export_page(&file->export, &lines);
        if (status == LLMLAB_OK && lines.size > 0 &&
            (lines.size >= PART_BYTES || file->export.done)) {
            status = gzip_member(&lines, &part);
            if (status == LLMLAB_OK) {
                status = part_write(file, &part);
            }
            llmlab__buf_clear(&lines);
        }
    }
    /* No lines at all are a file too. */
    if (status == LLMLAB_OK && file->bytes == 0) {
        status = gzip_member(&lines, &part);
        if (status == LLMLAB_OK) {
            status = part_write(file, &part);
        }
    }
    llmlab__buf_cleanup(&lines);
    llmlab__buf_cleanup(&part);
    return status;
}

static llmlab_status_t
file_open(file_t *file)
{
    const llmlab__server_t *server = file->run->server;
    struct stat found;
    char path[PATH_SIZE];

    if (!llmlab__export_path(server, file->run->job.id, path, sizeof(path))) {
        return llmlab__fail(LLMLAB_EINVAL, "the path is too long");
    }
    if (mkdir(server->export_dir, 0700) != 0 && errno != EEXIST) {
        return llmlab__fail(LLMLAB_EIO, "cannot make the folder of exports: %s",
                            strerror(errno));
    }
    file->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file->fd >= 0 && fstat(file->fd, &found) == 0 &&
        found.st_size < file->bytes) {
        /* Somebody took it away: begin anew. */
        (void)snprintf(file->run->job.progress, sizeof(file->run->job.progress),
                       "{}");
        file->bytes = 0;
        file->export.rows = 0;
        file->export.day = 0;
        file->export.has_cursor = false;
    }
    if (file->fd < 0 || ftruncate(file->fd, file->bytes) != 0) {
        return llmlab__fail(LLMLAB_EIO, "cannot write an export: %s",
                            strerror(errno));
    }
    return LLMLAB_OK;
}

static llmlab_status_t
arguments_read(file_t *file, const cJSON *arguments)
{
    llmlab__store_t *store = file->run->store;
    const char *of =
        llmlab__json_dom_string(llmlab__json_dom_get(arguments, "of"));
    llmlab__reader_t *reader;
    llmlab_status_t status;

    for (int i = 0; llmlab__export_names[i] != NULL && of != NULL; i++) {
        if (strcmp(of, llmlab__export_names[i]) == 0) {
            file->export.of = (llmlab__export_of_t)i;
        }
    }
    if (!llmlab__json_dom_int(llmlab__json_dom_get(arguments, "start_ns"),
                              &file->export.start_ns) ||
        !llmlab__json_dom_int(llmlab__json_dom_get(arguments, "end_ns"),
                              &file->export.end_ns)) {
        return llmlab__fail(LLMLAB_EINVAL, "start_ns and end_ns are needed");
    }
    reader = store->ops->acquire(store);
    status = reader == NULL
                 ? llmlab__fail(LLMLAB_EIO, "cannot open the database")
                 : store->ops->project_get(reader, file->run->job.project,
                                           &file->export.project);
    store->ops->release(store, reader);
    return status;
}

llmlab_status_t
llmlab__job_export(llmlab__job_run_t *run)
{
    file_t file = {.run = run, .export = {.server = run->server}, .fd = -1};
    cJSON *arguments = NULL;
    llmlab_status_t status = llmlab__json_dom_parse(
        &arguments, run->job.arguments, strlen(run->job.arguments), 0);

    if (status == LLMLAB_OK) {
        status = arguments_read(&file, arguments);
    }
    cJSON_Delete(arguments);
    progress_read(&file);
    if (status == LLMLAB_OK) {
        status = file_open(&file);
    }
    if (status == LLMLAB_OK) {
        status = parts_write(&file);
    }
    if (file.fd >= 0) {
        (void)close(file.fd);
    }
    (void)snprintf(run->job.result, sizeof(run->job.result),
                   "{\"rows\":%" PRId64 ",\"bytes\":%" PRId64 "}",
                   file.export.rows, file.bytes);
    return status;
}

void
llmlab__exports_expire(const llmlab__server_t *server, int64_t before_ns)
{
    DIR *folder = opendir(server->export_dir);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct stat file;

        if (fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) ==
                0 &&
            S_ISREG(file.st_mode) &&
            (int64_t)file.st_mtim.tv_sec * 1000000000 < before_ns) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static bool
on_job(void *payload, const llmlab__job_t *job)
{
    const llmlab__server_t *server = payload;
    char path[PATH_SIZE];

    if (llmlab__export_path(server, job->id, path, sizeof(path))) {
        (void)unlink(path);
    }
    return true;
}

llmlab_status_t
llmlab__exports_remove(const llmlab__server_t *server, int64_t project)
{
    llmlab__store_t *store = server->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab__job_query_t query = {
        .project = project, .state = -1, .kind = "export", .limit = INT64_MAX};
    llmlab_status_t status =
        reader == NULL ? llmlab__fail(LLMLAB_EIO, "cannot open the database")
                       : store->jobs->list(reader, &query, on_job,
                                           (void *)(uintptr_t)server);

    store->ops->release(store, reader);
    return status;
}
