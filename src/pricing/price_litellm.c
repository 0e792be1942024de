/* LiteLLM's form of price files, which many users have. A key names its class,
 * context and tier: "input_cost_per_token_above_272k_tokens_priority". Keys
 * that hold no price are passed over. */
#include "pricing/price_file.h"

#include <stdlib.h>

#include "base/status.h"
#include "pricing/family.h"
#include "pricing/windows.h"

#define KEY_MAX 128

typedef struct reader_s {
    llmlab__build_t *build;
    const llmlab__price_table_t *families;
    const char *model; /* for details */
    const cJSON *row;
    llmlab__bound_t bound; /* of this provider's context tiers */
} reader_t;

typedef struct rate_key_s {
    const char *name;
    llmlab__rate_class_t rate_class;
} rate_key_t;

static const rate_key_t keys[] = {
    {"input_cost_per_token", LLMLAB__INPUT},
    {"output_cost_per_token", LLMLAB__OUTPUT},
    {"cache_read_input_token_cost", LLMLAB__CACHE_READ},
    {"cache_creation_input_token_cost", LLMLAB__CACHE_WRITE},
    {"cache_creation_input_token_cost_above_1hr", LLMLAB__CACHE_WRITE_1H},
    {"input_cost_per_audio_token", LLMLAB__INPUT_AUDIO},
    {"input_cost_per_image_token", LLMLAB__INPUT_IMAGE},
    {"input_cost_per_video_token", LLMLAB__INPUT_VIDEO},
    {"output_cost_per_reasoning_token", LLMLAB__REASONING},
    {"output_cost_per_audio_token", LLMLAB__OUTPUT_AUDIO},
    {"output_cost_per_image_token", LLMLAB__OUTPUT_IMAGE},
    {"output_cost_per_video_token", LLMLAB__OUTPUT_VIDEO},
    {"citation_cost_per_token", LLMLAB__CITATION},
    {"cache_read_input_audio_token_cost", LLMLAB__CACHE_READ_AUDIO},
    {"code_interpreter_cost_per_session", LLMLAB__PER_CODE_SESSION},
    {"input_cost_per_character", LLMLAB__PER_INPUT_CHARACTER},
    {"output_cost_per_character", LLMLAB__PER_OUTPUT_CHARACTER},
    {"input_cost_per_second", LLMLAB__PER_INPUT_SECOND},
    {"output_cost_per_second", LLMLAB__PER_OUTPUT_SECOND},
    {"input_cost_per_audio_per_second", LLMLAB__PER_INPUT_AUDIO_SECOND},
    {"input_cost_per_video_per_second", LLMLAB__PER_INPUT_VIDEO_SECOND},
    {"output_cost_per_video_per_second", LLMLAB__PER_OUTPUT_VIDEO_SECOND},
    {"input_cost_per_image", LLMLAB__PER_INPUT_IMAGE},
    {"output_cost_per_image", LLMLAB__PER_OUTPUT_IMAGE},
    {"input_cost_per_pixel", LLMLAB__PER_PIXEL},
    {"ocr_cost_per_page", LLMLAB__PER_PAGE},
    {"annotation_cost_per_page", LLMLAB__PER_ANNOTATED_PAGE},
    {"input_cost_per_query", LLMLAB__PER_QUERY},
    {"input_cost_per_request", LLMLAB__PER_REQUEST},
    {"ocr_cost_per_credit", LLMLAB__PER_CREDIT},
};

static const rate_key_t search_keys[] = {
    {"search_context_size_low", LLMLAB__PER_SEARCH_LOW},
    {"search_context_size_medium", LLMLAB__PER_SEARCH_MEDIUM},
    {"search_context_size_high", LLMLAB__PER_SEARCH_HIGH},
};

static const rate_key_t guardrail_keys[] = {
    {"contentPolicyUnits", LLMLAB__PER_GUARDRAIL_CONTENT},
    {"contentPolicyImageUnits", LLMLAB__PER_GUARDRAIL_IMAGE},
    {"topicPolicyUnits", LLMLAB__PER_GUARDRAIL_TOPIC},
    {"wordPolicyUnits", LLMLAB__PER_GUARDRAIL_WORD},
    {"sensitiveInformationPolicyUnits", LLMLAB__PER_GUARDRAIL_SENSITIVE},
    {"sensitiveInformationPolicyFreeUnits", LLMLAB__PER_GUARDRAIL_FREE},
    {"contextualGroundingPolicyUnits", LLMLAB__PER_GUARDRAIL_GROUNDING},
    {"automatedReasoningPolicyUnits", LLMLAB__PER_GUARDRAIL_REASONING},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static llmlab_status_t
bad(const reader_t *reader, const char *field, const char *what)
{
    return llmlab__fail(LLMLAB_EPARSE, "%s: %s: %s", reader->model, field,
                        what);
}

static const char *
decimal(const cJSON *item)
{
    const char *text = llmlab__json_dom_string(item);

    return text != NULL ? text : llmlab__json_dom_number(item);
}

/* As decimal, but NULL for a text that is none: some members hold words. */
static const char *
decimal_or_word(const cJSON *item)
{
    const char *text = decimal(item);

    return text != NULL && text[0] >= '0' && text[0] <= '9' ? text : NULL;
}

static bool
find_key(const rate_key_t *table, size_t count, const char *name, unsigned *out)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            *out = table[i].rate_class;
            return true;
        }
    }
    return false;
}

/* Cut a tier's ending off the name. */
static unsigned
take_tier(char *name)
{
    static const struct {
        const char *text;
        llmlab__tier_t tier;
    } endings[] = {
        {"_priority", LLMLAB__TIER_PRIORITY},
        {"_flex", LLMLAB__TIER_FLEX},
        {"_ultrafast", LLMLAB__TIER_ULTRAFAST},
        {"_batches", LLMLAB__TIER_BATCH},
    };
    size_t size = strlen(name);
    size_t i;

    for (i = 0; i < COUNT(endings); i++) {
        size_t ending = strlen(endings[i].text);

        if (size > ending &&
            strcmp(name + size - ending, endings[i].text) == 0) {
            name[size - ending] = '\0';
            return endings[i].tier;
        }
    }
    return LLMLAB__TIER_STANDARD;
}

/* Cut "_above_272k_tokens" off the name; its tokens, or 0 where there is
 * none. */
static uint32_t
take_limit(char *name)
{
    char *above = strstr(name, "_above_");
    char *end;
    unsigned long limit;

    if (above != NULL && strncmp(above, "_above_1hr", 10) == 0) {
        above = strstr(above + 1, "_above_");
    }
    if (above == NULL) {
        return 0;
    }
    limit = strtoul(above + 7, &end, 10);
    if (*end == 'k') {
        limit *= 1000;
        end++;
    }
    if (strcmp(end, "_tokens") != 0 || limit == 0 || limit > UINT32_MAX) {
        return 0;
    }
    *above = '\0';
    return (uint32_t)limit;
}

static llmlab_status_t
put(reader_t *reader, const cJSON *item, unsigned rate_class, unsigned tier,
    unsigned context)
{
    const char *number = decimal(item);

    if (number == NULL) {
        return bad(reader, item->string, "is no decimal");
    }
    return llmlab__build_rate(reader->build, rate_class, tier, context, number,
                              0);
}

/* One member of a row, a band or an off-peak block. */
static llmlab_status_t
read_key(reader_t *reader, const cJSON *item, unsigned tier, unsigned context)
{
    char name[KEY_MAX];
    unsigned rate_class;
    uint32_t limit;

    if (strlen(item->string) >= KEY_MAX || cJSON_IsNull(item)) {
        return LLMLAB_OK;
    }
    strcpy(name, item->string);
    if (tier == LLMLAB__TIER_STANDARD) {
        tier = take_tier(name);
    }
    limit = take_limit(name);
    if (!find_key(keys, COUNT(keys), name, &rate_class)) {
        return LLMLAB_OK;
    }
    if (limit > 0) {
        context = llmlab__build_context(reader->build, limit, reader->bound);
        if (context == 0) {
            return bad(reader, item->string, "too many context tiers");
        }
    }
    return put(reader, item, rate_class, tier, context);
}

static llmlab_status_t
read_keys(reader_t *reader, const cJSON *object, unsigned tier,
          unsigned context)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        llmlab_status_t status = read_key(reader, item, tier, context);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
read_units(reader_t *reader, const char *field, const rate_key_t *table,
           size_t count)
{
    const cJSON *object = llmlab__json_dom_get(reader->row, field);
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        unsigned rate_class;
        llmlab_status_t status;

        if (!find_key(table, count, item->string, &rate_class)) {
            continue;
        }
        status = put(reader, item, rate_class, LLMLAB__TIER_STANDARD, 0);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* One element of "tiered_pricing": a band of input tokens, or of results. */
static llmlab_status_t
read_band(reader_t *reader, const cJSON *band, bool is_first)
{
    const cJSON *tokens = llmlab__json_dom_get(band, "range");
    const cJSON *results = llmlab__json_dom_get(band, "max_results_range");
    int64_t from = 0;
    unsigned context = 0;

    if ((tokens == NULL) == (results == NULL) ||
        !llmlab__json_dom_int(
            cJSON_GetArrayItem(tokens != NULL ? tokens : results, 0), &from) ||
        from < 0 || from > UINT32_MAX) {
        return bad(reader, "tiered_pricing", "an element has no range");
    }
    if (tokens != NULL) {
        reader->build->period.flags |= LLMLAB__PERIOD_WHOLE;
    }
    if (!is_first) {
        context = llmlab__build_context(
            reader->build, (uint32_t)from,
            tokens != NULL ? LLMLAB__BOUND_ABOVE : LLMLAB__BOUND_MAX_RESULTS);
        if (context == 0) {
            return bad(reader, "tiered_pricing", "too many elements");
        }
    }
    return read_keys(reader, band, LLMLAB__TIER_STANDARD, context);
}

static llmlab_status_t
read_bands(reader_t *reader)
{
    const cJSON *bands = llmlab__json_dom_get(reader->row, "tiered_pricing");
    const cJSON *band;

    cJSON_ArrayForEach(band, bands)
    {
        llmlab_status_t status = read_band(reader, band, band == bands->child);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* "hours_utc": one span of hours or a list of them. */
static llmlab_status_t
read_hours(reader_t *reader, const cJSON *hours, llmlab__window_t *window)
{
    const cJSON *item = cJSON_IsArray(hours) ? hours->child : hours;

    for (; item != NULL; item = cJSON_IsArray(hours) ? item->next : NULL) {
        const char *text = llmlab__json_dom_string(item);
        llmlab_status_t status;

        if (text == NULL || !llmlab__window_hours(text, window)) {
            return bad(reader, "hours_utc", "is not like \"16:30-00:30\"");
        }
        status = llmlab__build_window(reader->build, window);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
read_windows(reader_t *reader, const cJSON *block, llmlab__window_t *window)
{
    const cJSON *windows = llmlab__json_dom_get(block, "windows");
    const cJSON *item;

    if (windows == NULL) {
        return read_hours(reader, llmlab__json_dom_get(block, "hours_utc"),
                          window);
    }
    cJSON_ArrayForEach(item, windows)
    {
        const cJSON *days = llmlab__json_dom_get(item, "weekdays");
        const cJSON *day;
        llmlab_status_t status;

        window->days = days != NULL ? 0 : LLMLAB__EVERY_DAY;
        cJSON_ArrayForEach(day, days)
        {
            const char *text = llmlab__json_dom_string(day);
            unsigned bit = text != NULL ? llmlab__window_day(text) : 0;

            if (bit == 0) {
                return bad(reader, "weekdays", "one is none of mon to sun");
            }
            window->days = (uint16_t)(window->days | bit);
        }
        status =
            read_hours(reader, llmlab__json_dom_get(item, "hours_utc"), window);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
read_off_peak(reader_t *reader)
{
    const cJSON *block = llmlab__json_dom_get(reader->row, "off_peak_pricing");
    const char *zone = llmlab__json_dom_string(
        llmlab__json_dom_get(block, "weekday_timezone"));
    llmlab__window_t window = {.days = LLMLAB__EVERY_DAY};
    llmlab_status_t status;

    if (!cJSON_IsObject(block)) {
        return LLMLAB_OK;
    }
    if (zone != NULL && !llmlab__window_zone(zone, &window.zone)) {
        return bad(reader, "weekday_timezone", "no zone of one fixed offset");
    }
    status = read_windows(reader, block, &window);
    if (status != LLMLAB_OK) {
        return status;
    }
    return read_keys(reader, block, LLMLAB__TIER_OFF_PEAK, 0);
}

static llmlab_status_t
read_factors(reader_t *reader)
{
    static const char region[] = "regional_processing_uplift_multiplier_";
    const cJSON *item;

    cJSON_ArrayForEach(item, reader->row)
    {
        const char *number = decimal_or_word(item);
        llmlab_status_t status = LLMLAB_OK;

        if (number == NULL) {
            continue;
        }
        if (strncmp(item->string, region, sizeof(region) - 1) == 0) {
            status =
                llmlab__build_factor(reader->build, LLMLAB__FACTOR_REGION,
                                     item->string + sizeof(region) - 1, number);
        } else if (strcmp(item->string,
                          "regional_endpoint_uplift_multiplier") == 0) {
            status = llmlab__build_factor(
                reader->build, LLMLAB__FACTOR_REGION_NOT, "global", number);
        }
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    cJSON_ArrayForEach(
        item, llmlab__json_dom_get(reader->row, "provider_specific_entry"))
    {
        const char *number = decimal_or_word(item);
        llmlab__factor_kind_t kind = strcmp(item->string, "fast") == 0
                                         ? LLMLAB__FACTOR_SPEED
                                         : LLMLAB__FACTOR_REGION;

        if (number != NULL) {
            llmlab_status_t status =
                llmlab__build_factor(reader->build, kind, item->string, number);

            if (status != LLMLAB_OK) {
                return status;
            }
        }
    }
    return LLMLAB_OK;
}

/* Keys whose meaning is not their name's, and what images are billed by. */
static llmlab_status_t
read_oddities(reader_t *reader, const char *mode)
{
    llmlab__build_t *build = reader->build;
    const cJSON *hit =
        llmlab__json_dom_get(reader->row, "input_cost_per_token_cache_hit");
    const cJSON *audio = llmlab__json_dom_get(
        reader->row, "cache_creation_input_audio_token_cost");
    const cJSON *image =
        llmlab__json_dom_get(reader->row, "input_cost_per_image");
    bool makes_images = strcmp(mode, "image_generation") == 0 ||
                        strcmp(mode, "image_edit") == 0;
    llmlab_status_t status = LLMLAB_OK;

    if (decimal(hit) != NULL &&
        !llmlab__build_has_rate(build, LLMLAB__CACHE_READ, 0, 0)) {
        status = put(reader, hit, LLMLAB__CACHE_READ, 0, 0);
    }
    if (status == LLMLAB_OK && decimal(audio) != NULL &&
        !llmlab__build_has_rate(build, LLMLAB__CACHE_READ_AUDIO, 0, 0)) {
        status = put(reader, audio, LLMLAB__CACHE_READ_AUDIO, 0, 0);
    }
    /* The price of an image that is made stands under input. */
    if (status == LLMLAB_OK && makes_images && decimal(image) != NULL &&
        !llmlab__build_has_rate(build, LLMLAB__PER_OUTPUT_IMAGE, 0, 0)) {
        status = put(reader, image, LLMLAB__PER_OUTPUT_IMAGE, 0, 0);
    }
    /* All output of such a model is images. */
    if (!llmlab__build_has_rate(build, LLMLAB__OUTPUT, 0, 0)) {
        llmlab__build_copy_rate(build, LLMLAB__OUTPUT, LLMLAB__OUTPUT_IMAGE);
    }
    return status;
}

static llmlab_status_t
read_row(reader_t *reader)
{
    const char *provider = llmlab__json_dom_string(
        llmlab__json_dom_get(reader->row, "litellm_provider"));
    const char *mode =
        llmlab__json_dom_string(llmlab__json_dom_get(reader->row, "mode"));
    const char *retires = llmlab__json_dom_string(
        llmlab__json_dom_get(reader->row, "deprecation_date"));
    char memory[LLMLAB__FAMILY_TEXT];
    llmlab_status_t status;

    provider = provider != NULL ? provider : "";
    mode = mode != NULL ? mode : "chat";
    reader->bound =
        strcmp(provider, "xai") == 0 ? LLMLAB__BOUND_FROM : LLMLAB__BOUND_ABOVE;
    llmlab__build_row(
        reader->build, reader->model, provider,
        llmlab__family_find(reader->build, reader->families, provider, memory));
    reader->build->row.mode = llmlab__build_text(reader->build, mode);
    reader->build->row.source = llmlab__build_text(reader->build, "litellm");
    if (retires != NULL) {
        (void)llmlab__date_parse(retires, &reader->build->row.retires);
    }
    llmlab__build_period(reader->build, INT64_MIN);
    if ((status = read_keys(reader, reader->row, LLMLAB__TIER_STANDARD, 0)) !=
            LLMLAB_OK ||
        (status = read_units(reader, "search_context_cost_per_query",
                             search_keys, COUNT(search_keys))) != LLMLAB_OK ||
        (status = read_units(reader, "guardrail_cost_per_unit", guardrail_keys,
                             COUNT(guardrail_keys))) != LLMLAB_OK ||
        (status = read_bands(reader)) != LLMLAB_OK ||
        (status = read_oddities(reader, mode)) != LLMLAB_OK ||
        (status = read_off_peak(reader)) != LLMLAB_OK ||
        (status = read_factors(reader)) != LLMLAB_OK ||
        (status = llmlab__build_period_end(reader->build)) != LLMLAB_OK) {
        return status;
    }
    return llmlab__build_row_end(reader->build);
}

llmlab_status_t
llmlab__price_file_litellm(llmlab__build_t *build, const cJSON *root,
                           const llmlab__price_table_t *families)
{
    reader_t reader = {build, families, "", NULL, LLMLAB__BOUND_ABOVE};

    if (!cJSON_IsObject(root)) {
        return llmlab__fail(LLMLAB_EPARSE, "a price file is an object");
    }
    cJSON_ArrayForEach(reader.row, root)
    {
        llmlab_status_t status;

        /* Two members of the public file are no models. */
        if (!cJSON_IsObject(reader.row) ||
            strcmp(reader.row->string, "sample_spec") == 0 ||
            strcmp(reader.row->string, "fallback_generalizations") == 0) {
            continue;
        }
        reader.model = reader.row->string;
        status = read_row(&reader);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}
