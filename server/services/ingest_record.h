/* What the readers of the three kinds of record share. */
#ifndef LLMLAB_SERVICES_INGEST_RECORD_H
#define LLMLAB_SERVICES_INGEST_RECORD_H

#include "services/ingest_fields.h"
#include "services/ingest_step.h"
#include "services/pricing_step.h"

/* Members that go into the detail. */
#define LLMLAB__DETAIL_MAX 32

typedef enum llmlab__field_e {
    /* Kept as raw text in the row's detail. */
    LLMLAB__FIELD_STRING,
    LLMLAB__FIELD_BOOL,
    LLMLAB__FIELD_INTEGER,
    LLMLAB__FIELD_OBJECT,
    LLMLAB__FIELD_ARRAY,
    /* Read. */
    LLMLAB__FIELD_SPAN_ID,
    LLMLAB__FIELD_PARENT_ID,
    LLMLAB__FIELD_NUMBER,
    LLMLAB__FIELD_TYPE,
    LLMLAB__FIELD_NAME,
    LLMLAB__FIELD_AGENT,
    LLMLAB__FIELD_USER,
    LLMLAB__FIELD_SESSION,
    LLMLAB__FIELD_TAGS,
    LLMLAB__FIELD_STATUS,
    LLMLAB__FIELD_START,
    LLMLAB__FIELD_LATENCY,
    LLMLAB__FIELD_TTFT,
    LLMLAB__FIELD_PROVIDER,
    LLMLAB__FIELD_MODEL,
    LLMLAB__FIELD_USAGE,
    LLMLAB__FIELD_COST,
    LLMLAB__FIELD_COST_DETAIL,
    LLMLAB__FIELD_PROVIDER_COST,
    LLMLAB__FIELD_PAIRS,
    LLMLAB__FIELD_CALLS
} llmlab__field_t;

typedef struct llmlab__field_row_s {
    const char *name;
    size_t size;
    llmlab__field_t field;
    bool required;
} llmlab__field_row_t;

#define LLMLAB__FIELD(name, field, required)                    \
    {                                                           \
        name, sizeof(name) - 1, LLMLAB__FIELD_##field, required \
    }

/* A record while it is read. */
typedef struct llmlab__record_state_s {
    llmlab__ingest_t *ingest;
    llmlab__row_t row;
    llmlab__step_facts_t facts;
    uint64_t seen;
    uint64_t calls;
    const char *bad; /* the first field at fault */
    const char *why;
    size_t detail_count;
    size_t detail_size;
    struct {
        const llmlab__field_row_t *field;
        llmlab__text_t text;
    } detail[LLMLAB__DETAIL_MAX];
    llmlab__usage_parts_t parts;
} llmlab__record_state_t;

void llmlab__record_init(llmlab__record_state_t *record,
                         llmlab__ingest_t *ingest);
/* Remember the first fault; why NULL: none. */
void llmlab__record_fault(llmlab__record_state_t *record, const char *field,
                          const char *why);
/* Read the object that stands next by a table of its fields. */
void llmlab__record_read(llmlab__record_state_t *record,
                         const llmlab__field_row_t *fields, size_t count);
/* Make a rejection of the record. */
void llmlab__record_reject(llmlab__record_state_t *record);
/* Is it a call to a model: by its type, or by what it states? */
bool llmlab__record_is_call(const llmlab__record_state_t *record);

#endif
