/* The set of counts. */
#include <llmlab/usage.h>

#include <string.h>

_Static_assert(LLMLAB_USAGE_FIELDS <= LLMLAB_USAGE_CAPACITY,
               "more usage fields than llmlab_usage_t has room for");

static const struct {
    const char *name;
    size_t size;
} fields[] = {
#define FIELD(name, wire) {wire, sizeof(wire) - 1},
    LLMLAB_USAGE_MAP(FIELD)
#undef FIELD
};

void
llmlab_usage_init(llmlab_usage_t *usage)
{
    if (usage != NULL) {
        memset(usage, 0, sizeof(*usage));
    }
}

static int
is_field(llmlab_usage_field_t field)
{
    return (unsigned)field < (unsigned)LLMLAB_USAGE_FIELDS;
}

void
llmlab_usage_set(llmlab_usage_t *usage, llmlab_usage_field_t field,
                 uint64_t count)
{
    if (usage == NULL || !is_field(field)) {
        return;
    }
    usage->count[field] = count;
    usage->present |= UINT64_C(1) << field;
}

int
llmlab_usage_get(const llmlab_usage_t *usage, llmlab_usage_field_t field,
                 uint64_t *out)
{
    if (usage == NULL || !is_field(field) ||
        ((usage->present >> field) & 1) == 0) {
        return 0;
    }
    if (out != NULL) {
        *out = usage->count[field];
    }
    return 1;
}

const char *
llmlab_usage_field_name(llmlab_usage_field_t field)
{
    return is_field(field) ? fields[field].name : NULL;
}

llmlab_usage_field_t
llmlab_usage_field_find(const char *name, size_t size)
{
    size_t i;

    if (name == NULL) {
        return LLMLAB_USAGE_FIELDS;
    }
    for (i = 0; i < LLMLAB_USAGE_FIELDS; i++) {
        if (fields[i].size == size && memcmp(fields[i].name, name, size) == 0) {
            break;
        }
    }
    return (llmlab_usage_field_t)i;
}
