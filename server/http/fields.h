/* The members of a JSON body, checked against a table: a member that is not in
 * the table, is missing, or has the wrong type or size is refused by name. */
#ifndef LLMLAB_HTTP_FIELDS_H
#define LLMLAB_HTTP_FIELDS_H

#include "http/request.h"

typedef enum llmlab__field_type_e {
    LLMLAB__FIELD_TEXT,   /* const char *; low..high bytes, no control
                             characters */
    LLMLAB__FIELD_INT,    /* int64_t; low..high */
    LLMLAB__FIELD_BOOL,   /* bool */
    LLMLAB__FIELD_TIME,   /* int64_t, Unix ns; from RFC 3339 */
    LLMLAB__FIELD_CHOICE, /* int: index of the text in choices */
    LLMLAB__FIELD_OBJECT, /* const cJSON * */
    LLMLAB__FIELD_ARRAY   /* const cJSON *; low..high elements */
} llmlab__field_type_t;

typedef struct llmlab__field_s {
    const char *name;
    llmlab__field_type_t type;
    bool required;
    bool nullable; /* null leaves *out as it is and sets *present */
    int64_t low;
    int64_t high;
    void *out;                  /* left as it is when the member is absent */
    const char *const *choices; /* NULL-terminated */
    bool *present;              /* NULL: not asked */
} llmlab__field_t;

/* Read request->json (none: an empty object). Texts live as long as the
 * request. False when the reply is set: 400 with the field's name. */
bool llmlab__request_fields(llmlab__request_t *request,
                            const llmlab__field_t *fields, size_t count);

#endif
