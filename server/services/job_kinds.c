#include "services/job_kinds.h"

#define SECOND_NS INT64_C(1000000000)

const llmlab__job_kind_t llmlab__job_kinds[] = {
    {.name = "retention",
     .standing = true,
     .schedule = "7 * * * *",
     .attempts = 5,
     .backoff_ns = 30 * SECOND_NS,
     .run = llmlab__job_retention},
    {.name = "erase",
     .of_project = true,
     .schedule = "",
     .attempts = 10,
     .backoff_ns = 10 * SECOND_NS,
     .run = llmlab__job_erase},
    {.name = "reprice",
     .of_project = true,
     .schedule = "",
     .attempts = 10,
     .backoff_ns = 10 * SECOND_NS,
     .run = llmlab__job_reprice},
    {.name = "export",
     .of_project = true,
     .schedule = "",
     .attempts = 5,
     .backoff_ns = 10 * SECOND_NS,
     .run = llmlab__job_export},
    {.name = NULL},
};
