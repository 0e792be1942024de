/* From a provider's name of a model to a row. Never by prefix or substring:
 * gpt-4o is not gpt-4o-mini. The steps are told in docs/PRICING.md; each
 * rewrites the name and looks the whole of it up again. */
#include "pricing/book.h"

#include "pricing/names.h"

#define NAME_MAX_SIZE 320

typedef struct query_s {
    const llmlab_price_book_t *book;
    const llmlab__price_table_t *builtin;
    const llmlab__family_t *family;    /* NULL: none of the known */
    char unknown[LLMLAB__FAMILY_TEXT]; /* the provider's folded name then */
    bool any;                          /* no provider: any row will do */
    llmlab__price_ref_t exact;
    llmlab__price_ref_t folded; /* the first row that differs in case only */
} query_t;

/* The name as it is being rewritten. */
typedef struct name_s {
    char text[NAME_MAX_SIZE];
    size_t size;
} name_t;

/* One word of "azure/ azure_ai/"; false at the end. */
static bool
next_word(const char **at, const char **out, size_t *out_size)
{
    while (**at == ' ') {
        (*at)++;
    }
    *out = *at;
    while (**at != '\0' && **at != ' ') {
        (*at)++;
    }
    *out_size = (size_t)(*at - *out);
    return *out_size > 0;
}

static bool
row_is_of(const llmlab__price_table_t *table, const llmlab__price_row_t *row,
          const char *family)
{
    const char *own = llmlab__price_text(table, row->family);

    return family == NULL || own[0] == '\0' || strcmp(own, family) == 0;
}

/* Look prefix + name up in the user's table, then in the built-in one. True
 * when a row of exactly that key is found. */
static bool
look_up(query_t *query, const char *family, const char *prefix,
        size_t prefix_size, const char *name, size_t size)
{
    const llmlab__price_table_t *tables[2];
    char key[LLMLAB__FAMILY_TEXT + NAME_MAX_SIZE];
    size_t count = 0;
    size_t i;

    memcpy(key, prefix, prefix_size);
    memcpy(key + prefix_size, name, size + 1);
    if (query->book != NULL) {
        tables[count++] = &query->book->table;
    }
    tables[count++] = query->builtin;
    for (i = 0; i < count; i++) {
        const llmlab__price_row_t *folded = NULL;
        const llmlab__price_row_t *row =
            llmlab__table_find(tables[i], key, prefix_size + size, &folded);

        if (row != NULL && row_is_of(tables[i], row, family)) {
            query->exact.table = tables[i];
            query->exact.row = row;
            return true;
        }
        if (folded != NULL && query->folded.row == NULL &&
            row_is_of(tables[i], folded, family)) {
            query->folded.table = tables[i];
            query->folded.row = folded;
        }
    }
    return false;
}

/* Within one family: as it stands if it has one of its prefixes already
 * ("perplexity/sonar", which is not "perplexity/perplexity/sonar"); else with
 * each of them, then as it stands. */
static bool
look_up_family(query_t *query, const llmlab__family_t *family, const char *name,
               size_t size)
{
    const char *prefixes = llmlab__price_text(query->builtin, family->prefixes);
    const char *family_name = llmlab__price_text(query->builtin, family->name);
    const char *words = prefixes;
    const char *prefix;
    size_t prefix_size;

    while (next_word(&words, &prefix, &prefix_size)) {
        if (size > prefix_size && memcmp(name, prefix, prefix_size) == 0 &&
            look_up(query, family_name, "", 0, name, size)) {
            return true;
        }
    }
    while (next_word(&prefixes, &prefix, &prefix_size)) {
        if (look_up(query, family_name, prefix, prefix_size, name, size)) {
            return true;
        }
    }
    return look_up(query, family_name, "", 0, name, size);
}

static bool
look_up_provider(query_t *query, const char *name, size_t size)
{
    const char *also;
    const char *word;
    size_t word_size;

    if (query->any) {
        return look_up(query, NULL, "", 0, name, size);
    }
    if (query->family == NULL) {
        size_t prefix_size = strlen(query->unknown);
        char prefix[LLMLAB__FAMILY_TEXT + 1];

        memcpy(prefix, query->unknown, prefix_size);
        prefix[prefix_size] = '/';
        return look_up(query, query->unknown, prefix, prefix_size + 1, name,
                       size) ||
               look_up(query, query->unknown, "", 0, name, size);
    }
    if (look_up_family(query, query->family, name, size)) {
        return true;
    }
    also = llmlab__price_text(query->builtin, query->family->also);
    while (next_word(&also, &word, &word_size)) {
        const llmlab__family_t *family =
            llmlab__family_of(query->builtin, word, word_size);

        if (family != NULL && look_up_family(query, family, name, size)) {
            return true;
        }
    }
    return false;
}

/* N1: exactly, then with case folded. */
static bool
find(query_t *query, const name_t *name)
{
    query->folded.row = NULL;
    if (look_up_provider(query, name->text, name->size)) {
        return true;
    }
    query->exact = query->folded;
    return query->folded.row != NULL;
}

static void
cut_front(name_t *name, size_t size)
{
    memmove(name->text, name->text + size, name->size - size + 1);
    name->size -= size;
}

static void
cut_back(name_t *name, size_t size)
{
    name->size -= size;
    name->text[name->size] = '\0';
}

static bool
ends_with(const name_t *name, const char *ending)
{
    size_t size = strlen(ending);
    size_t i;

    if (name->size <= size) {
        return false;
    }
    for (i = 0; i < size; i++) {
        if (llmlab__fold(name->text[name->size - size + i]) != ending[i]) {
            return false;
        }
    }
    return true;
}

static bool
begins_with(const name_t *name, const char *beginning)
{
    return strncmp(name->text, beginning, strlen(beginning)) == 0;
}

/* N0: the provider's own name before a slash. Without a provider it tells the
 * provider. */
static bool
take_provider(query_t *query, name_t *name)
{
    const char *slash = strchr(name->text, '/');
    size_t size = slash != NULL ? (size_t)(slash - name->text) : 0;
    const llmlab__family_t *family;

    if (size == 0 || slash[1] == '\0') {
        return false;
    }
    family = llmlab__family_of(query->builtin, name->text, size);
    if (family == NULL || family->gateway) {
        return false;
    }
    if (query->any) {
        query->any = false;
        query->family = family;
    } else if (family != query->family) {
        return false;
    }
    cut_front(name, size + 1);
    return true;
}

/* N2: what a Bedrock ARN names. An application's own profile or a custom or
 * provisioned model names no price: false with *out_stop. */
static bool
take_arn(name_t *name, bool *out_stop)
{
    static const char *const kinds[] = {"inference-profile/",
                                        "foundation-model/"};
    const char *at = name->text;
    unsigned colons = 0;
    size_t i;

    if (!begins_with(name, "arn:")) {
        return false;
    }
    while (*at != '\0' && colons < 5) {
        colons += *at == ':';
        at++;
    }
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t size = strlen(kinds[i]);

        if (strncmp(at, kinds[i], size) == 0 && at[size] != '\0') {
            cut_front(name, (size_t)(at - name->text) + size);
            return true;
        }
    }
    *out_stop = true;
    return false;
}

/* N3: "models/x" and ".../publishers/google/models/x". */
static bool
take_resource(name_t *name)
{
    const char *publishers = strstr(name->text, "publishers/");
    const char *models = NULL;

    if (begins_with(name, "models/")) {
        models = name->text;
    } else if (publishers != NULL &&
               (publishers == name->text || publishers[-1] == '/')) {
        models = strstr(publishers, "/models/");
        models = models != NULL ? models + 1 : NULL;
    }
    if (models == NULL || models[7] == '\0') {
        return false;
    }
    cut_front(name, (size_t)(models - name->text) + 7);
    return true;
}

/* N4: the mark of a client's long context, which the price does not know. */
static bool
take_context_mark(name_t *name)
{
    if (!ends_with(name, "[1m]")) {
        return false;
    }
    cut_back(name, 4);
    return true;
}

/* N5: "ft:base:org:suffix:id" is "ft:base". */
static bool
take_fine_tune(name_t *name)
{
    const char *colon;

    if (!begins_with(name, "ft:")) {
        return false;
    }
    colon = strchr(name->text + 3, ':');
    if (colon == NULL || colon == name->text + 3) {
        return false;
    }
    cut_back(name, name->size - (size_t)(colon - name->text));
    return true;
}

/* Look for the first size bytes of name with an ending after them. */
static bool
find_with(query_t *query, const name_t *name, size_t size, const char *ending)
{
    size_t ending_size = strlen(ending);
    name_t other;

    if (size == 0 || size + ending_size >= NAME_MAX_SIZE) {
        return false;
    }
    memcpy(other.text, name->text, size);
    memcpy(other.text + size, ending, ending_size + 1);
    other.size = size + ending_size;
    return find(query, &other);
}

/* N6: Bedrock writes a version, "-v1:0", or part of it, or none. What stands
 * before the name ("us.", "eu.") is another price and stays. */
static bool
find_bedrock(query_t *query, const name_t *name)
{
    if (ends_with(name, "-v1:0")) {
        return find_with(query, name, name->size - 2, "") ||
               find_with(query, name, name->size - 5, "");
    }
    if (ends_with(name, ":0")) {
        return find_with(query, name, name->size - 2, "");
    }
    if (ends_with(name, "-v1")) {
        return find_with(query, name, name->size, ":0") ||
               find_with(query, name, name->size - 3, "");
    }
    return find_with(query, name, name->size, ":0") ||
           find_with(query, name, name->size, "-v1:0") ||
           find_with(query, name, name->size, "-v1");
}

/* N7: Vertex writes "x@20250929" and "x@default"; its replies "x-20250929". */
static bool
find_vertex(query_t *query, const name_t *name)
{
    size_t date = llmlab__name_date(name->text, name->size, false);

    if (ends_with(name, "@default")) {
        return find_with(query, name, name->size - 8, "");
    }
    if (date == 9) { /* a sign and eight digits */
        size_t sign = name->size - date;
        name_t other = *name;

        other.text[sign] = name->text[sign] == '@' ? '-' : '@';
        return find(query, &other);
    }
    return date == 0 && find_with(query, name, name->size, "@default");
}

static bool
is_family(const query_t *query, const char *name)
{
    return query->family != NULL &&
           strcmp(llmlab__price_text(query->builtin, query->family->name),
                  name) == 0;
}

/* N6 and N7, each for its provider or where the name itself shows it. */
static bool
find_variant(query_t *query, const name_t *name)
{
    bool bedrock = is_family(query, "bedrock");
    bool vertex = is_family(query, "vertex_ai") || is_family(query, "google");

    if ((bedrock || (query->any && strchr(name->text, '.') != NULL)) &&
        find_bedrock(query, name)) {
        return true;
    }
    return (vertex || (query->any && strchr(name->text, '@') != NULL)) &&
           find_vertex(query, name);
}

/* N8: without its trailing date, when the bare name exists. */
static bool
find_undated(query_t *query, const name_t *name)
{
    bool numbered = is_family(query, "vertex_ai") ||
                    is_family(query, "gemini") || is_family(query, "google");
    size_t date = llmlab__name_date(name->text, name->size, numbered);
    name_t bare = *name;

    if (date == 0 || date >= name->size) {
        return false;
    }
    cut_back(&bare, date);
    return find(query, &bare) || find_variant(query, &bare);
}

/* The user's own names, before all others. */
static bool
find_alias(query_t *query, const char *model)
{
    const llmlab_price_book_t *book = query->book;
    size_t i;

    for (i = 0; book != NULL && i < book->alias_count; i++) {
        const llmlab__name_alias_t *alias = &book->aliases[i];
        const char *family =
            query->family != NULL
                ? llmlab__price_text(query->builtin, query->family->name)
                : query->unknown;

        if (strcmp(alias->name, model) == 0 &&
            (alias->family[0] == '\0' || strcmp(alias->family, family) == 0)) {
            query->exact = llmlab__price_find(book, alias->key);
            return query->exact.row != NULL;
        }
    }
    return false;
}

static llmlab_match_t
resolve(query_t *query, name_t *name)
{
    bool stop = false;

    if (find(query, name)) {
        return query->exact.row == query->folded.row ? LLMLAB_MATCH_CASE
                                                     : LLMLAB_MATCH_EXACT;
    }
    if ((take_provider(query, name) && find(query, name)) ||
        (take_arn(name, &stop) && find(query, name)) ||
        (take_resource(name) && find(query, name)) ||
        (take_context_mark(name) && find(query, name)) ||
        (take_fine_tune(name) && find(query, name)) ||
        (!stop && find_variant(query, name))) {
        return LLMLAB_MATCH_NORMALIZED;
    }
    if (!stop && find_undated(query, name)) {
        return LLMLAB_MATCH_DATED_FALLBACK;
    }
    return LLMLAB_MATCH_UNKNOWN;
}

llmlab_match_t
llmlab__price_resolve(llmlab__price_ref_t *out, const llmlab_price_book_t *book,
                      const char *provider, const char *model)
{
    query_t query = {.book = book};
    size_t provider_size = provider != NULL ? strlen(provider) : 0;
    llmlab_match_t match = LLMLAB_MATCH_UNKNOWN;
    name_t name;

    out->table = NULL;
    out->row = NULL;
    name.size = model != NULL ? strlen(model) : 0;
    if (name.size == 0 || name.size >= NAME_MAX_SIZE) {
        return match;
    }
    memcpy(name.text, model, name.size + 1);
    query.builtin = llmlab__price_table_builtin();
    query.any = provider_size == 0;
    query.unknown[0] = '\0';
    if (provider_size > 0) {
        query.family =
            llmlab__family_of(query.builtin, provider, provider_size);
        llmlab__family_fold(query.unknown, provider, provider_size);
    }
    if (query.family != NULL && query.family->gateway) {
        query.family = NULL;
        query.any = true;
    }
    match = find_alias(&query, model) ? LLMLAB_MATCH_NORMALIZED
                                      : resolve(&query, &name);
    if (match != LLMLAB_MATCH_UNKNOWN) {
        *out = query.exact;
    }
    return match;
}

llmlab_match_t
llmlab_pricing_resolve(const llmlab_price_book_t *book, const char *provider,
                       const char *model, const char **out_key)
{
    llmlab__price_ref_t ref;
    llmlab_match_t match = llmlab__price_resolve(&ref, book, provider, model);

    if (out_key != NULL) {
        *out_key = ref.row != NULL ? llmlab__price_ref_key(ref) : NULL;
    }
    return match;
}
