/* Our own schema of price files. docs/PRICING.md tells it with an example. */
#include "pricing/price_file.h"

#include "base/status.h"
#include "pricing/family.h"
#include "pricing/windows.h"

#define PER_MILLION (-6)

typedef struct reader_s {
    llmlab__build_t *build;
    const llmlab__price_table_t *families;
    const char *model; /* for details */
} reader_t;

bool
llmlab__price_file_is_own(const cJSON *root)
{
    return llmlab__json_dom_get(root, "llmlab_prices") != NULL;
}

static llmlab_status_t
bad(const reader_t *reader, const char *field, const char *what)
{
    return llmlab__fail(LLMLAB_EPARSE, "models.%s: %s: %s", reader->model,
                        field, what);
}

/* A decimal as a string or a number. NULL when it is neither. */
static const char *
decimal(const cJSON *item)
{
    const char *text = llmlab__json_dom_string(item);

    return text != NULL ? text : llmlab__json_dom_number(item);
}

/* {"input": "2.5", ...} of one tier and context. */
static llmlab_status_t
read_rates(reader_t *reader, const cJSON *rates, bool are_units, unsigned tier,
           unsigned context)
{
    const cJSON *item;

    if (rates != NULL && !cJSON_IsObject(rates)) {
        return bad(reader, are_units ? "units" : "rates", "is no object");
    }
    cJSON_ArrayForEach(item, rates)
    {
        unsigned rate_class = llmlab__rate_find(item->string, are_units);
        const char *number = decimal(item);
        llmlab_status_t status;

        if (rate_class == LLMLAB__RATE_CLASSES) {
            return bad(reader, item->string, "no such rate");
        }
        if (number == NULL) {
            return bad(reader, item->string, "is no decimal");
        }
        status = llmlab__build_rate(reader->build, rate_class, tier, context,
                                    number, are_units ? 0 : PER_MILLION);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* {"priority": {rates}, ...} of one context. */
static llmlab_status_t
read_tiers(reader_t *reader, const cJSON *tiers, unsigned context)
{
    const cJSON *item;

    if (tiers != NULL && !cJSON_IsObject(tiers)) {
        return bad(reader, "tiers", "is no object");
    }
    cJSON_ArrayForEach(item, tiers)
    {
        unsigned tier = llmlab__tier_find(item->string);
        llmlab_status_t status;

        if (tier == LLMLAB__TIERS) {
            return bad(reader, item->string, "no such tier");
        }
        status = read_rates(reader, item, false, tier, context);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* {"input_above": 200000, "rates": {...}, "tiers": {...}} */
static llmlab_status_t
read_context(reader_t *reader, const cJSON *item)
{
    static const struct {
        const char *name;
        llmlab__bound_t bound;
    } bounds[] = {
        {"input_above", LLMLAB__BOUND_ABOVE},
        {"input_from", LLMLAB__BOUND_FROM},
        {"max_results_from", LLMLAB__BOUND_MAX_RESULTS},
    };
    llmlab_status_t status;
    unsigned context = 0;
    int64_t limit = -1;
    size_t i;

    for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]) && limit < 0; i++) {
        const cJSON *bound = llmlab__json_dom_get(item, bounds[i].name);

        if (bound == NULL) {
            continue;
        }
        if (!llmlab__json_dom_int(bound, &limit) || limit < 1 ||
            limit > UINT32_MAX) {
            return bad(reader, bounds[i].name, "is no count");
        }
        context = llmlab__build_context(reader->build, (uint32_t)limit,
                                        bounds[i].bound);
    }
    if (context == 0) {
        return bad(reader, "contexts",
                   limit < 0 ? "one has no bound" : "there are too many");
    }
    status = read_rates(reader, llmlab__json_dom_get(item, "rates"), false,
                        LLMLAB__TIER_STANDARD, context);
    if (status == LLMLAB_OK) {
        status = read_rates(reader, llmlab__json_dom_get(item, "units"), true,
                            LLMLAB__TIER_STANDARD, context);
    }
    if (status == LLMLAB_OK) {
        status =
            read_tiers(reader, llmlab__json_dom_get(item, "tiers"), context);
    }
    return status;
}

static llmlab_status_t
read_contexts(reader_t *reader, const cJSON *contexts)
{
    const cJSON *item;

    if (contexts != NULL && !cJSON_IsArray(contexts)) {
        return bad(reader, "contexts", "is no list");
    }
    cJSON_ArrayForEach(item, contexts)
    {
        llmlab_status_t status = read_context(reader, item);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* {"region": "eu", "by": "1.1"} */
static llmlab_status_t
read_factors(reader_t *reader, const cJSON *factors)
{
    static const struct {
        const char *name;
        llmlab__factor_kind_t kind;
    } kinds[] = {
        {"region", LLMLAB__FACTOR_REGION},
        {"region_not", LLMLAB__FACTOR_REGION_NOT},
        {"speed", LLMLAB__FACTOR_SPEED},
    };
    const cJSON *item;

    if (factors != NULL && !cJSON_IsArray(factors)) {
        return bad(reader, "multiply", "is no list");
    }
    cJSON_ArrayForEach(item, factors)
    {
        const char *by = decimal(llmlab__json_dom_get(item, "by"));
        const char *text = NULL;
        llmlab_status_t status;
        size_t i;

        for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            text = llmlab__json_dom_string(
                llmlab__json_dom_get(item, kinds[i].name));
            if (text != NULL) {
                break;
            }
        }
        if (text == NULL || by == NULL) {
            return bad(reader, "multiply", "needs a region or speed, and by");
        }
        status = llmlab__build_factor(reader->build, kinds[i].kind, text, by);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* {"days": ["mon", ...], "hours": ["04:00-06:00", ...]}; no days: every. */
static llmlab_status_t
read_window(reader_t *reader, const cJSON *item, int16_t zone)
{
    llmlab__window_t window = {.days = LLMLAB__EVERY_DAY, .zone = zone};
    const cJSON *days = llmlab__json_dom_get(item, "days");
    const cJSON *hours = llmlab__json_dom_get(item, "hours");
    const cJSON *one;

    if (days != NULL) {
        window.days = 0;
    }
    cJSON_ArrayForEach(one, days)
    {
        const char *text = llmlab__json_dom_string(one);
        unsigned day = text != NULL ? llmlab__window_day(text) : 0;

        if (day == 0) {
            return bad(reader, "days", "one is none of mon to sun");
        }
        window.days = (uint16_t)(window.days | day);
    }
    if (!cJSON_IsArray(hours)) {
        return bad(reader, "hours", "is no list");
    }
    cJSON_ArrayForEach(one, hours)
    {
        const char *text = llmlab__json_dom_string(one);
        llmlab_status_t status;

        if (text == NULL || !llmlab__window_hours(text, &window)) {
            return bad(reader, "hours", "one is not like \"16:30-00:30\"");
        }
        status = llmlab__build_window(reader->build, &window);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
read_off_peak(reader_t *reader, const cJSON *block)
{
    const char *zone_name =
        llmlab__json_dom_string(llmlab__json_dom_get(block, "zone"));
    const cJSON *windows = llmlab__json_dom_get(block, "windows");
    const cJSON *item;
    int16_t zone = 0;

    if (block == NULL) {
        return LLMLAB_OK;
    }
    if (zone_name != NULL && !llmlab__window_zone(zone_name, &zone)) {
        return bad(reader, "off_peak.zone", "no zone of one fixed offset");
    }
    if (!cJSON_IsArray(windows)) {
        return bad(reader, "off_peak.windows", "is no list");
    }
    cJSON_ArrayForEach(item, windows)
    {
        llmlab_status_t status = read_window(reader, item, zone);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return read_rates(reader, llmlab__json_dom_get(block, "rates"), false,
                      LLMLAB__TIER_OFF_PEAK, 0);
}

static bool
known_field(const char *name)
{
    static const char *const names[] = {
        "provider", "mode",     "source", "checked",  "retires",
        "note",     "prices",   "from",   "rates",    "units",
        "tiers",    "contexts", "whole",  "multiply", "off_peak"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* A misspelt field would silently price at something else. */
static llmlab_status_t
check_fields(reader_t *reader, const cJSON *object)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        if (!known_field(item->string)) {
            return bad(reader, item->string, "no such field");
        }
    }
    return LLMLAB_OK;
}

/* The prices of one period: the fields of the model itself, or of an element
 * of "prices". */
static llmlab_status_t
read_period(reader_t *reader, const cJSON *object)
{
    const char *from =
        llmlab__json_dom_string(llmlab__json_dom_get(object, "from"));
    int64_t from_s = INT64_MIN;
    llmlab_status_t status = check_fields(reader, object);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (from != NULL && !llmlab__instant_parse(from, &from_s)) {
        return bad(reader, "from", "is no date or UTC time");
    }
    llmlab__build_period(reader->build, from_s);
    if (cJSON_IsTrue(llmlab__json_dom_get(object, "whole"))) {
        reader->build->period.flags |= LLMLAB__PERIOD_WHOLE;
    }
    if ((status = read_rates(reader, llmlab__json_dom_get(object, "rates"),
                             false, LLMLAB__TIER_STANDARD, 0)) != LLMLAB_OK ||
        (status = read_rates(reader, llmlab__json_dom_get(object, "units"),
                             true, LLMLAB__TIER_STANDARD, 0)) != LLMLAB_OK ||
        (status = read_tiers(reader, llmlab__json_dom_get(object, "tiers"),
                             0)) != LLMLAB_OK ||
        (status = read_contexts(
             reader, llmlab__json_dom_get(object, "contexts"))) != LLMLAB_OK ||
        (status = read_factors(
             reader, llmlab__json_dom_get(object, "multiply"))) != LLMLAB_OK ||
        (status = read_off_peak(
             reader, llmlab__json_dom_get(object, "off_peak"))) != LLMLAB_OK) {
        return status;
    }
    return llmlab__build_period_end(reader->build);
}

static llmlab_status_t
read_dates(reader_t *reader, const cJSON *model)
{
    const char *checked =
        llmlab__json_dom_string(llmlab__json_dom_get(model, "checked"));
    const char *retires =
        llmlab__json_dom_string(llmlab__json_dom_get(model, "retires"));
    llmlab__price_row_t *row = &reader->build->row;

    if (checked != NULL && !llmlab__date_parse(checked, &row->checked)) {
        return bad(reader, "checked", "is no date");
    }
    if (retires != NULL && !llmlab__date_parse(retires, &row->retires)) {
        return bad(reader, "retires", "is no date");
    }
    return LLMLAB_OK;
}

static llmlab_status_t
read_model(reader_t *reader, const cJSON *model)
{
    const char *provider =
        llmlab__json_dom_string(llmlab__json_dom_get(model, "provider"));
    const char *mode =
        llmlab__json_dom_string(llmlab__json_dom_get(model, "mode"));
    const char *source =
        llmlab__json_dom_string(llmlab__json_dom_get(model, "source"));
    const cJSON *prices = llmlab__json_dom_get(model, "prices");
    const cJSON *item;
    llmlab_status_t status;
    char memory[LLMLAB__FAMILY_TEXT];

    reader->model = model->string;
    if (!cJSON_IsObject(model)) {
        return bad(reader, "it", "is no object");
    }
    if (provider == NULL) {
        return bad(reader, "provider", "is missing");
    }
    llmlab__build_row(
        reader->build, model->string, provider,
        llmlab__family_find(reader->build, reader->families, provider, memory));
    reader->build->row.mode =
        llmlab__build_text(reader->build, mode != NULL ? mode : "chat");
    reader->build->row.source =
        llmlab__build_text(reader->build, source != NULL ? source : "");
    status = read_dates(reader, model);
    if (status == LLMLAB_OK && prices == NULL) {
        status = read_period(reader, model);
    }
    if (status == LLMLAB_OK && prices != NULL) {
        status = check_fields(reader, model);
    }
    cJSON_ArrayForEach(item, prices)
    {
        if (status == LLMLAB_OK) {
            status = read_period(reader, item);
        }
    }
    return status == LLMLAB_OK ? llmlab__build_row_end(reader->build) : status;
}

/* "azure": {"aliases": [...], "prefixes": "azure/ ", "also": "azure_ai"} */
static llmlab_status_t
read_family(llmlab__build_t *build, const cJSON *item, uint32_t index)
{
    const char *prefixes =
        llmlab__json_dom_string(llmlab__json_dom_get(item, "prefixes"));
    const char *also =
        llmlab__json_dom_string(llmlab__json_dom_get(item, "also"));
    const char *tools =
        llmlab__json_dom_string(llmlab__json_dom_get(item, "tools"));
    const cJSON *alias;
    llmlab__family_t family;

    memset(&family, 0, sizeof(family));
    family.name = llmlab__build_text(build, item->string);
    family.prefixes = llmlab__build_text(build, prefixes ? prefixes : "");
    family.also = llmlab__build_text(build, also ? also : "");
    family.tools = llmlab__build_text(build, tools ? tools : "");
    family.gateway =
        cJSON_IsTrue(llmlab__json_dom_get(item, "gateway")) ? 1 : 0;
    llmlab__build_family(build, &family);
    llmlab__build_alias(build, item->string, index);
    cJSON_ArrayForEach(alias, llmlab__json_dom_get(item, "aliases"))
    {
        const char *name = llmlab__json_dom_string(alias);

        if (name == NULL) {
            return llmlab__fail(LLMLAB_EPARSE,
                                "providers.%s: an alias is no string",
                                item->string);
        }
        llmlab__build_alias(build, name, index);
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__price_file_own(llmlab__build_t *build, const cJSON *root,
                       const llmlab__price_table_t *families)
{
    reader_t reader = {build, families, ""};
    const char *version =
        llmlab__json_dom_string(llmlab__json_dom_get(root, "version"));
    const cJSON *models = llmlab__json_dom_get(root, "models");
    const cJSON *item;
    uint32_t count = 0;
    int64_t format = 0;

    if (!llmlab__json_dom_int(llmlab__json_dom_get(root, "llmlab_prices"),
                              &format) ||
        format != 1) {
        return llmlab__fail(LLMLAB_EPARSE, "llmlab_prices: 1 is expected");
    }
    if (version != NULL) {
        if (!llmlab__instant_parse(version, &build->instant_s)) {
            return llmlab__fail(LLMLAB_EPARSE,
                                "version: is no date or UTC time");
        }
        build->version = llmlab__build_text(build, version);
    }
    cJSON_ArrayForEach(item, llmlab__json_dom_get(root, "providers"))
    {
        llmlab_status_t status = read_family(build, item, count++);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    if (models != NULL && !cJSON_IsObject(models)) {
        return llmlab__fail(LLMLAB_EPARSE, "models: is no object");
    }
    cJSON_ArrayForEach(item, models)
    {
        llmlab_status_t status = read_model(&reader, item);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}
