/* A JSON Schema checker for the keywords that docs/wire.schema.json uses, and
 * stricter than it in one point: a field that the schema does not name is a
 * fault, so that a test notices a writer's typing error. */
#ifndef LLMLAB_TEST_SCHEMA_H
#define LLMLAB_TEST_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

typedef struct schema_s schema_t;

/* NULL when it cannot be read, or uses a keyword that the checker lacks. */
schema_t *schema_load(const char *path);
void schema_free(schema_t *schema);

/* Does the document conform? If not, why tells where and what. */
bool schema_check(const schema_t *schema, const cJSON *json, char *why,
                  size_t why_size);

#endif
