#include "pricing/family.h"

size_t
llmlab__family_fold(char out[LLMLAB__FAMILY_TEXT], const char *name,
                    size_t size)
{
    size_t i;

    for (i = 0; i < size && i + 1 < LLMLAB__FAMILY_TEXT; i++) {
        out[i] = llmlab__provider_fold(name[i]);
    }
    out[i] = '\0';
    return i;
}

const llmlab__family_t *
llmlab__family_of(const llmlab__price_table_t *table, const char *name,
                  size_t size)
{
    char folded[LLMLAB__FAMILY_TEXT];
    size_t length = llmlab__family_fold(folded, name, size);
    uint32_t slot = llmlab__key_hash(folded, length) & table->alias_mask;

    while (table->alias_slots[slot] != 0) {
        const llmlab__alias_t *alias =
            &table->aliases[table->alias_slots[slot] - 1];

        if (strcmp(llmlab__price_text(table, alias->name), folded) == 0) {
            return &table->families[alias->family];
        }
        slot = (slot + 1) & table->alias_mask;
    }
    return NULL;
}

const char *
llmlab__family_find(const llmlab__build_t *build,
                    const llmlab__price_table_t *families, const char *provider,
                    char memory[LLMLAB__FAMILY_TEXT])
{
    const char *texts = (const char *)build->texts.bytes.data;
    const llmlab__alias_t *aliases = (const void *)build->aliases.data;
    const llmlab__family_t *family = (const void *)build->families.data;
    size_t count = build->aliases.size / sizeof(*aliases);
    const char *found = NULL;
    size_t i;

    llmlab__family_fold(memory, provider, strlen(provider));
    if (families != NULL) {
        family = llmlab__family_of(families, provider, strlen(provider));
        found =
            family != NULL ? llmlab__price_text(families, family->name) : NULL;
    } else {
        for (i = 0; i < count && found == NULL; i++) {
            if (strcmp(texts + aliases[i].name, memory) == 0) {
                found = texts + family[aliases[i].family].name;
            }
        }
    }
    if (found != NULL) {
        /* A copy, because the build's texts move as it grows. */
        strncpy(memory, found, LLMLAB__FAMILY_TEXT - 1);
        memory[LLMLAB__FAMILY_TEXT - 1] = '\0';
    }
    return memory;
}
