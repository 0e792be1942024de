/* Exports: rows as lines of JSON, a page at a time. */
#ifndef LLMLAB_API_EXPORTS_H
#define LLMLAB_API_EXPORTS_H

#include "base/json_write.h"
#include "server.h"

typedef enum llmlab__export_of_e {
    LLMLAB__EXPORT_TRACES,
    LLMLAB__EXPORT_CALLS,
    LLMLAB__EXPORT_COSTS
} llmlab__export_of_t;

extern const char *const llmlab__export_names[]; /* the last is NULL */

/* What is exported, and how far it is. */
typedef struct llmlab__export_s {
    llmlab__server_t *server;
    llmlab__project_t project;
    llmlab__export_of_t of;
    int64_t start_ns; /* inclusive */
    int64_t end_ns;   /* exclusive */

    bool has_cursor; /* traces and calls */
    llmlab__cursor_t cursor;
    int64_t day; /* costs: the next one; 0: the first */
    int64_t rows;
    bool done;
} llmlab__export_t;

/* Append the next lines, some hundreds at most. */
llmlab_status_t llmlab__export_page(llmlab__export_t *export,
                                    llmlab__buf_t *out);

/* The file of an export's job. False: the path is too long. */
bool llmlab__export_path(const llmlab__server_t *server, int64_t job, char *out,
                         size_t capacity);

/* Delete files that were last written before the time. */
void llmlab__exports_expire(const llmlab__server_t *server, int64_t before_ns);
/* Delete all files of a project: one of its users is erased. */
llmlab_status_t llmlab__exports_remove(const llmlab__server_t *server,
                                       int64_t project);

/* traces.c */
void llmlab__trace_write(llmlab__json_out_t *out,
                         const llmlab__trace_row_t *row);

#endif
